-- Views of a project's list of runs that people keep under a name, and what lists need to be counted and thrown away.

CREATE TABLE saved_views (
    id         uuid        PRIMARY KEY,
    project_id uuid        NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    created_by uuid        NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    name       text        NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    -- What stands behind the `?` of the list's address: query, order, columns, grouping.
    parameters text        NOT NULL CHECK (octet_length(parameters) <= 16384),
    -- Seen by all members of the project, not by its maker alone.
    is_shared  boolean     NOT NULL,
    created_at timestamptz NOT NULL,
    -- Who saves under a name again replaces what was there.
    UNIQUE (project_id, created_by, name)
);

CREATE INDEX saved_views_created_by ON saved_views (created_by);

-- Counts the runs of a status, and lists those of a rare one, without a look at the rows. None of its columns changes
-- with a sign of life, so that those stay cheap.
CREATE INDEX runs_status ON runs (project_id, status, number) WHERE deleted_at IS NULL;

-- The trash: few among many.
CREATE INDEX runs_deleted ON runs (project_id, deleted_at, number) WHERE deleted_at IS NOT NULL;
