-- Projects, who may enter them, the keys that machines hold, and the workspaces that speak.

CREATE TABLE projects (
    id              uuid        PRIMARY KEY,
    -- The name in URLs. Chosen once, so that links keep working when the name changes.
    slug            text        NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$'),
    name            text        NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    description     text        NOT NULL DEFAULT '' CHECK (length(description) <= 10000),
    created_by      uuid        REFERENCES accounts (id) ON DELETE SET NULL,
    created_at      timestamptz NOT NULL,
    -- The highest run number given out. Only ever rises: a deleted run's number is not used again.
    last_run_number integer     NOT NULL DEFAULT 0
);

CREATE TABLE members (
    project_id      uuid        NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    account_id      uuid        NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    role            text        NOT NULL CHECK (role IN ('owner', 'editor', 'viewer')),
    created_at      timestamptz NOT NULL,
    -- When the member last opened the project: `/projects/current` leads to the newest.
    last_visited_at timestamptz NOT NULL,
    PRIMARY KEY (project_id, account_id)
);

CREATE INDEX members_account_id ON members (account_id, last_visited_at DESC);

CREATE TABLE api_keys (
    id           uuid        PRIMARY KEY,
    project_id   uuid        NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name         text        NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    -- SHA-256 of the key, which is random enough that no salt is needed.
    key_hash     bytea       NOT NULL UNIQUE CHECK (length(key_hash) = 32),
    -- What may be shown of it: `trc_` and four characters.
    prefix       text        NOT NULL,
    created_by   uuid        NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz,
    last_used_at timestamptz,
    revoked_at   timestamptz
);

CREATE INDEX api_keys_project_id ON api_keys (project_id, created_at DESC);

-- A directory on some machine in which `otrace init` was run.
CREATE TABLE workspaces (
    id                uuid        PRIMARY KEY,
    project_id        uuid        NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name              text        NOT NULL,
    working_directory text        NOT NULL,
    cli_version       text,
    python_version    text,
    platform          text,
    git_remote_url    text,
    git_commit        text,
    git_dirty         boolean,
    metadata          jsonb       NOT NULL DEFAULT '{}',
    api_key_id        uuid        REFERENCES api_keys (id) ON DELETE SET NULL,
    synced_at         timestamptz NOT NULL
);

-- By hash, because a path may be longer than an index takes.
CREATE UNIQUE INDEX workspaces_place ON workspaces (project_id, md5(name), md5(working_directory));
