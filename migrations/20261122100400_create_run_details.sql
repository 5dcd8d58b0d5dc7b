-- What a run left behind. `position` keeps the order in which the client told it.

CREATE TABLE artifacts (
    id                uuid        PRIMARY KEY,
    run_id            uuid        NOT NULL,
    project_id        uuid        NOT NULL,
    position          integer     NOT NULL,
    local_artifact_id text,
    original_path     text,
    stored_path       text,
    kind              text        NOT NULL,
    size_bytes        bigint      NOT NULL CHECK (size_bytes >= 0),
    -- As the client told it; NULL where it told none.
    hash              text,
    content_type      text        NOT NULL,
    -- NULL where the content is not stored: `"store_content": false`.
    sha256            bytea,
    captured_at       timestamptz,
    FOREIGN KEY (run_id, project_id) REFERENCES runs (id, project_id) ON DELETE CASCADE,
    FOREIGN KEY (project_id, sha256) REFERENCES blobs (project_id, sha256)
);

CREATE INDEX artifacts_run_id ON artifacts (run_id, position);
CREATE INDEX artifacts_blob ON artifacts (project_id, sha256);

CREATE TABLE logs (
    run_id      uuid        NOT NULL,
    project_id  uuid        NOT NULL,
    position    integer     NOT NULL,
    stream      text        NOT NULL CHECK (stream IN ('stdout', 'stderr', 'log')),
    path        text,
    size_bytes  bigint      NOT NULL CHECK (size_bytes >= 0),
    sha256      bytea,
    captured_at timestamptz,
    PRIMARY KEY (run_id, position),
    FOREIGN KEY (run_id, project_id) REFERENCES runs (id, project_id) ON DELETE CASCADE,
    FOREIGN KEY (project_id, sha256) REFERENCES blobs (project_id, sha256)
);

CREATE INDEX logs_blob ON logs (project_id, sha256);

CREATE TABLE results (
    run_id       uuid             NOT NULL,
    project_id   uuid             NOT NULL,
    position     integer          NOT NULL,
    kind         text             NOT NULL,
    name         text             NOT NULL,
    value        jsonb            NOT NULL,
    -- The value where it is a number, to sort and compare by; NaN and the infinities too.
    number       double precision,
    source_path  text,
    line         bigint,
    row_index    bigint,
    column_name  text,
    table_index  bigint,
    metadata     jsonb            NOT NULL DEFAULT '{}',
    PRIMARY KEY (run_id, position),
    FOREIGN KEY (run_id, project_id) REFERENCES runs (id, project_id) ON DELETE CASCADE
);

-- A name may be longer than an index takes.
CREATE INDEX results_name ON results (project_id, left(name, 200));

CREATE TABLE result_tables (
    run_id       uuid    NOT NULL,
    project_id   uuid    NOT NULL,
    position     integer NOT NULL,
    source_path  text,
    table_index  bigint,
    title        text,
    columns      text[]  NOT NULL,
    row_count    bigint  NOT NULL,
    column_count bigint  NOT NULL,
    metadata     jsonb   NOT NULL DEFAULT '{}',
    -- The rows that a page shows at once. All rows are a blob, unless these are all.
    first_rows   jsonb   NOT NULL,
    sha256       bytea,
    PRIMARY KEY (run_id, position),
    FOREIGN KEY (run_id, project_id) REFERENCES runs (id, project_id) ON DELETE CASCADE,
    FOREIGN KEY (project_id, sha256) REFERENCES blobs (project_id, sha256)
);

CREATE INDEX result_tables_blob ON result_tables (project_id, sha256);

CREATE TABLE snapshots (
    run_id                 uuid    PRIMARY KEY,
    project_id             uuid    NOT NULL,
    git_commit             text,
    git_branch             text,
    git_remote_url         text,
    git_dirty              boolean,
    dirty_diff_path        text,
    staged_diff_path       text,
    dependency_files       text[]  NOT NULL DEFAULT '{}',
    dependency_file_copies text[]  NOT NULL DEFAULT '{}',
    python_version         text,
    platform               text,
    hostname               text,
    requirements_hash      text,
    stdout_log_path        text,
    stderr_log_path        text,
    observed_artifacts     jsonb   NOT NULL DEFAULT '[]',
    missing_expected_paths jsonb   NOT NULL DEFAULT '[]',
    evidence               jsonb   NOT NULL DEFAULT '[]',
    FOREIGN KEY (run_id, project_id) REFERENCES runs (id, project_id) ON DELETE CASCADE
);

-- The diffs and dependency files that a run started from.
CREATE TABLE snapshot_files (
    run_id     uuid    NOT NULL,
    project_id uuid    NOT NULL,
    position   integer NOT NULL,
    kind       text    NOT NULL CHECK (kind IN ('dirty_diff', 'staged_diff', 'dependency')),
    path       text    NOT NULL,
    size_bytes bigint  NOT NULL CHECK (size_bytes >= 0),
    sha256     bytea   NOT NULL,
    PRIMARY KEY (run_id, position),
    FOREIGN KEY (run_id, project_id) REFERENCES runs (id, project_id) ON DELETE CASCADE,
    FOREIGN KEY (project_id, sha256) REFERENCES blobs (project_id, sha256)
);

CREATE INDEX snapshot_files_blob ON snapshot_files (project_id, sha256);
