-- Of a run's first series some values each, which the list of runs draws as a curve (`domain/series/spark`). They stand in
-- the row that a writer of points locks and updates anyway, and in it: the list reads them without anything beside.
-- Series that were there before have none until they grow.
ALTER TABLE run_series ADD COLUMN sparks bytea NOT NULL DEFAULT '' CHECK (octet_length(sparks) <= 4096);
ALTER TABLE run_series ALTER COLUMN sparks SET STORAGE PLAIN;
