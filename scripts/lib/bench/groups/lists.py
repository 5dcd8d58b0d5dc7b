"""Projects of many runs: lists, filters, sorting and words through the API, beside MLflow's; and pages."""

from __future__ import annotations

import dataclasses
import json
import statistics
import time
import urllib.parse
from collections.abc import Callable, Iterator

from ..figures import Figure, figure, percentile
from ..mlflow import MlflowServer, mlflow_server
from ..processes import BenchError, say
from ..seeding import RESULTS, TAGS, seed, seed_mlflow
from ..server import Account, Server, served
from ..session import Bench
from . import pages, paint

LIST_RATIO = 20
# The runs that the goal is for.
COMPARED_RUNS = 100_000

LIMIT = 50
# Each of MLflow's workers makes itself ready with its first request, and which one answers is chance.
WARM_UP = 20

TITLE = "Projects of many runs, beside MLflow"
HOW = (
    f"One project of runs with {RESULTS} results and {TAGS} tags each, written into PostgreSQL directly, and the same "
    "runs in one experiment of MLflow, in the tables and with the columns that its own store writes; both are "
    f"vacuumed and analysed then. One reader asks the API of each for {LIMIT} runs, with all their results, again and "
    "again on new connections; the two take turns. A percentile is that of a round, and the figure the median of the "
    "rounds. Pages are asked for as a browser does, compressed; what is sent at the first visit has style, scripts and "
    "pictures in it, and no fonts. First paint is Chromium's `first-contentful-paint`, headless, from the beginning of "
    "the visit, with nothing kept from before; at a later visit style, fonts and scripts are kept. On disk counts the "
    "database with its indexes."
)


@dataclasses.dataclass(frozen=True)
class Ask:
    """A question to both servers."""

    what: str
    ours: dict[str, str]
    theirs: dict[str, object]


METRIC, ORDER = "metrics.metric_1 > 0.9", "metrics.metric_2"
ASKS = (
    Ask("newest", {}, {"order_by": ["attributes.start_time DESC"]}),
    Ask(
        "filtered by a result and a tag",
        {"query": f"{METRIC} tag:tag-3"},
        {"filter": f"{METRIC} and tags.`tag-3` = 'true'", "order_by": ["attributes.start_time DESC"]},
    ),
    Ask("sorted by a result", {"sort": f"-{ORDER}"}, {"order_by": [f"{ORDER} DESC"]}),
    Ask(
        "filtered and sorted",
        {"query": f"{METRIC} tag:tag-3", "sort": f"-{ORDER}"},
        {"filter": f"{METRIC} and tags.`tag-3` = 'true'", "order_by": [f"{ORDER} DESC"]},
    ),
    Ask(
        "words of a title",
        {"query": 'title:"Run 1742"'},
        {"filter": "attributes.run_name ILIKE '%Run 1742%'", "order_by": ["attributes.start_time DESC"]},
    ),
)


@dataclasses.dataclass(frozen=True)
class Latency:
    """What a round of requests took, in ms."""

    p50: float
    p95: float


def measure(bench: Bench) -> None:
    """All of it on one server, whose project grows."""
    try:
        with served(bench, "lists") as (server, account):
            empty_mb, already = server.database_mb(), 0
            for runs in bench.repetitions.list_sizes:
                seed(server, already, runs)
                already = runs
                bench.measure(f"lists of {runs:,} runs", lists, server, account, runs)
                bench.measure(f"pages of {runs:,} runs", pages.pages, server, account, runs)
                bench.measure(f"first paint of {runs:,} runs", paint.paints, server, account, runs)
                bench.measure(f"{runs:,} runs on disk", on_disk, server, runs, empty_mb)
                if runs == bench.repetitions.list_sizes[1]:
                    bench.measure(f"lists of {runs:,} runs, and MLflow's", beside_mlflow, server, account, runs)
    except BenchError as error:
        bench.broke("a server with a project", error)


def lists(bench: Bench, server: Server, account: Account, runs: int) -> Iterator[Figure]:
    """Each question to the server alone."""
    for ask in ASKS:
        rounds = [ours_of(bench, server, account, ask) for _ in range(bench.repetitions.list_rounds)]
        p50 = statistics.median(one.p50 for one in rounds)
        yield figure(f"{runs:,} runs, {ask.what}: p50 {p50:.1f} ms; p95", [one.p95 for one in rounds], "ms")


def beside_mlflow(bench: Bench, server: Server, account: Account, runs: int) -> Iterator[Figure]:
    """Each question to both, in turns; and what the records take on disk."""
    with mlflow_server(bench) as other:
        empty_mb = other.database_mb()
        seed_mlflow(other, runs)
        theirs_of(other, ASKS[0], WARM_UP)
        for ask in ASKS:
            yield from ask_both(bench, server, account, other, ask, runs)
        kilobytes = (other.database_mb() - empty_mb) * 1000 / runs
        yield figure(f"{runs:,} runs of MLflow on disk: each", [kilobytes], "kB")


def ask_both(
    bench: Bench, server: Server, account: Account, other: MlflowServer, ask: Ask, runs: int
) -> Iterator[Figure]:
    """Rounds of one question."""
    ours: list[Latency] = []
    theirs: list[Latency] = []
    for number in range(bench.repetitions.list_rounds):
        say(f"{runs:,} runs, {ask.what}, round {number + 1}")
        turns = [
            lambda: ours.append(ours_of(bench, server, account, ask)),
            lambda: theirs.append(theirs_of(other, ask, bench.repetitions.mlflow_list_requests)),
        ]
        for turn in turns if number % 2 == 0 else reversed(turns):
            turn()
    is_full = runs == COMPARED_RUNS
    for percent in ("p50", "p95"):
        ratios = [getattr(their, percent) / getattr(our, percent) for our, their in zip(ours, theirs)]
        name = f"{runs:,} runs, {ask.what}: MLflow / server, {percent}"
        yield figure(name, ratios, "x", at_least=LIST_RATIO, is_full=is_full)
        for who, latencies in (("server", ours), ("MLflow", theirs)):
            yield figure(f"  {who}, {percent}", [getattr(one, percent) for one in latencies], "ms")


def on_disk(bench: Bench, server: Server, runs: int, empty_mb: float) -> Iterator[Figure]:
    """What a run takes in the database."""
    kilobytes = (server.database_mb() - empty_mb) * 1000 / runs
    yield figure(f"{runs:,} runs on disk: each", [kilobytes], "kB")


def asked(ask: Callable[[], bytes], results: str, count: int) -> Latency:
    """So many requests one after the other. The first does not count; its runs must have all their results."""
    runs = json.loads(ask()).get("runs", [])
    if not runs or any(len(run.get("data", run)[results]) != RESULTS for run in runs):
        raise BenchError(f"{len(runs)} runs were found, or without their results")
    milliseconds = []
    for _ in range(count):
        began = time.perf_counter()
        ask()
        milliseconds.append((time.perf_counter() - began) * 1000)
    return Latency(statistics.median(milliseconds), percentile(milliseconds, 95))


def ours_of(bench: Bench, server: Server, account: Account, ask: Ask) -> Latency:
    """A round of one question to the server."""
    path = f"/v1/runs?{urllib.parse.urlencode({'limit': LIMIT, **ask.ours})}"
    headers = account.headers()
    return asked(lambda: server.expect("GET", path, headers=headers), "results", bench.repetitions.list_requests)


def theirs_of(server: MlflowServer, ask: Ask, count: int) -> Latency:
    """The same of MLflow."""
    path, headers = "/api/2.0/mlflow/runs/search", {"content-type": "application/json"}
    body = json.dumps({"experiment_ids": ["0"], "max_results": LIMIT, **ask.theirs})
    return asked(lambda: server.expect("POST", path, 200, body, headers), "metrics", count)
