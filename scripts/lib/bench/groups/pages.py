"""Pages of a project with many runs: the list, filtered by a result and sorted by another, and a run's page."""

from __future__ import annotations

import gzip
import subprocess
import time
import urllib.parse
from collections.abc import Iterator, Mapping

from ..figures import Figure, figure
from ..processes import ROOT, BenchError, say
from ..server import Account, Server, served
from ..session import Bench

LIST_P95_MS = 50
RUN_P95_MS = 30
FIRST_VISIT_KB = 120

RESULTS = 20
# So many rows of results a statement writes: what its foreign keys check waits in memory until its end.
BATCH = 5_000
QUERY = urllib.parse.urlencode({"q": "metrics.metric_1 > 0.9 tag:tag-3", "sort": "-metrics.metric_2"})

# In the order in which runs are made; the values are spread evenly, and the same each time.
SEED_RUNS = """
INSERT INTO runs (id, project_id, number, title, intent, setup, command, status, tags, created_at, updated_at, started_at,
                  finished_at, duration_seconds, exit_code)
SELECT gen_random_uuid(), p.id, n, 'Run ' || n, 'Whether ' || n || ' is better', 'As run ' || n - 1,
       'python3 train.py --seed ' || n, CASE WHEN n % 10 = 0 THEN 'failed' ELSE 'completed' END,
       ARRAY(SELECT 'tag-' || (n + t * 7) % 40 FROM generate_series(0, 4) AS t),
       now() - make_interval(mins => {runs} - n), now(), now() - make_interval(mins => {runs} - n), now(), n % 3600, 0
FROM projects p, generate_series({first}, {last}) AS n;
"""

SEED_RESULTS = """
INSERT INTO results (run_id, project_id, position, kind, name, value, number)
SELECT r.id, r.project_id, m, 'scalar', 'metric_' || m, to_jsonb(v.value), v.value
FROM runs r, generate_series(0, {results} - 1) AS m,
     LATERAL (SELECT (r.number::bigint * (m + 7) * 7919 % 100003) / 100003.0::double precision AS value) AS v
WHERE r.number BETWEEN {first} AND {last};
"""


def measure(bench: Bench) -> None:
    """All of it on one server, whose PostgreSQL is filled directly."""
    try:
        with served(bench, "pages") as (server, account):
            bench.measure("pages of many runs", pages, server, account)
    except BenchError as error:
        bench.broke("a server with a project", error)


def pages(bench: Bench, server: Server, account: Account) -> Iterator[Figure]:
    """Each page asked for again and again, by one reader, with what a browser takes."""
    runs = bench.repetitions.listed_runs
    began = time.perf_counter()
    seed(server, runs)
    say(f"{runs:,} runs are there after {time.perf_counter() - began:.0f} s")
    headers = {**server.sign_in(account), "accept-encoding": "gzip"}
    project = f"/projects/{account.project}"
    requests = bench.repetitions.page_loads
    what = f"{runs:,} runs of {RESULTS} results"
    lists, size = loads(server, f"{project}/runs?{QUERY}", headers, requests)
    yield figure(f"{what}: list, filtered and sorted by results, p95", [p95(lists)], "ms", at_most=LIST_P95_MS)
    yield figure("  median", lists, "ms")
    yield figure("  over the wire, compressed", [size / 1000], "kB", at_most=FIRST_VISIT_KB)
    newest, _ = loads(server, f"{project}/runs", headers, requests)
    yield figure("  list of the newest, p95", [p95(newest)], "ms", at_most=LIST_P95_MS)
    page, size = loads(server, f"{project}/runs/exp{runs // 2}", headers, requests)
    yield figure(f"{what}: a run's page, p95", [p95(page)], "ms", at_most=RUN_P95_MS)
    yield figure("  over the wire, compressed", [size / 1000], "kB", at_most=FIRST_VISIT_KB)


def seed(server: Server, runs: int) -> None:
    """Writes the runs and their results, and has PostgreSQL look at them."""
    for first in range(1, runs + 1, BATCH):
        place = {"runs": runs, "results": RESULTS, "first": first, "last": min(first + BATCH - 1, runs)}
        sql(server, (SEED_RUNS + SEED_RESULTS).format(**place))
    sql(server, f"UPDATE projects SET last_run_number = {runs}; ANALYZE;")


def sql(server: Server, statements: str) -> None:
    """Has the server's own PostgreSQL do something."""
    binaries = subprocess.run([ROOT / "scripts/find-postgres"], check=True, capture_output=True, text=True, cwd=ROOT)
    argv = [f"{binaries.stdout.strip()}/psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-U", "otrace", "-d", "otrace"]
    argv += ["-h", str(server.data_dir / "postgres/run"), "-c", statements]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    if done.returncode:
        raise BenchError(f"psql: {done.stderr.strip()}")


def loads(server: Server, path: str, headers: Mapping[str, str], count: int) -> tuple[list[float], int]:
    """Milliseconds of each load, and how many bytes the page has."""
    times, size = [], 0
    for _ in range(count):
        began = time.perf_counter()
        page = server.expect("GET", path, headers=headers)
        times.append((time.perf_counter() - began) * 1000)
        size = len(page)
        if b"<h1" not in gzip.decompress(page):
            raise BenchError(f"{path} is no page")
    return times, size


def p95(times: list[float]) -> float:
    """What 95 of 100 stay below."""
    return sorted(times)[int(len(times) * 0.95)]
