-- What sessions, links by mail and providers need beyond a password.

-- When its owner proved that mail to this address reaches them.
ALTER TABLE accounts ADD COLUMN email_verified_at timestamptz;

ALTER TABLE sessions
    -- Names a session on the account page, where its token must not stand.
    ADD COLUMN id               uuid NOT NULL DEFAULT gen_random_uuid(),
    -- When the person last proved who they are; NULL: when the session began.
    ADD COLUMN authenticated_at timestamptz,
    -- When its token was made: a session that goes on gets a new one each day; NULL: when it began.
    ADD COLUMN token_made_at     timestamptz,
    -- The token before this one, good for a moment more: for requests that were under way.
    ADD COLUMN former_token_hash bytea CHECK (length(former_token_hash) = 32);

CREATE UNIQUE INDEX sessions_id ON sessions (id);
CREATE INDEX sessions_former_token_hash ON sessions (former_token_hash) WHERE former_token_hash IS NOT NULL;

-- Links that work once: using one deletes it.
CREATE TABLE one_time_links (
    -- SHA-256 of the token in the link, so that a copy of this table opens nothing.
    token_hash bytea       PRIMARY KEY CHECK (length(token_hash) = 32),
    purpose    text        NOT NULL CHECK (purpose IN ('sign_up', 'password_reset', 'email_change')),
    -- NULL for a sign-up: there is no account before the address is proved to be theirs.
    account_id uuid        REFERENCES accounts (id) ON DELETE CASCADE,
    -- The address that the link proves, in lower case.
    email      text        NOT NULL CHECK (email = lower(email) AND length(email) BETWEEN 3 AND 254),
    name       text        CHECK (length(name) BETWEEN 1 AND 100),
    -- Whether it went to the address by mail: one that was handed over proves nothing about it.
    was_mailed boolean     NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    CHECK ((account_id IS NULL) = (purpose = 'sign_up'))
);

CREATE INDEX one_time_links_account_id ON one_time_links (account_id);
CREATE INDEX one_time_links_expires_at ON one_time_links (expires_at);

-- Sign-ins through a provider that are under way.
CREATE TABLE provider_attempts (
    state_hash    bytea       PRIMARY KEY CHECK (length(state_hash) = 32),
    -- SHA-256 of a cookie: only the browser that began may end it.
    browser_hash  bytea       NOT NULL CHECK (length(browser_hash) = 32),
    provider      text        NOT NULL,
    nonce         text        NOT NULL,
    pkce_verifier text        NOT NULL,
    -- The account that the provider's identity is to be linked to; NULL: to sign in.
    account_id    uuid        REFERENCES accounts (id) ON DELETE CASCADE,
    -- The invitation that allows a new account.
    invitation_id uuid,
    next_path     text        NOT NULL,
    expires_at    timestamptz NOT NULL
);

CREATE INDEX provider_attempts_expires_at ON provider_attempts (expires_at);

-- A provider's identity that has the address of an account, until its owner signs in to that account.
CREATE TABLE unconfirmed_identities (
    browser_hash bytea       PRIMARY KEY CHECK (length(browser_hash) = 32),
    account_id   uuid        NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    issuer       text        NOT NULL,
    subject      text        NOT NULL,
    email        text        NOT NULL,
    expires_at   timestamptz NOT NULL
);

CREATE INDEX unconfirmed_identities_expires_at ON unconfirmed_identities (expires_at);
