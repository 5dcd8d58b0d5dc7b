"""Thousands of idle and slow connections: whether others are served as before."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
from collections.abc import Iterator

from ..figures import Figure, figure
from ..processes import BenchError, end_group, environment, say
from ..server import Account, Server, served
from ..session import Bench
from ..wrk import Load, headers_of, load
from .streams import allow_open_files

# As before is within a tenth and the noise of the machine.
SLOWED_RATIO = 1.2
# So many the goal is for.
CONNECTIONS = 2000

READERS = 8
RUNS = 300
PATH = "/v1/runs?limit=50"
SLOW_CLIENTS = pathlib.Path(__file__).parents[1] / "slow_clients.py"
ENDED_WITHIN = 30

TITLE = "Idle and slow connections"
HOW = (
    f"{READERS} readers ask for a list of runs as fast as they are answered (wrk), with and without {CONNECTIONS:,} "
    "other connections, in turns. A quarter of those each say nothing, send the head of a request or the body of one "
    "at a byte a second, or were answered once and stay. They come from 200 addresses, and one that the server closes "
    "comes again within a second."
)


def measure(bench: Bench) -> None:
    """All of it on one server."""
    try:
        allow_open_files(CONNECTIONS + 200)
        with served(bench, "connections") as (server, account):
            bench.measure("idle and slow connections", slow_connections, server, account)
    except BenchError as error:
        bench.broke("a server with a project", error)


def slow_connections(bench: Bench, server: Server, account: Account) -> Iterator[Figure]:
    """Readers alone and beside the others, in turns."""
    for _ in range(RUNS):
        server.create_run(account)
    count = bench.repetitions.connections
    alone, beside, opened = [], [], 0
    # It makes itself ready for readers, and so does PostgreSQL.
    read(bench, server, account)
    before = server.memory_mb()
    memory = []
    for number in range(bench.repetitions.load_rounds):
        say(f"{count:,} idle and slow connections, round {number + 1}")
        alone.append(read(bench, server, account))
        with SlowClients(server, account, count) as clients:
            beside.append(read(bench, server, account))
            memory.append((server.memory_mb() - before) * 1000 / count)
        opened = max(opened, clients.told["opened"])
        if clients.told["open"] < count:
            raise BenchError(f"only {clients.told['open']} of {count} connections were open at the end")
    ratios = [one.p95_ms / other.p95_ms for one, other in zip(beside, alone)]
    what = f"{count:,} idle and slow connections"
    is_full = count == CONNECTIONS
    yield figure(f"{what}: p95 beside them / alone", ratios, "x", at_most=SLOWED_RATIO, is_full=is_full)
    for who, loads in (("alone", alone), ("beside them", beside)):
        yield figure(f"  {who}: p95", [one.p95_ms for one in loads], "ms")
        yield figure(f"  {who}: requests", [one.per_second for one in loads], "/s")
    yield figure(f"  each: memory of the server ({opened:,} opened in all)", memory, "kB")


def read(bench: Bench, server: Server, account: Account) -> Load:
    """What the readers come to."""
    script = headers_of(account.headers())
    return load(bench, server, script, PATH, READERS, bench.repetitions.connection_seconds)


class SlowClients:
    """The others, in a process of their own; `with` opens and closes them."""

    def __init__(self, server: Server, account: Account, count: int) -> None:
        self.argv = [sys.executable, str(SLOW_CLIENTS), str(server.port), str(count)]
        self.environment = environment(BENCH_KEY=account.key)
        self.process: subprocess.Popen | None = None
        self.told: dict[str, int] = {}

    def __enter__(self) -> SlowClients:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            self.argv, env=self.environment, stdin=pipe, stdout=pipe, text=True, start_new_session=True
        )
        if self.process.stdout.readline().strip() != "open":
            end_group(self.process)
            raise BenchError("the slow connections could not be opened")
        return self

    def __exit__(self, *_: object) -> None:
        try:
            answer, _ = self.process.communicate(timeout=ENDED_WITHIN)
            self.told = json.loads(answer)
        except (subprocess.TimeoutExpired, ValueError):
            raise BenchError("the slow connections broke off") from None
        finally:
            end_group(self.process)
