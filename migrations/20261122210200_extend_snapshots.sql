-- What it takes to get a run's state back: more kinds of files, and what is known besides them.

ALTER TABLE snapshots
    -- How well, and why not better: the wire's `Rebuild`.
    ADD COLUMN rebuild  jsonb,
    -- Processors, memory, graphics cards: the wire's `Hardware`.
    ADD COLUMN hardware jsonb;

ALTER TABLE snapshot_files
    DROP CONSTRAINT snapshot_files_kind_check,
    ADD CONSTRAINT snapshot_files_kind_check
        CHECK (kind IN ('dirty_diff', 'staged_diff', 'git_bundle', 'untracked', 'dependency', 'packages'));
