"""One large artifact: memory of both sides, throughput against `sha256sum` and `cp`, and what a second time sends."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shutil
import time
from collections.abc import Callable, Iterator

from ..client import Client, Cost, random_file
from ..figures import Figure, figure
from ..forwarder import Forwarder
from ..processes import BenchError, NotHere, need, room, run, say
from ..server import Account, Server, served
from ..session import Bench

ADDED_MEMORY_MB = 64
THROUGHPUT_RATIO = 0.6
SENT_AGAIN_KB = 100

# The size that the goals are for.
GIGABYTES = 10
PATH = "outputs/checkpoint.bin"
WITHIN = 1800

# The file, the copy of `cp` or in `.trace/`, and what the server has of it, twice while it is put together.
COPIES = 4

TITLE = "A large artifact"
HOW = (
    "`otrace run` with a file that can't be compressed and was never there before, until the server has it on its "
    "disk, against `sha256sum`, `cp` and `sync` of the same file, in turns. Memory is the highest resident set of each "
    "side above what it takes without the file; what is sent again is counted by a forwarder between the two."
)


@dataclasses.dataclass(frozen=True)
class Round:
    """What one file came to."""

    yardstick_seconds: float
    seconds: float
    client_mb: float
    server_mb: float
    again_seconds: float
    again_kb: float


def measure(bench: Bench) -> None:
    """All of it, with a fresh server for each file."""
    bench.measure("a large artifact", large_artifact)


def large_artifact(bench: Bench) -> Iterator[Figure]:
    """As many rounds as are wanted, and their figures."""
    gigabytes = min(bench.repetitions.artifact_gigabytes, int(room(bench.work) / COPIES))
    if gigabytes < 1:
        raise NotHere(f"{COPIES} GB of free disk are needed below {bench.work.parent}")
    need("sha256sum")
    rounds = []
    for number in range(bench.repetitions.artifact_rounds):
        say(f"an artifact of {gigabytes} GB, round {number + 1}")
        with served(bench, "artifacts") as (server, account):
            client = Client(bench, "artifacts", bench.client, server, account)
            client.prepare()
            random_file(client.workspace / PATH, gigabytes * 1_000_000_000)
            rounds.append(one_round(client, server, account, is_first_ours=number % 2 == 0))
            client.discard()
    yield from figures_of(gigabytes, rounds)


def figures_of(gigabytes: int, rounds: list[Round]) -> Iterator[Figure]:
    """What the rounds came to."""
    what, megabytes = f"{gigabytes} GB artifact", gigabytes * 1000
    is_full = gigabytes == GIGABYTES
    ratios = [one.yardstick_seconds / one.seconds for one in rounds]
    yield figure(f"{what}: otrace run / sha256sum + cp + sync", ratios, "x", at_least=THROUGHPUT_RATIO, is_full=is_full)
    yield figure("  otrace run", [megabytes / one.seconds for one in rounds], "MB/s")
    yield figure("  sha256sum + cp + sync", [megabytes / one.yardstick_seconds for one in rounds], "MB/s")
    for who, added in (("client", [one.client_mb for one in rounds]), ("server", [one.server_mb for one in rounds])):
        yield figure(f"{what}: {who}, added memory", added, "MB", at_most=ADDED_MEMORY_MB, is_full=is_full)
    sent = [one.again_kb for one in rounds]
    yield figure(f"{what}, again: bytes sent", sent, "kB", at_most=SENT_AGAIN_KB, is_full=is_full)
    yield figure("  took", [one.again_seconds for one in rounds], "s")


def one_round(client: Client, server: Server, account: Account, *, is_first_ours: bool) -> Round:
    """A new file: by hand and recorded, in this order or the other, and recorded once more."""
    file = client.workspace / PATH
    small = client.cost(client.recorded_true())
    results: dict[str, object] = {}
    turns: list[tuple[str, Callable[[], object]]] = [
        ("ours", lambda: recorded(client, server)),
        ("yardstick", lambda: by_hand(file)),
    ]
    for name, turn in turns if is_first_ours else reversed(turns):
        # What is still to be written for the one must not slow the other.
        os.sync()
        results[name] = turn()
    cost, server_mb = results["ours"]
    client.expect_all_sent()
    # Its copy is not needed any more, and would take the disk of the next one.
    shutil.rmtree(client.workspace / ".trace/artifacts", ignore_errors=True)
    again, sent = recorded_again(client, server)
    client.expect_all_sent()
    if server.sizes_of_outputs(account) != [file.stat().st_size]:
        raise BenchError("the server has not got the artifact")
    client_mb = cost.peak_memory_mb - small.peak_memory_mb
    return Round(results["yardstick"], cost.seconds, client_mb, server_mb, again.seconds, sent / 1000)


def by_hand(file: pathlib.Path) -> float:
    """Seconds to read, hash and write the file, until the copy is on the disk."""
    copy = file.with_name("copy.bin")
    began = time.perf_counter()
    run(["sha256sum", file], seconds=WITHIN)
    run(["cp", "--reflink=never", file, copy], seconds=WITHIN)
    run(["sync", copy], seconds=WITHIN)
    took = time.perf_counter() - began
    copy.unlink()
    return took


def recorded(client: Client, server: Server) -> tuple[Cost, float]:
    """What recording the file takes, and how much the server grew at most."""
    server.forget_peak()
    before = server.memory_mb()
    cost = client.cost(client.recorded_true("--expect-artifact", PATH), seconds=WITHIN)
    return cost, server.peak_memory_mb() - before


def recorded_again(client: Client, server: Server) -> tuple[Cost, int]:
    """The same file in another run, and how many bytes the client sent."""
    with Forwarder(server.port) as forwarder:
        argv = client.recorded_true("--expect-artifact", PATH)
        cost = client.cost(argv, seconds=WITHIN, TRACE_API_URL=forwarder.url)
        return cost, forwarder.sent()
