"""What recording a run costs on the machine where it happens: what `otrace run` adds to a command."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from ..client import Client, prepared_clients
from ..figures import Figure, figure
from ..server import Account, Server, measure_on_one
from ..session import Bench

RUN_OVERHEAD_MS = 30
HELP_MS = 10
LIST_MS = 50
LISTED_RUNS = 300

TITLE = "Recording a run"
HOW = (
    "Whole commands as people type them, timed by hyperfine, in a small git repository with a dependency file and a "
    "log; the time of `true` alone is taken off. The published client is `origami-trace` from PyPI, against the same "
    "server, in turns with ours."
)


def measure(bench: Bench) -> None:
    """All of it on one server."""
    measure_on_one(bench, "runs", ("otrace run", run_overhead), ("otrace at hand", at_hand))


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
