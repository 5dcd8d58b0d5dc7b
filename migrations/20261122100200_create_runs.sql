-- Runs: one recorded command each.

CREATE TABLE runs (
    id                      uuid             PRIMARY KEY,
    project_id              uuid             NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    -- exp042 is number 42.
    number                  integer          NOT NULL CHECK (number > 0),
    parent_id               uuid,
    title                   text,
    intent                  text             NOT NULL,
    setup                   text             NOT NULL,
    command                 text             NOT NULL,
    working_directory       text,
    status                  text             NOT NULL CHECK (status IN ('created', 'running', 'completed', 'failed', 'capture_failed')),
    tags                    text[]           NOT NULL DEFAULT '{}',
    expected_artifact_paths text[]           NOT NULL DEFAULT '{}',
    expected_log_paths      text[]           NOT NULL DEFAULT '{}',
    exit_code               integer,
    duration_seconds        double precision,
    created_at              timestamptz      NOT NULL,
    updated_at              timestamptz      NOT NULL,
    started_at              timestamptz,
    finished_at             timestamptz,
    api_key_id              uuid             REFERENCES api_keys (id) ON DELETE SET NULL,
    recorder                text,
    -- Deleting is reversible: a deleted run is only hidden until it is swept.
    deleted_at              timestamptz,
    UNIQUE (project_id, number),
    -- What belongs to a run refers to both columns, so that it can't point into another project.
    UNIQUE (id, project_id),
    FOREIGN KEY (parent_id, project_id) REFERENCES runs (id, project_id)
);

-- What changed since a page was made, for pages that stay open.
CREATE INDEX runs_updated_at ON runs (project_id, updated_at);
CREATE INDEX runs_parent_id ON runs (parent_id) WHERE parent_id IS NOT NULL;

-- Notes that people and agents wrote on a run.
CREATE TABLE notes (
    id         uuid        PRIMARY KEY,
    run_id     uuid        NOT NULL,
    project_id uuid        NOT NULL,
    account_id uuid        REFERENCES accounts (id) ON DELETE SET NULL,
    api_key_id uuid        REFERENCES api_keys (id) ON DELETE SET NULL,
    body       text        NOT NULL CHECK (length(body) BETWEEN 1 AND 100000),
    created_at timestamptz NOT NULL,
    FOREIGN KEY (run_id, project_id) REFERENCES runs (id, project_id) ON DELETE CASCADE
);

CREATE INDEX notes_run_id ON notes (run_id, created_at);
