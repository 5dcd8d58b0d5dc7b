"""Pages of a project with many runs: the list, filtered by a result and sorted by another, and a run's page. The group
`lists` has the project."""

from __future__ import annotations

import gzip
import re
import time
import urllib.parse
from collections.abc import Iterator, Mapping

from ..figures import Figure, figure, percentile
from ..processes import BenchError
from ..server import Account, Server
from ..session import Bench

# By the runs of the project.
LIST_P95_MS = {100_000: 50, 1_000_000: 150}
RUN_P95_MS = {100_000: 30}
# Fonts apart.
FIRST_VISIT_KB = 120
LATER_KB = 30

QUERY = urllib.parse.urlencode({"q": "metrics.metric_1 > 0.9 tag:tag-3", "sort": "-metrics.metric_2"})


def pages(bench: Bench, server: Server, account: Account, runs: int) -> Iterator[Figure]:
    """Each page asked for again and again, by one reader, with what a browser takes."""
    headers = {**server.sign_in(account), "accept-encoding": "gzip"}
    project = f"/projects/{account.project}"
    what = f"{runs:,} runs, the page"
    for name, path, goals in (
        ("filtered and sorted by results", f"{project}/runs?{QUERY}", LIST_P95_MS),
        ("of the newest", f"{project}/runs", LIST_P95_MS),
        ("of one run", f"{project}/runs/exp{runs // 2}", RUN_P95_MS),
    ):
        rounds = [loads(bench, server, path, headers) for _ in range(bench.repetitions.list_rounds)]
        yield figure(f"{what} {name}: p95", [percentile(one, 95) for one in rounds], "ms", at_most=goals.get(runs))
        page = server.expect("GET", path, headers=headers)
        first = len(page) + assets_of(server, page, headers)
        yield figure("  sent at the first visit", [first / 1000], "kB", at_most=FIRST_VISIT_KB)
        yield figure("  sent later", [len(page) / 1000], "kB", at_most=LATER_KB)


def loads(bench: Bench, server: Server, path: str, headers: Mapping[str, str]) -> list[float]:
    """Milliseconds of each load."""
    times = []
    for _ in range(bench.repetitions.list_requests):
        began = time.perf_counter()
        page = server.expect("GET", path, headers=headers)
        times.append((time.perf_counter() - began) * 1000)
        if b"<h1" not in gzip.decompress(page):
            raise BenchError(f"{path} is no page")
    return times


def assets_of(server: Server, page: bytes, headers: Mapping[str, str]) -> int:
    """The bytes of what the page names that a browser keeps: style, scripts and pictures."""
    found = set(re.findall(r'(?:src|href)="(/static/[^"#]+)"', gzip.decompress(page).decode()))
    return sum(len(server.expect("GET", one, headers=headers)) for one in found if "/fonts/" not in one)
