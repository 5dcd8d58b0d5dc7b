-- The configs of runs that are here already: servers read them in the background, those of the newest runs first. Apart
-- from the triggers, whose making keeps others from writing artifacts until its transaction ends.
INSERT INTO unread_configs (run_id, project_id)
SELECT DISTINCT run_id, project_id FROM artifacts WHERE kind = 'config' AND sha256 IS NOT NULL
ON CONFLICT (run_id) DO NOTHING;
