"""Many runs, written into the databases directly: the same into ours and MLflow's, with the same names and values."""

from __future__ import annotations

import time

from .mlflow import MlflowServer
from .processes import say
from .server import Server

RESULTS = 20
TAGS = 5

# So many runs a statement: what it has to check waits in memory until its end.
BATCH = 10_000

# In the order in which runs are made; the values are spread evenly, and the same each time.
VALUE = "(n::bigint * (m + 7) * 7919 % 100003) / 100003.0::double precision"
# When a run was made, in ms: one a minute.
CREATED = "(1764000000000 + n::bigint * 60000)"

# Ids begin with a time, as the server's do.
RUNS = f"""
INSERT INTO runs (id, project_id, number, title, intent, setup, command, status, tags, created_at, updated_at,
                  started_at, finished_at, duration_seconds, exit_code)
SELECT (lpad(to_hex({CREATED}), 12, '0') || '7' || left(md5(n::text), 3) || '8' || right(md5(n::text), 15))::uuid,
       p.id, n, 'Run ' || n, 'Whether ' || n || ' is better', 'As run ' || n - 1, 'python3 train.py --seed ' || n,
       CASE WHEN n % 10 = 0 THEN 'failed' ELSE 'completed' END,
       ARRAY(SELECT 'tag-' || (n + t * 7) % 40 FROM generate_series(0, {TAGS - 1}) AS t),
       made.at, made.at, made.at, made.at + make_interval(secs => n % 3600), n % 3600, 0
FROM projects p, generate_series({{first}}, {{last}}) AS n,
     LATERAL (SELECT to_timestamp({CREATED} / 1000.0) AS at) AS made;
"""

# Without the check of each row's foreign key, which takes as long as all the rest.
RESULTS_OF_RUNS = f"""
SET session_replication_role = replica;
INSERT INTO results (run_id, project_id, position, kind, name, value, number)
SELECT r.id, r.project_id, m, 'scalar', 'metric_' || m, to_jsonb(v.value), v.value
FROM runs r, LATERAL (SELECT r.number AS n) AS its, generate_series(0, {RESULTS - 1}) AS m,
     LATERAL (SELECT {VALUE} AS value) AS v
WHERE r.number BETWEEN {{first}} AND {{last}};
RESET session_replication_role;
"""

OF_MLFLOW = f"""
SET session_replication_role = replica;
INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, end_time,
                  source_version, lifecycle_stage, artifact_uri, experiment_id)
SELECT md5('run' || n), 'Run ' || n, 'UNKNOWN', '', '', '', CASE WHEN n % 10 = 0 THEN 'FAILED' ELSE 'FINISHED' END,
       {CREATED}, {CREATED} + n % 3600 * 1000, '', 'active',
       'mlflow-artifacts:/0/' || md5('run' || n) || '/artifacts', 0
FROM generate_series({{first}}, {{last}}) AS n;
INSERT INTO tags (key, value, run_uuid)
SELECT 'mlflow.runName', 'Run ' || n, md5('run' || n) FROM generate_series({{first}}, {{last}}) AS n
UNION ALL
SELECT 'tag-' || (n + t * 7) % 40, 'true', md5('run' || n)
FROM generate_series({{first}}, {{last}}) AS n, generate_series(0, {TAGS - 1}) AS t;
INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid)
SELECT 'metric_' || m, {VALUE}, {CREATED}, 0, false, md5('run' || n)
FROM generate_series({{first}}, {{last}}) AS n, generate_series(0, {RESULTS - 1}) AS m;
INSERT INTO metrics (key, value, timestamp, step, is_nan, run_uuid)
SELECT 'metric_' || m, {VALUE}, {CREATED}, 0, false, md5('run' || n)
FROM generate_series({{first}}, {{last}}) AS n, generate_series(0, {RESULTS - 1}) AS m;
RESET session_replication_role;
"""


def seed(server: Server, already: int, runs: int) -> None:
    """Lets the server's only project grow from so many runs to so many."""
    write(server, RUNS + RESULTS_OF_RUNS, already, runs)
    server.sql(f"UPDATE projects SET last_run_number = {runs}")


def seed_mlflow(server: MlflowServer, runs: int) -> None:
    """Writes as many runs into MLflow's first experiment, with what its own store writes of them."""
    write(server, OF_MLFLOW, 0, runs)


def write(server: Server | MlflowServer, statements: str, already: int, runs: int) -> None:
    """Writes runs part by part, and has PostgreSQL look at what it has."""
    began = time.perf_counter()
    for first in range(already + 1, runs + 1, BATCH):
        server.sql(statements.format(first=first, last=min(first + BATCH - 1, runs)))
    server.sql("VACUUM ANALYZE")
    server.sql("CHECKPOINT")
    say(f"{server.name()}: {runs:,} runs are there after {time.perf_counter() - began:.0f} s")
