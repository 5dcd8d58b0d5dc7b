-- What a run prints while it runs, and when its machine was last heard of.

ALTER TABLE runs
    -- When the machine last sent anything for the run; NULL: its client never says so.
    ADD COLUMN last_contact_at timestamptz,
    -- When the server took the run for lost; back to NULL when the machine is heard of again.
    ADD COLUMN silenced_at     timestamptz;

-- The few runs of which something is expected: what the look for lost ones reads.
CREATE INDEX runs_awaited ON runs (last_contact_at)
    WHERE status IN ('created', 'running') AND last_contact_at IS NOT NULL;

-- A stream in pieces, until the run's whole logs take their place.
CREATE TABLE log_chunks (
    run_id     uuid   NOT NULL,
    project_id uuid   NOT NULL,
    stream     text   NOT NULL CHECK (stream IN ('stdout', 'stderr')),
    -- From this byte of the stream on, up to the other.
    start_byte bigint NOT NULL CHECK (start_byte >= 0),
    end_byte   bigint NOT NULL CHECK (end_byte > start_byte),
    -- The newest pieces are here, older ones are blobs.
    bytes      bytea,
    sha256     bytea,
    PRIMARY KEY (run_id, stream, start_byte),
    CHECK ((bytes IS NULL) <> (sha256 IS NULL)),
    CHECK (bytes IS NULL OR length(bytes) = end_byte - start_byte),
    FOREIGN KEY (run_id, project_id) REFERENCES runs (id, project_id) ON DELETE CASCADE,
    FOREIGN KEY (project_id, sha256) REFERENCES blobs (project_id, sha256)
);

CREATE INDEX log_chunks_blob ON log_chunks (project_id, sha256) WHERE sha256 IS NOT NULL;
