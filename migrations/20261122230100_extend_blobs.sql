-- A content lies in an object, alone or among others, or is made of parts that are contents themselves.

ALTER TABLE blobs
    -- 'named': in an object that is called after its hash, as all once were.
    ADD COLUMN place        text NOT NULL DEFAULT 'named' CHECK (place IN ('named', 'object', 'parts')),
    ADD COLUMN object_id    uuid,
    -- From this byte of the object on.
    ADD COLUMN object_start bigint CHECK (object_start >= 0),
    -- Where its compressed frames end, counted from there; NULL where it is stored as it is.
    ADD COLUMN frames       integer[],
    ADD CHECK ((place = 'object') = (object_id IS NOT NULL)),
    ADD CHECK ((object_id IS NULL) = (object_start IS NULL)),
    ADD CHECK (frames IS NULL OR object_id IS NOT NULL);

ALTER TABLE blobs ALTER COLUMN place DROP DEFAULT;

-- Each part but the last is of the same length, 8 MiB.
CREATE TABLE blob_parts (
    project_id  uuid    NOT NULL,
    sha256      bytea   NOT NULL,
    position    integer NOT NULL CHECK (position >= 0),
    part_sha256 bytea   NOT NULL,
    PRIMARY KEY (project_id, sha256, position),
    FOREIGN KEY (project_id, sha256) REFERENCES blobs (project_id, sha256) ON DELETE CASCADE,
    FOREIGN KEY (project_id, part_sha256) REFERENCES blobs (project_id, sha256)
);

CREATE INDEX blob_parts_part ON blob_parts (project_id, part_sha256);
