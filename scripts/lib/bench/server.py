"""The server that is measured, the bare handler beside it, and an account to measure with."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import secrets
import shutil
import urllib.parse
from collections.abc import Callable, Iterable, Iterator

from .figures import Figure
from .postgres import database_mb, psql
from .processes import BenchError, Service, Word, environment, memory_of_tree_mb, proc_kilobytes, run
from .session import Bench

EMAIL = "bench@example.org"
# The private PostgreSQL's.
DATABASE = "otrace"

NEW_RUN = {
    "title": "Wide, 40 units",
    "intent": "Capacity looks like the limit: the train loss was still falling. Give it 40 units.",
    "setup": "configs/wide.json, else as exp001. Still under 5 000 parameters.",
    "command": "python3 train.py --config configs/wide.json",
    "working_directory": "/home/ada/digits",
    "tags": ["wide", "ablation"],
    "expected_artifact_paths": ["outputs/metrics.json", "outputs/history.csv"],
    "expected_log_paths": ["outputs/train.log"],
    "recorder": "bench",
}


@dataclasses.dataclass(frozen=True)
class Account:
    """What a client needs to record runs, and a person to look at them."""

    password: str
    key: str
    project: str
    """The project's name in URLs."""

    def headers(self) -> dict[str, str]:
        """The headers of an API request."""
        return {"authorization": f"Bearer {self.key}", "content-type": "application/json"}


class Server(Service):
    """`otrace-server` with a private PostgreSQL in `data_dir`."""

    def __init__(self, bench: Bench, data_dir: pathlib.Path) -> None:
        super().__init__(bench.work / "server.log", "/health/ready", 200)
        self.binary, self.data_dir = bench.server, data_dir

    def arguments(self) -> list[Word]:
        # The limits are kept and counted as always, but let through all that one key sends here.
        rates = [f"--api-{what}-per-second=1000000" for what in ("writes", "reads")]
        return [self.binary, "serve", "--listen", f"127.0.0.1:{self.port}", "--data-dir", self.data_dir, *rates]

    def environment(self) -> dict[str, str]:
        # One account has all the pages open here, and from one address.
        most = "10000"
        return environment(
            OTRACE_LIVE_PAGES=most, OTRACE_LIVE_PAGES_PER_ACCOUNT=most, OTRACE_CONNECTIONS_PER_ADDRESS=most
        )

    def admin(self, *arguments: str, stdin: str | None = None) -> dict:
        """One of the commands for scripts; they print one JSON object."""
        argv = [self.binary, *arguments, "--data-dir", self.data_dir]
        return json.loads(run(argv, env=environment(), stdin=stdin))

    def make_account(self) -> Account:
        """An account, a project and a key, as a script makes them."""
        password = secrets.token_urlsafe(12)
        self.admin("user", "create", "--email", EMAIL, "--password-stdin", stdin=password)
        project = self.admin("project", "create", "--owner", EMAIL, "--name", "Bench", "--description", "Measured.")
        key = self.admin("key", "create", "--project", project["id"], "--name", "bench")
        return Account(password, key["key"], project["slug"])

    def sign_in(self, account: Account) -> dict[str, str]:
        """The headers of a page's request."""
        form = urllib.parse.urlencode({"email": EMAIL, "password": account.password})
        kind = {"content-type": "application/x-www-form-urlencoded"}
        status, headers, _ = self.request("POST", "/signin", form, kind)
        cookies = [cookie.split(";")[0] for cookie in headers.get_all("set-cookie", [])]
        if status != 303 or not cookies:
            raise BenchError(f"POST /signin was answered with {status} and {len(cookies)} cookies")
        return {"cookie": "; ".join(cookies)}

    def create_run(self, account: Account) -> str:
        """The id of a new run."""
        return json.loads(self.expect("POST", "/v1/runs", 200, json.dumps(NEW_RUN), account.headers()))["run"]["id"]

    def newest_run(self, account: Account) -> str:
        """The last run's number, as people write it. None is deleted here, so it is the count."""
        count = json.loads(self.expect("GET", "/v1/runs/count", headers=account.headers()))["count"]
        return f"exp{count:03}"

    def sizes_of_outputs(self, account: Account) -> list[int]:
        """The sizes of the newest run's artifacts below `outputs/`."""
        path = f"/v1/runs/{self.newest_run(account)}/artifacts"
        artifacts = json.loads(self.expect("GET", path, headers=account.headers()))["artifacts"]
        return [one["size_bytes"] for one in artifacts if one["original_path"].startswith("outputs/")]

    def memory_mb(self) -> float:
        """What is resident of it, its PostgreSQL apart."""
        return proc_kilobytes(self.process.pid, "status", "VmRSS") * 1024 / 1e6

    def forget_peak(self) -> None:
        """From here on `peak_memory_mb` counts."""
        pathlib.Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def peak_memory_mb(self) -> float:
        """The most that was resident of it since then."""
        return proc_kilobytes(self.process.pid, "status", "VmHWM") * 1024 / 1e6

    def postgres_memory_mb(self) -> float:
        """What its PostgreSQL takes, with memory that its processes share counted once."""
        return memory_of_tree_mb(int((self.data_dir / "postgres/data/postmaster.pid").read_text().split()[0]))

    def memory_with_postgres_mb(self) -> float:
        """What it and its PostgreSQL take, counted so: the one is the other's child."""
        return memory_of_tree_mb(self.process.pid)

    def sql(self, statements: str) -> str:
        """Has its PostgreSQL do something, past the server."""
        return psql(self.data_dir / "postgres/run", DATABASE, statements)

    def database_mb(self) -> float:
        """What its records take on disk."""
        return database_mb(self.data_dir / "postgres/run", DATABASE)

    def contents_mb(self) -> float:
        """What its contents take on disk."""
        return disk_mb(self.data_dir / "blobs")


def disk_mb(folder: pathlib.Path) -> float:
    """What a folder takes on disk, in whole blocks as the file system gives them."""
    return int(run(["du", "--summarize", "--block-size=1", folder]).split()[0]) / 1e6


@contextlib.contextmanager
def served(bench: Bench, name: str) -> Iterator[tuple[Server, Account]]:
    """A server on data of its own, with an account. Nothing stays of it."""
    data_dir = bench.work / name
    try:
        with Server(bench, data_dir) as server:
            yield server, server.make_account()
    finally:
        shutil.rmtree(data_dir, ignore_errors=True)


def measure_on_one(bench: Bench, name: str, *sections: tuple[str, Callable[..., Iterable[Figure]]]) -> None:
    """Measures sections one after the other, all of them on one server with an account."""
    try:
        with served(bench, name) as (server, account):
            for what, section in sections:
                bench.measure(what, section, server, account)
    except BenchError as error:
        bench.broke("a server with a project", error)


class BareInsert(Service):
    """The yardstick: bench/src/main.rs, in the PostgreSQL of a server."""

    def __init__(self, bench: Bench, server: Server) -> None:
        super().__init__(bench.work / "bare_insert.log", "/", 404)
        self.binary = bench.bare_insert
        socket_folder = urllib.parse.quote(str(server.data_dir / "postgres/run"), safe="/")
        self.database_url = f"postgres:///otrace?user=otrace&host={socket_folder}"

    def arguments(self) -> list[Word]:
        return [self.binary, self.database_url, f"127.0.0.1:{self.port}"]
