-- What a key may do, from where it was used, and what took its place.

ALTER TABLE api_keys
    ADD COLUMN scope             text NOT NULL DEFAULT 'write' CHECK (scope IN ('read', 'write')),
    ADD COLUMN last_used_address text,
    -- The key that was made to replace this one: both work until this one expires.
    ADD COLUMN replaced_by       uuid REFERENCES api_keys (id) ON DELETE SET NULL;

-- Machines that ask a person for a key: `otrace login` in the browser.
CREATE TABLE device_logins (
    -- SHA-256 of the code that the machine holds.
    device_hash bytea       PRIMARY KEY CHECK (length(device_hash) = 32),
    -- What the person compares or types: eight letters.
    user_code   text        NOT NULL UNIQUE CHECK (user_code ~ '^[A-Z]{8}$'),
    client      text        NOT NULL,
    machine     text        NOT NULL,
    address     text,
    status      text        NOT NULL CHECK (status IN ('pending', 'approved', 'denied')),
    -- Who approved it, for which project.
    account_id  uuid        REFERENCES accounts (id) ON DELETE CASCADE,
    project_id  uuid        REFERENCES projects (id) ON DELETE CASCADE,
    -- The key that the machine was given.
    key_id      uuid        REFERENCES api_keys (id) ON DELETE SET NULL,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    CHECK ((status = 'approved') = (account_id IS NOT NULL AND project_id IS NOT NULL))
);

CREATE INDEX device_logins_expires_at ON device_logins (expires_at);
