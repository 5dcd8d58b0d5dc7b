"""MLflow, which some figures are compared with: its server, and its client in a process of its own."""

from __future__ import annotations

import contextlib
import json
import pathlib
import select
import shutil
import subprocess
from collections.abc import Iterator

from .postgres import ROLE, Postgres, database_mb, psql
from .processes import ROOT, BenchError, NotHere, Service, Word, end_group, environment, memory_of_tree_mb, run, say
from .session import Bench

VERSION = "3.17.2"
# What it speaks to PostgreSQL with.
DRIVER = "2.9.13"
DATABASE = "mlflow"
VENV = ROOT / "target/mlflow"
WORKER = pathlib.Path(__file__).with_name("mlflow_worker.py")

INSTALLED_WITHIN = 1800
ANSWERED_WITHIN = 600

QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "GIT_PYTHON_REFRESH": "quiet"}


def install() -> None:
    """Puts the pinned versions into their own environment below target/, if they are not there."""
    python = VENV / "bin/python"
    found = "import importlib.metadata as m; print(m.version('mlflow'), m.version('psycopg2-binary'))"
    if python.exists() and run([python, "-c", found], may_fail=True).strip() == f"{VERSION} {DRIVER}":
        return
    say(f"installing mlflow {VERSION} into {VENV.relative_to(ROOT)}, once; this takes minutes")
    try:
        run(["python3", "-m", "venv", "--clear", VENV], seconds=INSTALLED_WITHIN)
        pip = [VENV / "bin/pip", "install", "--quiet", "--disable-pip-version-check"]
        run([*pip, f"mlflow=={VERSION}", f"psycopg2-binary=={DRIVER}"], seconds=INSTALLED_WITHIN)
    except BenchError as error:
        last_line = str(error).splitlines()[-1]
        raise NotHere(f"mlflow {VERSION} could not be installed ({last_line})") from None


class MlflowServer(Service):
    """`mlflow server` with its records in PostgreSQL and artifacts through its proxy; all else, such as the number of
    its workers, as it comes."""

    def __init__(self, bench: Bench, postgres: Postgres) -> None:
        super().__init__(bench.work / "mlflow.log", "/health", 200)
        self.folder, self.postgres = bench.work / "mlflow", postgres
        self.folder.mkdir(exist_ok=True)

    def arguments(self) -> list[Word]:
        database = f"postgresql+psycopg2://{ROLE}@/{DATABASE}?host={self.postgres.folder}"
        records = f"--backend-store-uri={database}"
        contents = ["--serve-artifacts", f"--artifacts-destination={self.folder}/artifacts"]
        return [VENV / "bin/mlflow", "server", records, *contents, "--host=127.0.0.1", f"--port={self.port}"]

    def environment(self) -> dict[str, str]:
        # Its server finds its own programs on the PATH.
        ours = environment(HOME=str(self.folder), **QUIET)
        return {**ours, "PATH": f"{VENV}/bin:{ours['PATH']}"}

    def memory_mb(self) -> float:
        """What all its processes take, with what they share counted once; PostgreSQL apart."""
        return memory_of_tree_mb(self.process.pid)

    def resident_mb(self) -> float:
        """The same with what they share counted for each, as `ps` and `top` show it."""
        return memory_of_tree_mb(self.process.pid, "status", "VmRSS")

    def sql(self, statements: str) -> str:
        """Has its database do something, past the server."""
        return psql(self.postgres.folder, DATABASE, statements)

    def database_mb(self) -> float:
        """What its records take on disk."""
        return database_mb(self.postgres.folder, DATABASE)


@contextlib.contextmanager
def mlflow_server(bench: Bench) -> Iterator[MlflowServer]:
    """Its server on data of its own, installed if need be. Nothing stays of it."""
    install()
    try:
        with Postgres(bench.work / "mlflow-postgres", DATABASE) as postgres:
            with MlflowServer(bench, postgres) as server:
                yield server
    finally:
        shutil.rmtree(bench.work / "mlflow", ignore_errors=True)


class Mlflow:
    """Its client, with everything imported already; `ask` lets it do something and tells what came of it."""

    def __init__(self, server: MlflowServer) -> None:
        self.server = server
        self.process: subprocess.Popen | None = None

    def __enter__(self) -> Mlflow:
        with open(self.server.log, "ab") as log:
            self.process = subprocess.Popen(
                # Isolated: `import mlflow` must not find this file.
                [VENV / "bin/python", "-I", "-B", WORKER, self.server.url],
                env=self.server.environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        return self

    def __exit__(self, *_: object) -> None:
        end_group(self.process)

    def ask(self, **what: object) -> dict:
        """One request to the worker, and its answer."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(what).encode() + b"\n")
            self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], ANSWERED_WITHIN)
        answer = self.process.stdout.readline() if ready else b""
        if not answer:
            how = "ended" if ready else f"did not answer within {ANSWERED_WITHIN} s"
            raise BenchError(f"MLflow's client {how}:\n{self.server.log_end()}")
        told = json.loads(answer)
        if "error" in told:
            raise BenchError(f"MLflow's client: {told['error']}")
        return told


@contextlib.contextmanager
def mlflow(bench: Bench) -> Iterator[Mlflow]:
    """The same with its client."""
    with mlflow_server(bench) as server, Mlflow(server) as client:
        yield client
