"""Creating runs: the server against a bare handler with one INSERT, in the same PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterator

from ..figures import Figure, figure
from ..processes import say
from ..server import NEW_RUN, Account, BareInsert, Server, served
from ..session import Bench
from ..wrk import Load, headers_of, load
from .load import latency

CREATION_RATIO = 0.5

CONNECTIONS = (1, 16, 64)

TITLE = "Creating runs, beside a bare handler"
HOW = (
    "wrk creates runs at the server, and at the barest axum handler that writes the same row with one INSERT into the "
    "same PostgreSQL (`bench/src/main.rs`): no key, no check, no index but the primary key. The two take turns."
)

PATH = "/v1/runs"


def measure(bench: Bench) -> None:
    """All of it on one server."""
    bench.measure("creating runs", run_creation)


def run_creation(bench: Bench) -> Iterator[Figure]:
    """POST /v1/runs against the bare handler, in turns."""
    with served(bench, "creation") as (server, account), BareInsert(bench, server) as bare:
        script = script_for(account)
        for service in (server, bare):
            load(bench, service, script, PATH, 16, 3)
        for connections in CONNECTIONS:
            yield from run_creation_at(bench, server, bare, script, connections)


def script_for(account: Account) -> str:
    """What wrk sends."""
    return f'wrk.method = "POST"\nwrk.body = [==[{json.dumps(NEW_RUN)}]==]\n{headers_of(account.headers())}'


def run_creation_at(
    bench: Bench, server: Server, bare: BareInsert, script: str, connections: int
) -> Iterator[Figure]:
    """The same with one number of connections."""
    ours: list[Load] = []
    bares: list[Load] = []
    turns = [(server, ours), (bare, bares)]
    for number in range(bench.repetitions.load_rounds):
        say(f"creating runs: {connections} at once, round {number + 1}")
        # Who goes first changes, so that what a round leaves behind hits both.
        for service, loads in turns if number % 2 == 0 else reversed(turns):
            loads.append(load(bench, service, script, PATH, connections, bench.repetitions.load_seconds))
    ratios = [our.per_second / its.per_second for our, its in zip(ours, bares)]
    yield figure(f"creating runs, {connections} at once: server / bare", ratios, "x", at_least=CREATION_RATIO)
    for who, loads in (("server", ours), ("bare handler", bares)):
        yield figure(f"  {who}: {latency(loads)}", [load.per_second for load in loads], "/s")
