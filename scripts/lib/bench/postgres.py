"""PostgreSQL: one of its own for MLflow, and statements for any."""

from __future__ import annotations

import functools
import os
import pathlib
import shutil
import signal
import subprocess
import time

from .processes import (
    ROOT,
    STOPPED_WITHIN,
    BenchError,
    Service,
    Word,
    end_group,
    environment,
    memory_of_tree_mb,
    run,
)

# As the server's private one has it.
ROLE = "otrace"
# The most that PostgreSQL takes unless told otherwise; each of MLflow's workers has a pool.
CONNECTIONS = 100
STATEMENTS_WITHIN = 3600


@functools.lru_cache(maxsize=None)
def programs() -> pathlib.Path:
    """The folder of the programs that the server takes."""
    folder = run([ROOT / "scripts/find-postgres"], may_fail=True).strip()
    if not folder:
        raise BenchError("no PostgreSQL 14 or newer found; run: scripts/setup bench")
    return pathlib.Path(folder)


def postgres_version() -> str:
    """The version of those programs."""
    return run([programs() / "postgres", "--version"]).split("(PostgreSQL)")[-1].split()[0]


def psql(socket_folder: pathlib.Path, database: str, statements: str, seconds: float = STATEMENTS_WITHIN) -> str:
    """Has a database do something, in one transaction; what it answers, without headings."""
    argv = [programs() / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", ROLE, "-d", database]
    return run([*argv, "-h", socket_folder, "-c", statements], env=environment(), seconds=seconds).strip()


def database_mb(socket_folder: pathlib.Path, database: str) -> float:
    """What a database takes on disk, once what is not needed any more was given back."""
    psql(socket_folder, database, "VACUUM")
    return int(psql(socket_folder, database, f"SELECT pg_database_size('{database}')")) / 1e6


def as_its_user() -> list[str]:
    """What stands before its programs: PostgreSQL refuses to run as root."""
    is_root = os.geteuid() == 0
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if is_root else []


class Postgres(Service):
    """A PostgreSQL with an empty database, made and set up as the server makes its private one."""

    def __init__(self, folder: pathlib.Path, database: str) -> None:
        super().__init__(folder.with_suffix(".log"), "", 0)
        self.folder, self.database = folder, database

    def __enter__(self) -> Postgres:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres")
        made = ["-U", ROLE, "-E", "UTF8", "--locale=C", "--auth=trust", "--data-checksums"]
        run([*as_its_user(), programs() / "initdb", "-D", self.folder / "data", *made], cwd=self.folder)
        super().__enter__()
        psql(self.folder, "postgres", f"CREATE DATABASE {self.database}")
        return self

    def arguments(self) -> list[Word]:
        options = ["-k", self.folder, "-c", "listen_addresses=", "-c", f"max_connections={CONNECTIONS}"]
        return [*as_its_user(), programs() / "postgres", "-D", self.folder / "data", *options]

    def wait_until_ready(self, give_up: float) -> None:
        """Asks until it takes connections."""
        asked = [programs() / "pg_isready", "-q", "-h", self.folder]
        while subprocess.run(asked, check=False).returncode != 0:
            if self.process.poll() is not None or time.perf_counter() > give_up:
                raise BenchError(f"PostgreSQL did not start:\n{self.log_end()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """SIGINT: without waiting for connections that are open."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(STOPPED_WITHIN)
            except subprocess.TimeoutExpired:
                end_group(self.process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def memory_mb(self) -> float:
        """What all its processes take, with what they share counted once."""
        return memory_of_tree_mb(self.process.pid)

    def name(self) -> str:
        return "postgres"
