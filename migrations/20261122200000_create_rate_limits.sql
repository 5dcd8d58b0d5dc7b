-- How often something was tried, so that all servers together keep to one limit: a bucket of tokens each.

-- Unlogged: a token is taken before the work that it allows, and must not wait for the disk. After a crash of
-- PostgreSQL the table is empty and all buckets are full again, which lets through one more burst.
CREATE UNLOGGED TABLE rate_limits (
    -- SHA-256 of the limit's name and its subject: no address and no e-mail address lies here in the clear.
    key            bytea            PRIMARY KEY CHECK (length(key) = 32),
    -- Which limit it is, for people who look.
    name           text             NOT NULL,
    burst          double precision NOT NULL CHECK (burst >= 1),
    refill_seconds double precision NOT NULL CHECK (refill_seconds > 0),
    -- Those that were left at `updated_at`. Below 0 when several servers gave away the last ones.
    tokens         double precision NOT NULL,
    updated_at     timestamptz      NOT NULL
) WITH (fillfactor = 70);
