-- For sweeps: what lies in an object. In a file of its own, so that contents can be read while it is built: what changes
-- the table comes after it.

-- The ids of objects rise with time, so that new entries all go to the end of it.
CREATE INDEX blobs_object ON blobs (object_id) WHERE object_id IS NOT NULL;
