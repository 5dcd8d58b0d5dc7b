-- What runs are found and sorted by: words, tags, results, times, branches and commits.

-- The words of a text. Whatever stands between them counts as a space, so that `train.py` is found in a path and
-- `loss` in `val_loss`. What lies beyond 40,000 characters is not found: PostgreSQL keeps at most 1 MB of words a row.
CREATE FUNCTION words_of(body text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT to_tsvector(
        'pg_catalog.simple'::regconfig,
        translate(left(COALESCE(body, ''), 40000), '!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~', repeat(' ', 32))
    )
$$;

-- Apart from `runs`, whose rows change with every sign of life: each change would be written to these indexes too.
CREATE TABLE run_words (
    run_id     uuid     PRIMARY KEY,
    project_id uuid     NOT NULL,
    -- Of the title (weight A), the intent (B), the setup (C) and the command (D).
    words      tsvector NOT NULL,
    -- Of the tags.
    tag_words  tsvector NOT NULL,
    FOREIGN KEY (run_id, project_id) REFERENCES runs (id, project_id) ON DELETE CASCADE
);

CREATE FUNCTION words_of_run(run runs) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT setweight(words_of(run.title), 'A') || setweight(words_of(run.intent), 'B')
        || setweight(words_of(run.setup), 'C') || setweight(words_of(run.command), 'D')
$$;

-- Triggers, so that no way to write a run forgets it, the former version of the server included. Runs that are created
-- together get their words together.
CREATE FUNCTION write_words_of_new_runs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO run_words (run_id, project_id, words, tag_words)
    SELECT run.id, run.project_id, words_of_run(run), words_of(array_to_string(run.tags, ' ')) FROM new_runs AS run;
    RETURN NULL;
END
$$;

CREATE TRIGGER new_runs_have_words
    AFTER INSERT ON runs
    REFERENCING NEW TABLE AS new_runs
    FOR EACH STATEMENT EXECUTE FUNCTION write_words_of_new_runs();

CREATE FUNCTION write_words_of_changed_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO run_words (run_id, project_id, words, tag_words)
    VALUES (NEW.id, NEW.project_id, words_of_run(NEW), words_of(array_to_string(NEW.tags, ' ')))
    ON CONFLICT (run_id) DO UPDATE
    SET words = EXCLUDED.words, tag_words = EXCLUDED.tag_words;
    RETURN NULL;
END
$$;

CREATE TRIGGER changed_runs_have_words
    AFTER UPDATE OF title, intent, setup, command, tags ON runs
    FOR EACH ROW EXECUTE FUNCTION write_words_of_changed_run();

-- The second does it for the runs that are here.
UPDATE runs SET tags = tags;

-- New entries wait in a list that every search goes through: a short one.
CREATE INDEX run_words_words ON run_words USING gin (words, tag_words) WITH (gin_pending_list_limit = 512);

ALTER TABLE notes ADD COLUMN words tsvector NOT NULL GENERATED ALWAYS AS (words_of(body)) STORED;
CREATE INDEX notes_words ON notes USING gin (words);
CREATE INDEX notes_project_id ON notes (project_id, run_id);

-- The name for indexes, which take no long texts.
ALTER TABLE results ADD COLUMN name_key bigint NOT NULL GENERATED ALWAYS AS (hashtextextended(name, 0)) STORED;
-- Finds by a result and sorts by it; so the index of names alone is needed no more.
CREATE INDEX results_number ON results (project_id, name_key, number, run_id);
DROP INDEX results_name;
CREATE INDEX results_words ON results USING gin (words_of(value #>> '{}')) WHERE jsonb_typeof(value) = 'string';

CREATE INDEX runs_created_at ON runs (project_id, created_at, number);

CREATE INDEX snapshots_branch ON snapshots (project_id, left(git_branch, 200));
-- A commit is asked for by its beginning.
CREATE INDEX snapshots_commit ON snapshots (project_id, left(git_commit, 64) text_pattern_ops);
