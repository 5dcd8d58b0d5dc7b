-- Who did what, from where: one chain for each project, and one for the server.

CREATE TABLE audit_events (
    -- The project, or the nil UUID for the server. No foreign key: the record outlives what it tells of.
    chain_id      uuid        NOT NULL,
    number        bigint      NOT NULL CHECK (number > 0),
    at            timestamptz NOT NULL,
    actor_kind    text        NOT NULL CHECK (actor_kind IN ('account', 'key', 'command', 'nobody')),
    actor_id      uuid,
    -- What the actor was called then.
    actor         text        NOT NULL,
    action        text        NOT NULL,
    target        text        NOT NULL,
    -- An object of texts.
    details       jsonb       NOT NULL,
    address       text,
    -- The hash of the event before; 32 zeros for the first.
    previous_hash bytea       NOT NULL CHECK (length(previous_hash) = 32),
    -- SHA-256 over all of the above, so that a changed or missing event breaks the chain.
    hash          bytea       NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (chain_id, number)
);

-- Events are only ever added; the application has no way to change one, and neither has its SQL.
CREATE FUNCTION refuse_to_change_audit_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit events are never changed';
END
$$;

CREATE TRIGGER audit_events_are_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_audit_events();
