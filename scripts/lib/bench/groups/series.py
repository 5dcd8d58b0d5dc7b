"""Points of series: how fast they are taken and how fast a chart has them, against MLflow's client and server."""

from __future__ import annotations

import http.client
import json
import math
import threading
import time
from collections.abc import Callable, Iterator

from ..figures import Figure, figure
from ..mlflow import Mlflow, mlflow
from ..processes import COMMAND_WITHIN, BenchError, say
from ..server import Account, Server, served
from ..session import Bench

POINTS_RATIO = 100
TAKEN_SECONDS = 1
CHART_MS = 20

CLIENTS = 8
BATCH = 1000
SERIES_A_BATCH = 10
LONG_SERIES = 100_000
# The most that one request takes.
LONG_BATCH = 10_000
# Over so many series are many points spread.
MANY_SERIES = 100
CHART = "?points=1000"

TITLE = "Points of series, beside MLflow"
HOW = (
    f"{CLIENTS} clients send batches of {BATCH:,} points, each to a run of its own and each after the acknowledgement "
    "of the one before: ours as JSON over HTTP, MLflow's through its own client (`log_batch`) in a process each. The "
    "rate is over all clients; the two take turns. A chart is asked for through the API."
)


def measure(bench: Bench) -> None:
    """All of it. What MLflow is not needed for comes first, so that it is measured where MLflow is not."""
    try:
        with served(bench, "series") as (server, account):
            bench.measure("a long series", long_series, server, account)
            bench.measure("many points", many_points, server, account)
            bench.measure("batches of points, and MLflow's", batches, server, account)
    except BenchError as error:
        bench.broke("a server for series", error)


class Sender:
    """A connection that sends batches to one run, each after the last one's acknowledgement."""

    def __init__(self, server: Server, account: Account) -> None:
        self.path = f"/v1/runs/{server.create_run(account)}/series"
        self.headers = account.headers()
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=COMMAND_WITHIN)
        self.connection.connect()

    def send(self, body: bytes, taken: int) -> float:
        """Seconds until a batch is taken, after which the server must have so many points of the source."""
        began = time.perf_counter()
        self.connection.request("POST", self.path, body, self.headers)
        response = self.connection.getresponse()
        answer = response.read()
        took = time.perf_counter() - began
        if response.status != 200 or json.loads(answer)["next"]["bench"] != taken:
            raise BenchError(f"POST {self.path}: {response.status} {answer[:200].decode(errors='replace')}")
        return took


def body(first: int, points: Iterator[tuple[str, int]]) -> bytes:
    """A request with one batch: the steps of these series, from this point of the source on."""
    now = time.time()
    written = ",".join(
        f'{{"name":"{name}","step":{step},"time":{now:.3f},"value":{math.exp(-step / 1e4)!r}}}' for name, step in points
    )
    return f'{{"batches":[{{"source":"bench","first":{first},"points":[{written}]}}]}}'.encode()


# --- Batches from many clients ---


def batches(bench: Bench, server: Server, account: Account) -> Iterator[Figure]:
    """Eight clients, each with a run of its own: ours and MLflow's in turns."""
    ours, theirs = [], []
    each = bench.repetitions.mlflow_batches_a_client
    with mlflow(bench) as other:
        for number in range(bench.repetitions.batch_rounds):
            say(f"batches of {BATCH:,} points, round {number + 1}")
            ours.append(points_a_second(server, account, bench.repetitions.batches_a_client))
            told = other.ask(do="batches", clients=CLIENTS, each=each)
            theirs.append(told["points"] / told["seconds"])
        ratios = [our / their for our, their in zip(ours, theirs)]
        what = f"{BATCH:,} points a batch, {CLIENTS} clients"
        yield figure(f"{what}: server / MLflow", ratios, "x", at_least=POINTS_RATIO)
        yield figure("  server, points", ours, "/s")
        yield figure("  MLflow, points", theirs, "/s")
        yield from history_of_mlflow(bench, other)


def history_of_mlflow(bench: Bench, other: Mlflow) -> Iterator[Figure]:
    """What MLflow takes for a long series, once."""
    say("a long series with MLflow")
    told = other.ask(do="history", points=bench.repetitions.mlflow_history_points)
    what = f"MLflow, {told['points']:,} points in one series"
    yield figure(f"{what}: taken", [told["taken"]], "s")
    yield figure("  its history, which its charts read", [told["read"]], "s")


def points_a_second(server: Server, account: Account, each: int) -> float:
    """What all clients together come to, from the first request to the last acknowledgement."""
    steps = BATCH // SERIES_A_BATCH
    bodies = [
        body(
            number * BATCH,
            (
                (f"train/loss_{name}", step)
                for name in range(SERIES_A_BATCH)
                for step in range(number * steps, (number + 1) * steps)
            ),
        )
        for number in range(each)
    ]
    senders = [Sender(server, account) for _ in range(CLIENTS)]
    failures: list[Exception] = []
    ready = threading.Barrier(CLIENTS + 1)

    def work(sender: Sender) -> None:
        ready.wait()
        try:
            for number, one in enumerate(bodies):
                sender.send(one, (number + 1) * BATCH)
        except (BenchError, OSError, http.client.HTTPException) as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(sender,), daemon=True) for sender in senders]
    for thread in threads:
        thread.start()
    ready.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    if failures:
        raise BenchError(str(failures[0]))
    return CLIENTS * each * BATCH / took


# --- Long series, many points ---


def long_series(bench: Bench, server: Server, account: Account) -> Iterator[Figure]:
    """One series of 100,000 points, and its chart."""
    taken, charts = [], []
    for _ in range(bench.repetitions.batch_rounds):
        sender = Sender(server, account)
        bodies = [
            body(first, (("loss", step) for step in range(first, first + LONG_BATCH)))
            for first in range(0, LONG_SERIES, LONG_BATCH)
        ]
        taken.append(sum(sender.send(one, (number + 1) * LONG_BATCH) for number, one in enumerate(bodies)))
        charts += chart_times(bench, server, account, f"{sender.path}/loss{CHART}")
    what = f"{LONG_SERIES:,} points in one series"
    yield figure(f"{what}: taken", taken, "s", at_most=TAKEN_SECONDS)
    yield figure(f"{what}: chart of 1,000", charts, "ms", at_most=CHART_MS)


def many_points(bench: Bench, server: Server, account: Account) -> Iterator[Figure]:
    """As many as a long training writes, over a hundred series: whether its run stays usable."""
    count = bench.repetitions.many_points
    sender = Sender(server, account)
    steps = LONG_BATCH // MANY_SERIES
    names = [f"layer_{number:02}/loss" for number in range(MANY_SERIES)]
    seconds = 0.0
    for first in range(0, count, LONG_BATCH):
        step = first // MANY_SERIES
        one = body(first, ((name, at) for name in names for at in range(step, step + steps)))
        seconds += sender.send(one, first + LONG_BATCH)
    run = server.newest_run(account)
    cookie = server.sign_in(account)
    what = f"{count / 1e6:.0f} million points in one run"
    yield figure(f"{what}: taken", [seconds], "s")
    yield figure("  chart of one series", chart_times(bench, server, account, f"{sender.path}/{names[0]}{CHART}"), "ms")
    page = f"/projects/{account.project}/runs/{run}/metrics"
    yield figure("  Metrics page", times(bench, lambda: server.expect("GET", page, headers=cookie)), "ms")


def chart_times(bench: Bench, server: Server, account: Account, path: str) -> list[float]:
    """Milliseconds of requests for a chart, which must have about as many points as were asked for."""
    found = len(json.loads(server.expect("GET", path, headers=account.headers()))["points"])
    if not 100 <= found <= 1000:
        raise BenchError(f"GET {path} has {found} points")
    return times(bench, lambda: server.expect("GET", path, headers=account.headers()))


def times(bench: Bench, ask: Callable[[], object]) -> list[float]:
    """Milliseconds of a request, repeated."""
    milliseconds = []
    for _ in range(bench.repetitions.chart_requests):
        began = time.perf_counter()
        ask()
        milliseconds.append((time.perf_counter() - began) * 1000)
    return milliseconds
