-- Invitations to a project, or only to this server.

CREATE TABLE invitations (
    id          uuid        PRIMARY KEY,
    -- SHA-256 of the token in the link.
    token_hash  bytea       NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    -- NULL: an account on this server, and no project.
    project_id  uuid        REFERENCES projects (id) ON DELETE CASCADE,
    role        text        CHECK (role IN ('owner', 'editor', 'viewer')),
    -- The one address that may accept; NULL: whoever has the link.
    email       text        CHECK (email = lower(email) AND length(email) BETWEEN 3 AND 254),
    -- Whether the link went to that address by mail, so that having it proves the address.
    was_mailed  boolean     NOT NULL DEFAULT false,
    created_by  uuid        REFERENCES accounts (id) ON DELETE SET NULL,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    accepted_at timestamptz,
    accepted_by uuid        REFERENCES accounts (id) ON DELETE SET NULL,
    revoked_at  timestamptz,
    CHECK ((project_id IS NULL) = (role IS NULL))
);

CREATE INDEX invitations_project_id ON invitations (project_id, created_at DESC);

-- How people get an account here; without a row, the server's own default holds.
CREATE TABLE sign_up_policy (
    only_row   boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
    policy     text        NOT NULL CHECK (policy IN ('open', 'invitation', 'domains', 'off')),
    domains    text[]      NOT NULL DEFAULT '{}',
    updated_at timestamptz NOT NULL,
    updated_by uuid        REFERENCES accounts (id) ON DELETE SET NULL
);

-- Invitations that still hold: neither accepted nor taken back, and made by somebody who could make them
-- anew. Whether one has ended is asked with the time.
CREATE VIEW open_invitations AS
SELECT i.*
FROM invitations i
JOIN accounts a ON a.id = i.created_by AND a.disabled_at IS NULL
WHERE i.accepted_at IS NULL
  AND i.revoked_at IS NULL
  AND CASE
        WHEN i.project_id IS NULL THEN a.is_admin
        ELSE EXISTS (
            SELECT FROM members m
            WHERE m.project_id = i.project_id AND m.account_id = a.id AND m.role = 'owner'
        )
      END;
