-- Runs from elsewhere: they are gathered beside the project's runs, and take their place among them all at once.

CREATE TABLE imports (
    -- Made by the caller, so that a repeated request begins nothing twice.
    id              uuid        PRIMARY KEY,
    project_id      uuid        NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    created_at      timestamptz NOT NULL,
    -- The project's highest run number at that moment: what is recorded later is not replaced.
    last_run_number integer     NOT NULL,
    -- What came of it, for requests that are repeated; NULL until the runs have taken their place.
    first_number    integer     CHECK (first_number > 0),
    run_count       integer,
    deleted_count   integer,
    CHECK (num_nulls(first_number, run_count, deleted_count) IN (0, 3)),
    UNIQUE (id, project_id)
);

CREATE INDEX imports_project_id ON imports (project_id, created_at);

-- A run that waits. It is checked already, and `results` and what follows hold the rows that it will have in the tables
-- of these names. There is no row of `runs` before its time, so that nothing else has to know of it.
CREATE TABLE staged_runs (
    import_id      uuid    NOT NULL,
    project_id     uuid    NOT NULL,
    -- Its place among the import's runs.
    position       integer NOT NULL CHECK (position >= 0),
    -- The id that the run will have.
    id             uuid    NOT NULL,
    -- How long the following are together.
    size_bytes     bigint  NOT NULL CHECK (size_bytes >= 0),
    run            jsonb   NOT NULL,
    results        jsonb   NOT NULL,
    artifacts      jsonb   NOT NULL,
    logs           jsonb   NOT NULL,
    result_tables  jsonb   NOT NULL,
    snapshots      jsonb   NOT NULL,
    snapshot_files jsonb   NOT NULL,
    PRIMARY KEY (import_id, position),
    FOREIGN KEY (import_id, project_id) REFERENCES imports (id, project_id) ON DELETE CASCADE
);
