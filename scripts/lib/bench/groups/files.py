"""Many small artifacts, durable before they are acknowledged, against MLflow's proxy."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from ..client import Client
from ..figures import Figure, figure
from ..mlflow import Mlflow, mlflow
from ..processes import BenchError, say
from ..server import Account, Server, served
from ..session import Bench

FILES_RATIO = 5

FILES = 1000
FILE_BYTES = 10_000
FOLDER = "outputs/files"
WITHIN = 600


def measure(bench: Bench) -> None:
    """All of it, with both servers running."""
    bench.measure("small artifacts", small_artifacts)


def small_artifacts(bench: Bench) -> Iterator[Figure]:
    """New files in each round. Ours counts from the start of `otrace run` to its end, MLflow's the call alone."""
    ours, theirs = [], []
    with mlflow(bench) as other, served(bench, "files") as (server, account):
        client = Client(bench, "files", bench.client, server, account)
        client.prepare()
        for number in range(bench.repetitions.file_rounds):
            say(f"{FILES:,} artifacts, round {number + 1}")
            write_files(client)
            ours.append(FILES / with_otrace(client, server, account))
            theirs.append(FILES / with_mlflow(client, other))
    ratios = [our / their for our, their in zip(ours, theirs)]
    yield figure(f"{FILES:,} artifacts of 10 kB: otrace run / MLflow", ratios, "x", at_least=FILES_RATIO)
    yield figure("  otrace run, durable", ours, "/s")
    yield figure("  MLflow's log_artifacts, not synced", theirs, "/s")


def write_files(client: Client) -> None:
    """Contents that were never there before."""
    folder = client.workspace / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(FILES):
        (folder / f"{number:04}.bin").write_bytes(os.urandom(FILE_BYTES))
    os.sync()


def with_otrace(client: Client, server: Server, account: Account) -> float:
    """Seconds of a run that leaves them behind."""
    began = time.perf_counter()
    client.run(client.recorded_true("--expect-artifact", FOLDER), seconds=WITHIN)
    took = time.perf_counter() - began
    client.expect_all_sent()
    found = len(server.sizes_of_outputs(account))
    if found != FILES:
        raise BenchError(f"the server has {found} artifacts instead of {FILES}")
    return took


def with_mlflow(client: Client, other: Mlflow) -> float:
    """Seconds of MLflow's client for the same files."""
    told = other.ask(do="artifacts", folder=str(client.workspace / FOLDER))
    if told["files"] != FILES:
        raise BenchError(f"MLflow has {told['files']} artifacts instead of {FILES}")
    return told["seconds"]
