"""One small artifact and a thousand, durable before they are acknowledged, against MLflow's proxy and the published
client."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator

from ..client import Client, prepared_clients
from ..figures import Figure, figure
from ..mlflow import Mlflow, mlflow
from ..processes import BenchError, need, run, say
from ..server import Account, Server, served
from ..session import Bench

FILES_RATIO = 5

FILES = 1000
# With a thousand of them it takes minutes.
PUBLISHED_FILES = 100
FILE_BYTES = 10_000
FOLDER = "outputs/files"
WITHIN = 600

TITLE = "Small artifacts, beside MLflow"
HOW = (
    "New files of 10 kB in each round. For us and the published client the whole `otrace run … -- true` counts, "
    "until the server has everything on its disk; for MLflow the calls of its own client, in a process that has "
    "imported it, through its proxy, which does not sync. `sha256sum`, `cp` and `sync` of the same files, each synced "
    "by itself, are what is done by hand."
)


def measure(bench: Bench) -> None:
    """All of it, with both servers running."""
    bench.measure("small artifacts", small_artifacts)


def small_artifacts(bench: Bench) -> Iterator[Figure]:
    """One and many, with all clients in turns."""
    with mlflow(bench) as other, served(bench, "files") as (server, account):
        clients = prepared_clients(bench, server, account)
        yield from one_artifact(bench, clients, other, server, account)
        yield from many_artifacts(bench, clients, other, server, account)


def one_artifact(
    bench: Bench, clients: list[Client], other: Mlflow, server: Server, account: Account
) -> Iterator[Figure]:
    """A run with one file, from beginning to end."""
    say("one artifact")
    times: dict[str, list[float]] = {client.name: [] for client in clients}
    theirs = []
    for number in range(bench.repetitions.single_artifacts + 1):
        for client in clients:
            write_files(client, 1)
            took = with_client(client, server, account, 1)
            if number > 0:
                times[client.name].append(took * 1000)
        took = with_mlflow(clients[0], other, "artifact", 1)
        if number > 0:
            theirs.append(took * 1000)
    for name, milliseconds in times.items():
        yield figure(f"a run with one artifact of 10 kB: {name} run", milliseconds, "ms")
    yield figure("  MLflow's client: create_run, log_artifact, set_terminated", theirs, "ms")


def many_artifacts(
    bench: Bench, clients: list[Client], other: Mlflow, server: Server, account: Account
) -> Iterator[Figure]:
    """A thousand of them. Who goes first changes."""
    ours, theirs, by_hand = [], [], []
    client = clients[0]
    turns = [
        (ours, lambda: with_client(client, server, account, FILES)),
        (theirs, lambda: with_mlflow(client, other, "artifacts", FILES)),
        (by_hand, lambda: copied_by_hand(client)),
    ]
    for number in range(bench.repetitions.file_rounds):
        say(f"{FILES:,} artifacts, round {number + 1}")
        write_files(client, FILES)
        for kept, turn in turns if number % 2 == 0 else reversed(turns):
            # What is still to be written for the one must not slow the other.
            os.sync()
            kept.append(FILES / turn())
    ratios = [our / their for our, their in zip(ours, theirs)]
    yield figure(f"{FILES:,} artifacts of 10 kB: otrace run / MLflow", ratios, "x", at_least=FILES_RATIO)
    yield figure("  otrace run, durable", ours, "/s")
    yield figure("  MLflow's log_artifacts, not synced", theirs, "/s")
    yield figure("  sha256sum + cp + sync", by_hand, "/s")
    for published in clients[1:]:
        write_files(published, PUBLISHED_FILES)
        took = with_client(published, server, account, PUBLISHED_FILES)
        yield figure(f"  {published.name} run, with {PUBLISHED_FILES} of them", [PUBLISHED_FILES / took], "/s")


def write_files(client: Client, count: int) -> None:
    """Contents that were never there before."""
    folder = client.workspace / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number in range(count):
        (folder / f"{number:04}.bin").write_bytes(os.urandom(FILE_BYTES))
    os.sync()


def with_client(client: Client, server: Server, account: Account, count: int) -> float:
    """Seconds of a run that leaves them behind."""
    began = time.perf_counter()
    # The published client knows patterns, and no folders.
    client.run(client.recorded_true("--expect-artifact", f"{FOLDER}/*.bin"), seconds=WITHIN)
    took = time.perf_counter() - began
    client.expect_all_sent()
    found = len(server.sizes_of_outputs(account))
    if found != count:
        raise BenchError(f"the server has {found} artifacts of {client.name} instead of {count}")
    return took


def with_mlflow(client: Client, other: Mlflow, do: str, count: int) -> float:
    """Seconds of MLflow's client for the same files."""
    folder = client.workspace / FOLDER
    told = other.ask(do=do, folder=str(folder), file=str(folder / "0000.bin"))
    if told["files"] != count:
        raise BenchError(f"MLflow has {told['files']} artifacts instead of {count}")
    return told["seconds"]


def copied_by_hand(client: Client) -> float:
    """Seconds to read, hash and write the files, until the copies are on the disk."""
    folder, copy = client.workspace / FOLDER, client.workspace / "copy"
    files = sorted(folder.iterdir())
    began = time.perf_counter()
    run([need("sha256sum"), *files])
    run(["cp", "--recursive", "--reflink=never", folder, copy])
    run(["sync", *copy.iterdir(), copy])
    took = time.perf_counter() - began
    shutil.rmtree(copy)
    return took
