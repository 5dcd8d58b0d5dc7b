"""What recording a run costs: memory of the idle server, what `otrace run` adds to a command, creating runs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from ..client import Client
from ..figures import Figure, figure
from ..processes import ROOT, BenchError, say
from ..server import Account, Server, served
from ..session import Bench
from . import creation
from .starts import IDLE_MEMORY_MB

PUBLISHED_CLIENT = ROOT / "target/published-client/bin/otrace"

RUN_OVERHEAD_MS = 30
HELP_MS = 10
LIST_MS = 50
LISTED_RUNS = 300


def measure(bench: Bench) -> None:
    """All of it on one server, in an order in which none spoils the next."""
    try:
        with served(bench, "runs") as (server, account):
            bench.measure("idle memory", idle_memory, server, account)
            bench.measure("otrace run", run_overhead, server, account)
            # Before the project has more runs than anybody lists.
            bench.measure("otrace at hand", at_hand, server, account)
            bench.measure("creating runs", creation.run_creation, server, account)
            # Last, because it is what may leave the most behind.
            bench.measure("memory after sign-ins", memory_after_sign_ins, server, account)
    except BenchError as error:
        bench.broke("a server with a project", error)


def idle_memory(bench: Bench, server: Server, account: Account) -> Iterator[Figure]:
    """What the server takes when it is left alone after some work."""
    memory, postgres = [], []
    for _ in range(bench.repetitions.idle_rounds):
        for _ in range(25):
            for path in ("/signin", "/v1/auth/whoami", "/v1/runs/count"):
                server.expect("GET", path, headers=account.headers())
            server.create_run(account)
        time.sleep(5)
        memory.append(server.memory_mb())
        postgres.append(server.postgres_memory_mb())
    yield figure("server, resident, 5 s after 100 requests", memory, "MB", at_most=IDLE_MEMORY_MB)
    yield figure("its PostgreSQL, sum of PSS, then", postgres, "MB")


def memory_after_sign_ins(bench: Bench, server: Server, account: Account) -> Iterator[Figure]:
    """Hashing a password takes 19 MiB or more for a moment; this is what stays of it."""
    for _ in range(10):
        server.sign_in(account)
    time.sleep(5)
    yield figure("server, resident, 5 s after 10 sign-ins", [server.memory_mb()], "MB")


def run_overhead(bench: Bench, server: Server, account: Account) -> Iterator[Figure]:
    """`otrace run ... -- true` minus `true` alone, for both clients in turns, and where the time of ours goes."""
    ours, *others = prepared_clients(bench, server, account)
    # Elsewhere, because the next run in a workspace sends what is unsent there.
    offline = Client(bench, "offline", bench.client, server, account)
    offline.prepare()
    measured = [
        (ours, "otrace run -- true, minus true", ours.recorded_true()),
        (offline, "  of that, without a server (--offline)", offline.recorded_true("--offline")),
        (ours, "  of that, until otrace runs at all (--version)", [str(ours.binary), "--version"]),
    ]
    measured += [(other, f"{other.name} run -- true, minus true", other.recorded_true()) for other in others]
    added: dict[str, list[float]] = {name: [] for _, name, _ in measured}
    for _ in range(bench.repetitions.run_rounds):
        for client, name, command in measured:
            alone, whole = client.times([["true"], command], bench.repetitions.runs_a_round)
            added[name] += [(seconds - statistics.median(alone)) * 1000 for seconds in whole]
    for number, (name, milliseconds) in enumerate(added.items()):
        yield figure(name, milliseconds, "ms", at_most=RUN_OVERHEAD_MS if number == 0 else None)
    for client in (ours, *others):
        memory = [client.cost(client.recorded_true()).peak_memory_mb for _ in range(bench.repetitions.memory_runs)]
        yield figure(f"{client.name} run -- true, peak resident", memory, "MB")


def at_hand(bench: Bench, server: Server, account: Account) -> Iterator[Figure]:
    """What people wait for at the prompt: the help, and the list of a project that has some runs."""
    client = Client(bench, "at hand", bench.client, server, account)
    client.prepare()
    for _ in range(LISTED_RUNS):
        server.create_run(account)
    commands = [[str(client.binary), "--help"], [str(client.binary), "runs"]]
    help_seconds, list_seconds = client.times(commands, bench.repetitions.runs_a_round)
    yield figure("otrace --help", [seconds * 1000 for seconds in help_seconds], "ms", at_most=HELP_MS)
    name = f"otrace runs, in a project of {LISTED_RUNS} runs or more"
    yield figure(name, [seconds * 1000 for seconds in list_seconds], "ms", at_most=LIST_MS)


def prepared_clients(bench: Bench, server: Server, account: Account) -> list[Client]:
    """Ours, and the published one where it is installed and works."""
    ours = Client(bench, "otrace", bench.client, server, account)
    ours.prepare()
    if not PUBLISHED_CLIENT.exists():
        say("the published client is not installed (scripts/setup test does it): measuring without it")
        return [ours]
    published = Client(bench, "published client", PUBLISHED_CLIENT, server, account)
    try:
        published.prepare()
    except BenchError as error:
        say(f"the published client does not work here: measuring without it. {error}")
        return [ours]
    return [ours, published]
