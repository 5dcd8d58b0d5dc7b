"""What an installation takes when nobody uses it: ours with its PostgreSQL, and MLflow's with one."""

from __future__ import annotations

import time
from collections.abc import Iterator

from ..figures import Figure, figure
from ..mlflow import mlflow_server
from ..server import Account, Server, measure_on_one
from ..session import Bench
from .starts import IDLE_MEMORY_MB

TOGETHER_MB = 150

TITLE = "Idle memory"
HOW = (
    "Each server is left alone for five seconds after a hundred requests. The server process alone is its resident "
    "set; together with PostgreSQL, and for MLflow with all its workers, it is the sum of the proportional set sizes: "
    "memory that processes share counts once."
)


def measure(bench: Bench) -> None:
    """Each server by itself."""
    # The sign-ins come last, because they may leave the most behind.
    measure_on_one(bench, "idle", ("idle memory", idle_memory), ("memory after sign-ins", memory_after_sign_ins))
    bench.measure("idle memory of MLflow", idle_memory_of_mlflow)


def idle_memory(bench: Bench, server: Server, account: Account) -> Iterator[Figure]:
    """What the server takes when it is left alone after some work."""
    memory, together, postgres = [], [], []
    for _ in range(bench.repetitions.idle_rounds):
        for _ in range(25):
            for path in ("/signin", "/v1/auth/whoami", "/v1/runs/count"):
                server.expect("GET", path, headers=account.headers())
            server.create_run(account)
        time.sleep(5)
        memory.append(server.memory_mb())
        postgres.append(server.postgres_memory_mb())
        together.append(server.memory_with_postgres_mb())
    yield figure("server, resident", memory, "MB", at_most=IDLE_MEMORY_MB)
    yield figure("server with PostgreSQL", together, "MB", at_most=TOGETHER_MB)
    yield figure("  of that, PostgreSQL", postgres, "MB")


def memory_after_sign_ins(bench: Bench, server: Server, account: Account) -> Iterator[Figure]:
    """Hashing a password takes 19 MiB or more for a moment; this is what stays of it."""
    for _ in range(10):
        server.sign_in(account)
    time.sleep(5)
    yield figure("server, resident, 5 s after 10 sign-ins", [server.memory_mb()], "MB")


def idle_memory_of_mlflow(bench: Bench) -> Iterator[Figure]:
    """The same of MLflow as it comes: its four workers, and what runs jobs."""
    memory, resident, postgres = [], [], []
    with mlflow_server(bench) as server:
        for _ in range(bench.repetitions.idle_rounds):
            for _ in range(50):
                server.expect("GET", "/health")
                server.expect("GET", "/api/2.0/mlflow/experiments/get?experiment_id=0")
            time.sleep(5)
            memory.append(server.memory_mb())
            resident.append(server.resident_mb())
            postgres.append(server.postgres.memory_mb())
    together = [server + database for server, database in zip(memory, postgres)]
    yield figure("MLflow with PostgreSQL", together, "MB")
    yield figure("  of that, PostgreSQL", postgres, "MB")
    yield figure("  MLflow alone, sum of resident sets", resident, "MB")
