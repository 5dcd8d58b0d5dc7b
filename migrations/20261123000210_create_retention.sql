-- Rules by which a project's artifacts lose their contents, and which contents nothing needs.

CREATE TABLE retention_rules (
    id           uuid        PRIMARY KEY,
    project_id   uuid        NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    -- As the owner typed them: `*` stands for any characters, `?` for one.
    kind         text        NOT NULL CHECK (length(kind) BETWEEN 1 AND 200),
    path         text        NOT NULL CHECK (length(path) BETWEEN 1 AND 200),
    -- The same for LIKE.
    kind_pattern text        NOT NULL,
    path_pattern text        NOT NULL,
    after_days   integer     NOT NULL CHECK (after_days BETWEEN 1 AND 36500),
    -- The rule in words, for what it deletes.
    summary      text        NOT NULL,
    created_at   timestamptz NOT NULL
);

CREATE INDEX retention_rules_project_id ON retention_rules (project_id);

ALTER TABLE projects
    -- Runs with one of these tags are spared by the rules; none: runs with any tag are.
    ADD COLUMN sparing_tags text[] NOT NULL DEFAULT '{}';

ALTER TABLE artifacts
    -- When its content was deleted by a rule, and by which, in words. Name, size and hash stay.
    ADD COLUMN content_deleted_at timestamptz,
    ADD COLUMN content_deleted_by text;

-- Artifacts that a rule deletes the content of, and when; once for each rule. A day passes between a rule and what it
-- deletes first. Runs that go on are spared, and those with a tag that spares; `keep` always does.
CREATE VIEW expiring_artifacts AS
SELECT
    a.id AS artifact_id,
    r.project_id,
    r.id AS run_id,
    a.sha256,
    a.size_bytes,
    rule.summary,
    GREATEST(
        -- In hours: a day is not as long everywhere and always.
        r.updated_at + make_interval(hours => 24 * rule.after_days),
        rule.created_at + interval '24 hours'
    ) AS expires_at
FROM retention_rules rule
JOIN projects p ON p.id = rule.project_id AND p.deleted_at IS NULL
JOIN runs r ON r.project_id = rule.project_id
JOIN artifacts a ON a.run_id = r.id
WHERE a.sha256 IS NOT NULL
  AND r.deleted_at IS NULL
  AND r.status IN ('completed', 'failed', 'capture_failed')
  AND a.kind LIKE rule.kind_pattern
  AND COALESCE(a.original_path, a.stored_path, '') LIKE rule.path_pattern
  AND 'keep' <> ALL (r.tags)
  AND CASE WHEN p.sparing_tags = '{}' THEN r.tags = '{}' ELSE NOT r.tags && p.sparing_tags END;

-- Everything of a run's that refers to a content: each foreign key to `blobs` is in here, but for that of `blob_parts`.
-- A new one has to be added, or sweeps remove what it refers to; a test holds this list to the keys that there are.
CREATE VIEW content_references AS
SELECT project_id, sha256, run_id, id AS artifact_id FROM artifacts WHERE sha256 IS NOT NULL
UNION ALL
SELECT project_id, sha256, run_id, NULL FROM logs WHERE sha256 IS NOT NULL
UNION ALL
SELECT project_id, sha256, run_id, NULL FROM log_chunks WHERE sha256 IS NOT NULL
UNION ALL
SELECT project_id, sha256, run_id, NULL FROM result_tables WHERE sha256 IS NOT NULL
UNION ALL
SELECT project_id, sha256, run_id, NULL FROM snapshot_files;

-- Whether a run names a content: as if the runs that were deleted before `trash` were gone, and the artifacts that
-- expire by `expired` had lost theirs. With times long ago: whether any does. In plpgsql, as are the next ones: a
-- session keeps its plans, and those of SQL functions are made anew for each content.
CREATE FUNCTION is_named_by_a_run(project uuid, content bytea, trash timestamptz, expired timestamptz)
RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM content_references c
        JOIN runs r ON r.id = c.run_id
        WHERE c.project_id = project AND c.sha256 = content
          AND (r.deleted_at IS NULL OR r.deleted_at >= trash)
          AND NOT EXISTS (
              SELECT FROM expiring_artifacts e WHERE e.artifact_id = c.artifact_id AND e.expires_at <= expired
          )
    );
END
$$;

-- Whether anything refers to a content.
CREATE FUNCTION is_referred_to(project uuid, content bytea) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (SELECT FROM blob_parts part WHERE part.project_id = project AND part.part_sha256 = content)
        OR is_named_by_a_run(project, content, 'epoch', 'epoch');
END
$$;

-- Whether a content is needed: a run names it, or it is a part of one that is needed or kept beyond `as_of`.
CREATE FUNCTION is_content_needed(
    project uuid, content bytea, as_of timestamptz, trash timestamptz, expired timestamptz
) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN is_named_by_a_run(project, content, trash, expired) OR EXISTS (
        SELECT FROM blob_parts part
        JOIN blobs whole ON whole.project_id = part.project_id AND whole.sha256 = part.sha256
        WHERE part.project_id = project AND part.part_sha256 = content
          AND (whole.kept_until >= as_of OR is_named_by_a_run(project, whole.sha256, trash, expired))
    );
END
$$;

-- Why a sweep would remove a content that is kept until `kept`: 0, because nothing needs it; 1, once the trash is
-- emptied; 2, once the rules of retention are applied too; NULL: it stays.
CREATE FUNCTION why_content_goes(
    project uuid, content bytea, kept timestamptz, as_of timestamptz, trash timestamptz, expired timestamptz
) RETURNS integer LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF kept >= as_of OR is_content_needed(project, content, as_of, trash, expired) THEN
        RETURN NULL;
    ELSIF NOT is_content_needed(project, content, as_of, 'epoch', 'epoch') THEN
        RETURN 0;
    ELSIF NOT is_content_needed(project, content, as_of, trash, 'epoch') THEN
        RETURN 1;
    END IF;
    RETURN 2;
END
$$;
