-- When what a run printed came, so that its two streams can be read as one.

-- Of a whole stream, as the client told it: [[bytes further, microseconds later], …], the first from byte 0 and from 1970 on.
-- NULL: the client did not tell.
ALTER TABLE logs ADD COLUMN times jsonb;

ALTER TABLE log_chunks
    -- Where a piece of a stream stands if both are read as one, in the order in which they arrived. NULL: a log file's piece,
    -- or one that the former version of the server took.
    ADD COLUMN joint_start bigint CHECK (joint_start >= 0),
    -- The pieces that it is made of: [[start_byte, joint_start, microseconds since 1970], …]. One that became a blob has many.
    ADD COLUMN turns       jsonb;

CREATE INDEX log_chunks_joint ON log_chunks (run_id, stream, joint_start) WHERE joint_start IS NOT NULL;
-- The few streams that can't be read as one.
CREATE INDEX log_chunks_apart ON log_chunks (run_id) WHERE joint_start IS NULL AND stream <> 'log';
