-- Contents that the object store holds: a row is written only after its object is durable.

CREATE TABLE blobs (
    project_id uuid        NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    sha256     bytea       NOT NULL CHECK (length(sha256) = 32),
    size_bytes bigint      NOT NULL CHECK (size_bytes >= 0),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (project_id, sha256)
);
