-- Words refer to their run by its id alone: only triggers write them, so they can't name another project. With both
-- columns, the check of the reference took any index that begins with the project while the table was new, and read all
-- runs of the project for each run that was created.
ALTER TABLE run_words
    DROP CONSTRAINT run_words_run_id_project_id_fkey,
    ADD FOREIGN KEY (run_id) REFERENCES runs (id) ON DELETE CASCADE;
