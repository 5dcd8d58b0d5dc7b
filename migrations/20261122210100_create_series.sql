-- Series: named values over steps, such as a loss. Points are never a row each: the newest wait in `series_tails` as
-- they came, a block a request; `series_chunks` has all older ones, a block for up to 2,048 points of one series.

-- What the writers of a run's series lock, one at a time, and what they count.
CREATE TABLE run_series (
    run_id       uuid    PRIMARY KEY,
    project_id   uuid    NOT NULL,
    name_count   integer NOT NULL DEFAULT 0 CHECK (name_count >= 0),
    source_count integer NOT NULL DEFAULT 0 CHECK (source_count >= 0),
    -- How many points are in series_tails.
    tail_points  integer NOT NULL DEFAULT 0 CHECK (tail_points >= 0),
    FOREIGN KEY (run_id, project_id) REFERENCES runs (id, project_id) ON DELETE CASCADE
);

-- What points are read from, such as files, and how many of its points are here: what comes again is passed over.
CREATE TABLE series_sources (
    run_id     uuid   NOT NULL,
    project_id uuid   NOT NULL,
    source     text   NOT NULL CHECK (octet_length(source) BETWEEN 1 AND 255),
    next_index bigint NOT NULL CHECK (next_index >= 0),
    PRIMARY KEY (run_id, source),
    FOREIGN KEY (run_id, project_id) REFERENCES runs (id, project_id) ON DELETE CASCADE
);

-- The columns tell of the points in series_chunks; those in series_tails are added when they are read.
CREATE TABLE series (
    run_id      uuid             NOT NULL,
    project_id  uuid             NOT NULL,
    name        text             NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 255),
    point_count bigint           NOT NULL DEFAULT 0 CHECK (point_count >= 0),
    not_finite  bigint           NOT NULL DEFAULT 0,
    last_step   bigint,
    last_time   double precision,
    last_value  double precision,
    -- Of the finite values.
    lowest      double precision,
    highest     double precision,
    PRIMARY KEY (run_id, name),
    FOREIGN KEY (run_id, project_id) REFERENCES runs (id, project_id) ON DELETE CASCADE
);

CREATE TABLE series_tails (
    run_id     uuid   NOT NULL,
    project_id uuid   NOT NULL,
    number     bigint GENERATED ALWAYS AS IDENTITY,
    points     bytea  NOT NULL,
    PRIMARY KEY (run_id, number),
    FOREIGN KEY (run_id, project_id) REFERENCES runs (id, project_id) ON DELETE CASCADE
);

CREATE TABLE series_chunks (
    run_id      uuid    NOT NULL,
    project_id  uuid    NOT NULL,
    name        text    NOT NULL,
    -- From 0. Only the last one of a series is not full; it is replaced when it grows.
    number      integer NOT NULL CHECK (number >= 0),
    point_count integer NOT NULL CHECK (point_count BETWEEN 1 AND 2048),
    points      bytea   NOT NULL CHECK (octet_length(points) <= 65536),
    -- Some of the points, the extremes among them: what a chart of a long series is drawn from.
    summary     bytea   NOT NULL CHECK (octet_length(summary) <= 4096),
    PRIMARY KEY (run_id, name, number),
    FOREIGN KEY (run_id, project_id) REFERENCES runs (id, project_id) ON DELETE CASCADE
);

-- They are compressed already; and the points lie apart, so that summaries are read without them.
ALTER TABLE series_tails ALTER COLUMN points SET STORAGE EXTERNAL;
ALTER TABLE series_chunks ALTER COLUMN points SET STORAGE EXTERNAL;
