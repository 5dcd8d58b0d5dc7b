-- Whom a project tells when its runs end or fall silent, and what was or is to be told.

CREATE TABLE webhooks (
    id                  uuid        PRIMARY KEY,
    project_id          uuid        NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name                text        NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    url                 text        NOT NULL CHECK (octet_length(url) BETWEEN 1 AND 2048),
    format              text        NOT NULL CHECK (format IN ('trace', 'slack')),
    -- What is told, such as `run.failed`.
    events              text[]      NOT NULL,
    -- In the clear: the server signs with it.
    secret              bytea       NOT NULL CHECK (length(secret) = 32),
    -- The one before signs along for a while, so that the receiver can be told in the meantime.
    former_secret       bytea       CHECK (length(former_secret) = 32),
    former_secret_until timestamptz,
    created_by          uuid        REFERENCES accounts (id) ON DELETE SET NULL,
    created_at          timestamptz NOT NULL,
    -- NULL: it is on.
    turned_off_at       timestamptz,
    -- Why the server turned it off; NULL where a person did.
    off_reason          text,
    UNIQUE (id, project_id),
    CHECK ((former_secret IS NULL) = (former_secret_until IS NULL)),
    CHECK (off_reason IS NULL OR turned_off_at IS NOT NULL)
);

CREATE INDEX webhooks_project_id ON webhooks (project_id, created_at);

-- Messages: written in the transaction that does what they tell of, sent later.
CREATE TABLE webhook_deliveries (
    -- What the receiver knows the message by, however often it comes.
    id              uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    -- The order in which they were written.
    place           bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    webhook_id      uuid        NOT NULL,
    project_id      uuid        NOT NULL,
    -- NULL: a test.
    run_id          uuid,
    event           text        NOT NULL,
    occurred_at     timestamptz NOT NULL,
    created_at      timestamptz NOT NULL,
    -- What is sent, from the first try on.
    body            text,
    attempts        integer     NOT NULL DEFAULT 0,
    -- NULL: it is not tried again.
    next_attempt_at timestamptz,
    -- A server is at it, until then at the latest.
    leased_until    timestamptz,
    -- What came of the last try.
    attempted_at    timestamptz,
    took_ms         integer,
    status          integer,
    answer          text,
    error           text,
    delivered_at    timestamptz,
    FOREIGN KEY (webhook_id, project_id) REFERENCES webhooks (id, project_id) ON DELETE CASCADE,
    FOREIGN KEY (run_id, project_id) REFERENCES runs (id, project_id) ON DELETE CASCADE
);

-- What waits, in the order in which it is tried, and what a server is at: few among many.
CREATE INDEX webhook_deliveries_waiting ON webhook_deliveries (webhook_id, next_attempt_at, place)
    WHERE next_attempt_at IS NOT NULL;
CREATE INDEX webhook_deliveries_leased ON webhook_deliveries (webhook_id) WHERE leased_until IS NOT NULL;
-- What waits of a run, which goes out in order.
CREATE INDEX webhook_deliveries_of_run ON webhook_deliveries (run_id, webhook_id, place);
CREATE INDEX webhook_deliveries_of_webhook ON webhook_deliveries (webhook_id, place);
CREATE INDEX webhook_deliveries_created_at ON webhook_deliveries (created_at);

-- A silence is told once, however often and by however many servers it is noticed.
CREATE UNIQUE INDEX webhook_deliveries_silence ON webhook_deliveries (webhook_id, run_id, occurred_at)
    WHERE event = 'run.out_of_contact';
