-- Parameters: the values of a run's configs by their names, to find and sort runs by. They are read from the configs'
-- contents after these have come, so that nobody who records a run waits for it.

CREATE TABLE run_parameters (
    run_id     uuid             NOT NULL,
    project_id uuid             NOT NULL,
    -- Its path in the config, such as `optimizer.lr`.
    name       text             NOT NULL,
    value      text             NOT NULL,
    -- The value where it is a number; never NaN or infinite.
    number     double precision,
    name_key   bigint           NOT NULL GENERATED ALWAYS AS (hashtextextended(name, 0)) STORED,
    PRIMARY KEY (run_id, name),
    FOREIGN KEY (run_id, project_id) REFERENCES runs (id, project_id) ON DELETE CASCADE
);

CREATE INDEX run_parameters_number ON run_parameters (project_id, name_key, number, run_id);
CREATE INDEX run_parameters_value ON run_parameters (project_id, name_key, lower(value), run_id);

-- Runs whose configs are to be read, once or anew.
CREATE TABLE unread_configs (
    run_id     uuid        PRIMARY KEY,
    project_id uuid        NOT NULL,
    attempts   integer     NOT NULL DEFAULT 0,
    -- From then on. A server that is at it puts it off; and a change meanwhile brings it back.
    due_at     timestamptz NOT NULL DEFAULT 'epoch',
    FOREIGN KEY (run_id, project_id) REFERENCES runs (id, project_id) ON DELETE CASCADE
);

CREATE INDEX unread_configs_due_at ON unread_configs (due_at, run_id DESC);

-- A trigger, so that no way to keep a config forgets it, the former version of the server included.
CREATE FUNCTION note_changed_config() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed artifacts;
BEGIN
    IF TG_OP = 'DELETE' THEN
        changed := OLD;
    ELSE
        changed := NEW;
    END IF;
    -- Where the run itself goes, it is not there any more.
    INSERT INTO unread_configs (run_id, project_id)
    SELECT r.id, r.project_id FROM runs r WHERE r.id = changed.run_id AND r.project_id = changed.project_id
    ON CONFLICT (run_id) DO UPDATE SET attempts = 0, due_at = 'epoch';
    RETURN NULL;
END
$$;

CREATE TRIGGER new_configs_are_read
    AFTER INSERT ON artifacts
    FOR EACH ROW WHEN (NEW.kind = 'config' AND NEW.sha256 IS NOT NULL) EXECUTE FUNCTION note_changed_config();

CREATE TRIGGER removed_configs_are_forgotten
    AFTER DELETE ON artifacts
    FOR EACH ROW WHEN (OLD.kind = 'config') EXECUTE FUNCTION note_changed_config();
