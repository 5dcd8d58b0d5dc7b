-- Which notes are what was learned: the notebook and the insights page ask for these alone.

-- The tag is a word of its own, in letters of any case. `otrace_history::notebook::is_insight` says the same, with the
-- same characters.
ALTER TABLE notes ADD COLUMN is_insight boolean NOT NULL GENERATED ALWAYS AS (
    body ~ '(^|[^A-Za-z0-9_#/&-])#[iI][nN][sS][iI][gG][hH][tT]($|[^A-Za-z0-9_-])'
) STORED;

CREATE INDEX notes_insights ON notes (project_id, created_at, id) WHERE is_insight;
