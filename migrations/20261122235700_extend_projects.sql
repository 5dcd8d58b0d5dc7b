-- What owners settle for a project, and deleting one: it is hidden with all that is in it, and can be brought back.

ALTER TABLE projects
    -- NULL: it is there. Its keys, members and invitations stay as they are, and open nothing meanwhile.
    ADD COLUMN deleted_at   timestamptz,
    ADD COLUMN deleted_by   uuid   REFERENCES accounts (id) ON DELETE SET NULL,
    -- The columns of its list of runs, for who has not chosen any; none: the usual ones.
    ADD COLUMN list_columns text[] NOT NULL DEFAULT '{}';

-- Which way a result gets better, where its name does not tell.
CREATE TABLE result_directions (
    project_id      uuid    NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name            text    NOT NULL CHECK (length(name) BETWEEN 1 AND 500),
    is_lower_better boolean NOT NULL,
    PRIMARY KEY (project_id, name)
);

-- As before, and none into a deleted project.
CREATE OR REPLACE VIEW open_invitations AS
SELECT i.*
FROM invitations i
JOIN accounts a ON a.id = i.created_by AND a.disabled_at IS NULL
WHERE i.accepted_at IS NULL
  AND i.revoked_at IS NULL
  AND CASE
        WHEN i.project_id IS NULL THEN a.is_admin
        ELSE EXISTS (
            SELECT FROM members m
            JOIN projects p ON p.id = m.project_id
            WHERE m.project_id = i.project_id AND m.account_id = a.id AND m.role = 'owner' AND p.deleted_at IS NULL
        )
      END;
