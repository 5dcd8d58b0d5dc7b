-- What sweeps need: until when contents are counted on, and when the last sweep was.

ALTER TABLE blobs
    -- Until then it stays though nothing refers to it: whoever was told that it is here may name it without sending it.
    -- What the former version of the server writes, and what was here before, is kept for a day.
    ADD COLUMN kept_until timestamptz NOT NULL DEFAULT now() + interval '24 hours';

CREATE TABLE sweeps (
    number      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    began_at    timestamptz NOT NULL,
    -- NULL: it goes on, or was cut off.
    ended_at    timestamptz,
    freed_bytes bigint      CHECK (freed_bytes >= 0)
);

-- What a project takes, as it was counted last: for pages, which do not wait for millions of rows.
CREATE TABLE storage_counts (
    project_id         uuid        PRIMARY KEY REFERENCES projects (id) ON DELETE CASCADE,
    counted_at         timestamptz NOT NULL,
    -- In the store of contents: each content once, compressed.
    stored_bytes       bigint      NOT NULL,
    -- Of the runs that are not deleted, as they were sent.
    artifacts_bytes    bigint      NOT NULL,
    logs_bytes         bigint      NOT NULL,
    series_bytes       bigint      NOT NULL,
    snapshots_bytes    bigint      NOT NULL,
    tables_bytes       bigint      NOT NULL,
    -- Of the deleted runs.
    trash_bytes        bigint      NOT NULL,
    trash_runs         bigint      NOT NULL,
    -- What the rules of retention delete next.
    expiring_artifacts bigint      NOT NULL,
    expiring_bytes     bigint      NOT NULL,
    -- The largest runs, the largest first, and what each takes.
    largest_runs       uuid[]      NOT NULL,
    largest_bytes      bigint[]    NOT NULL
);

-- What each run takes, in bytes, as it was sent; for one run, or for some runs in the order of an index.
CREATE VIEW run_sizes AS
SELECT
    r.id AS run_id,
    r.project_id,
    r.number,
    r.deleted_at,
    (SELECT COALESCE(sum(a.size_bytes), 0)::bigint FROM artifacts a WHERE a.run_id = r.id AND a.sha256 IS NOT NULL)
        AS artifacts_bytes,
    (SELECT COALESCE(sum(l.size_bytes), 0)::bigint FROM logs l WHERE l.run_id = r.id AND l.sha256 IS NOT NULL)
        + (SELECT COALESCE(sum(c.end_byte - c.start_byte), 0)::bigint FROM log_chunks c WHERE c.run_id = r.id)
        AS logs_bytes,
    (SELECT COALESCE(sum(octet_length(c.points) + octet_length(c.summary)), 0)::bigint
     FROM series_chunks c WHERE c.run_id = r.id)
        + (SELECT COALESCE(sum(octet_length(t.points)), 0)::bigint FROM series_tails t WHERE t.run_id = r.id)
        AS series_bytes,
    (SELECT COALESCE(sum(f.size_bytes), 0)::bigint FROM snapshot_files f WHERE f.run_id = r.id) AS snapshots_bytes,
    (SELECT COALESCE(sum(b.size_bytes), 0)::bigint
     FROM result_tables t
     JOIN blobs b ON b.project_id = t.project_id AND b.sha256 = t.sha256
     WHERE t.run_id = r.id) AS tables_bytes
FROM runs r;
