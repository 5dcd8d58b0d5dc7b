"""Importing runs from elsewhere, with results, files and logs, in place of those that are there."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

from ..client import Client
from ..figures import Figure, figure
from ..processes import BenchError, say
from ..server import Account, Server, measure_on_one
from ..session import Bench

IMPORT_SECONDS = 120
# The number of runs that the goal is for.
IMPORTED_RUNS = 10_000

RESULTS = 20
LOG_LINES = 50
FOLDER = "history"
WITHIN = 1800

TITLE = "Importing runs, and what they take on disk"
HOW = (
    f"`otrace import` of runs with {RESULTS} results, a file and a log of {LOG_LINES} lines each, from its start to "
    "its end; from the second round on the runs of the one before are replaced. On disk counts, after the first round, "
    "what the database with its indexes and the folder of contents grew by."
)


def measure(bench: Bench) -> None:
    """All of it on one server."""
    measure_on_one(bench, "imports", ("importing runs", importing))


def importing(bench: Bench, server: Server, account: Account) -> Iterator[Figure]:
    """`otrace import` from its start to its end. From the second round on there are as many runs to replace."""
    client = Client(bench, "imports", bench.client, server, account)
    client.prepare()
    count = bench.repetitions.imported_runs
    database_mb, contents_mb = server.database_mb(), server.contents_mb()
    seconds = []
    for number in range(bench.repetitions.import_rounds):
        say(f"importing {count:,} runs, round {number + 1}")
        write_manifest(client, count, number)
        began = time.perf_counter()
        client.run([client.binary, "import", "--spec", f"{FOLDER}/import.json", "--yes"], seconds=WITHIN)
        seconds.append(time.perf_counter() - began)
        expect_runs(server, account, count)
        if number == 0:
            database_mb, contents_mb = server.database_mb() - database_mb, server.contents_mb() - contents_mb
    is_full = count == IMPORTED_RUNS
    yield figure(f"{count:,} runs imported", seconds, "s", at_most=IMPORT_SECONDS, is_full=is_full)
    yield figure("  each, in the database", [database_mb * 1000 / count], "kB")
    yield figure("  each, its file and log", [contents_mb * 1000 / count], "kB")
    client.discard()


def write_manifest(client: Client, count: int, salt: int) -> None:
    """Runs with a file of results and a log each, whose contents were never there before."""
    folder = client.workspace / FOLDER
    folder.mkdir(exist_ok=True)
    runs = []
    for number in range(count):
        results = {f"metric_{index}": (number * index + salt) / 1000 for index in range(RESULTS)}
        (folder / f"{number}.json").write_text(json.dumps({**results, "salt": f"{salt}-{number}"}))
        lines = (f"round {salt} run {number} step {step} loss {1 / (step + 1):.4f}\n" for step in range(LOG_LINES))
        (folder / f"{number}.log").write_text("".join(lines))
        runs.append(
            {
                "title": f"Run {number}",
                "intent": "What did it look like before there was a notebook?",
                "setup": f"Units {number % 64}, else as before.",
                "command": f"python3 train.py --seed {number}",
                "status": "completed" if number % 10 else "failed",
                "created_at": f"2025-{number % 12 + 1:02}-{number % 28 + 1:02}T12:00:00Z",
                "exit_code": 0 if number % 10 else 1,
                "duration_seconds": 3.5,
                "tags": ["historical", f"group-{number % 20}"],
                "artifacts": [{"path": f"{number}.json", "type": "metrics"}],
                "logs": [{"path": f"{number}.log", "stream": "stdout"}],
                "result_files": [f"{number}.json"],
                "snapshot": {"git_commit": f"{number:040x}", "python_version": "3.12"},
            }
        )
    (folder / "import.json").write_text(json.dumps({"version": 1, "runs": runs}))


def expect_runs(server: Server, account: Account, count: int) -> None:
    """Whether all of them are there, and nothing else."""
    found = json.loads(server.expect("GET", "/v1/runs/count", headers=account.headers()))["count"]
    if found != count:
        raise BenchError(f"the server has {found} runs instead of {count}")
