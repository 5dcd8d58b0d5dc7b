-- Sorting by a result asks for its place in the run as well: with it the index answers alone, and rows are read of the
-- runs that are shown.
CREATE INDEX results_value ON results (project_id, name_key, number, run_id, position);
DROP INDEX results_number;
