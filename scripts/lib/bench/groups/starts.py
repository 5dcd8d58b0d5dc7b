"""How long the server takes to start, what it takes then, and the binaries' sizes."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator

from ..figures import Figure, figure
from ..server import Server
from ..session import Bench

COLD_START_SECONDS = 10
WARM_START_SECONDS = 1
IDLE_MEMORY_MB = 40
SERVER_BINARY_MB = 35

TITLE = "Starting"
HOW = (
    "From the start of the process until `/health/ready` answers 200, asked again every millisecond: on an empty data "
    "directory, where `initdb` and the migrations come first, and on one that is there. The binaries are as the "
    "profile dist makes them, with pages, style, scripts and documentation inside."
)


def measure(bench: Bench) -> None:
    """All of it, on one data directory."""
    bench.measure("cold start", cold_starts)
    bench.measure("warm start", warm_starts)
    bench.measure("size on disk", binary_sizes)


def cold_starts(bench: Bench) -> Iterator[Figure]:
    """From nothing, initdb and migrations included, to the first 200. The last one's data stays for the warm starts."""
    seconds = []
    for _ in range(bench.repetitions.cold_starts):
        data_dir = bench.work / "starts"
        shutil.rmtree(data_dir, ignore_errors=True)
        with Server(bench, data_dir) as server:
            seconds.append(server.seconds_to_ready)
    yield figure("cold start: exec, initdb ... first 200", seconds, "s", at_most=COLD_START_SECONDS)


def warm_starts(bench: Bench) -> Iterator[Figure]:
    """From exec to the first 200 on data that is there, and what the server takes a second later."""
    seconds, memory = [], []
    for _ in range(bench.repetitions.warm_starts):
        with Server(bench, bench.work / "starts") as server:
            seconds.append(server.seconds_to_ready)
            time.sleep(1)
            memory.append(server.memory_mb())
    yield figure("warm start: exec ... first 200", seconds, "s", at_most=WARM_START_SECONDS)
    yield figure("server, resident, after start", memory, "MB", at_most=IDLE_MEMORY_MB)


def binary_sizes(bench: Bench) -> Iterator[Figure]:
    """On disk, stripped as the profile dist does it."""
    for binary, goal in ((bench.server, SERVER_BINARY_MB), (bench.client, None)):
        yield figure(f"{binary.name}, release binary", [binary.stat().st_size / 1e6], "MB", at_most=goal)
