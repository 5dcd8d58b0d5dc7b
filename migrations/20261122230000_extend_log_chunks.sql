-- Log files that a run writes, beside its two streams: in pieces while it runs, like those.

ALTER TABLE log_chunks
    DROP CONSTRAINT log_chunks_pkey,
    DROP CONSTRAINT log_chunks_stream_check,
    -- Which file it is, in the workspace; empty for the two streams.
    ADD COLUMN path     text   NOT NULL DEFAULT '',
    -- The same for the index, which takes no long paths.
    ADD COLUMN path_key bigint NOT NULL GENERATED ALWAYS AS (hashtextextended(path, 0)) STORED;

ALTER TABLE log_chunks
    ADD PRIMARY KEY (run_id, stream, path_key, start_byte),
    ADD CHECK (stream IN ('stdout', 'stderr', 'log')),
    ADD CHECK ((stream = 'log') = (path <> ''));
