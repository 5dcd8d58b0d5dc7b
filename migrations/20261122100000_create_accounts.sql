-- People, the ways they sign in, and the browsers they are signed in with.

CREATE TABLE accounts (
    id            uuid        PRIMARY KEY,
    email         text        NOT NULL CHECK (email = lower(email) AND length(email) BETWEEN 3 AND 254),
    name          text        NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    -- A PHC string; NULL for people who sign in through a provider only.
    password_hash text,
    is_admin      boolean     NOT NULL DEFAULT false,
    created_at    timestamptz NOT NULL,
    disabled_at   timestamptz
);

CREATE UNIQUE INDEX accounts_email ON accounts (email);

-- An account at a provider. The provider's subject is the identity, never the e-mail address.
CREATE TABLE identities (
    id         uuid        PRIMARY KEY,
    account_id uuid        NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    issuer     text        NOT NULL,
    subject    text        NOT NULL,
    email      text,
    created_at timestamptz NOT NULL,
    UNIQUE (issuer, subject)
);

CREATE INDEX identities_account_id ON identities (account_id);

CREATE TABLE sessions (
    -- SHA-256 of the token in the cookie, so that a copy of this table signs nobody in.
    token_hash   bytea       PRIMARY KEY CHECK (length(token_hash) = 32),
    account_id   uuid        NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    created_at   timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    user_agent   text,
    address      inet
);

CREATE INDEX sessions_account_id ON sessions (account_id);
