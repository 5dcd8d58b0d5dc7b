"""A command line client in a workspace of its own, and what its commands take."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import shlex
import shutil
import time
from collections.abc import Sequence
from typing import IO

from .processes import COMMAND_WITHIN, ROOT, BenchError, NotHere, Service, Word, environment, run, say
from .server import EMAIL, Account
from .session import Bench

PUBLISHED_CLIENT = ROOT / "target/published-client/bin/otrace"
GNU_TIME = pathlib.Path("/usr/bin/time")


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a command took."""

    seconds: float
    peak_memory_mb: float
    """The most that was resident of the largest of its processes."""


class Client:
    """A client in a git repository with one commit and a dependency file."""

    def __init__(self, bench: Bench, name: str, binary: pathlib.Path, server: Service, account: Account) -> None:
        self.name, self.binary = name, binary
        self.workspace = bench.work / f"{name.replace(' ', '-')}-workspace"
        home = bench.work / "home"
        home.mkdir(exist_ok=True)
        self.environment = environment(
            HOME=str(home), TRACE_API_URL=server.url, TRACE_API_KEY=account.key, GIT_CONFIG_NOSYSTEM="1"
        )

    def prepare(self) -> None:
        """Makes the workspace, and records one run to see that it can."""
        shutil.rmtree(self.workspace, ignore_errors=True)
        self.workspace.mkdir()
        for path, text in (
            (".gitignore", "otrace_*_runspec.yaml\n/outputs/\n"),
            ("requirements.txt", "numpy==2.1.0\ntorch==2.5.1\n"),
            ("train.py", "print('loss 0.25')\n"),
            ("train.log", "".join(f"step {step} loss {1 / (step + 1):.4f}\n" for step in range(100))),
        ):
            (self.workspace / path).write_text(text)
        self.run(["git", "init", "--quiet"])
        self.run([self.binary, "init"])
        self.run(["git", "add", "--all"])
        identity = ["-c", "user.name=Bench", "-c", f"user.email={EMAIL}", "-c", "commit.gpgsign=false"]
        self.run(["git", *identity, "commit", "--quiet", "--message", "A workspace to measure in"])
        self.run(self.recorded_true())

    def discard(self) -> None:
        """Gives the disk back."""
        shutil.rmtree(self.workspace, ignore_errors=True)

    def recorded(self, command: Sequence[Word], *options: str) -> list[str]:
        """The command line that records a run of a command, and a log that is there already."""
        words = ["run", "--title", "true", "--intent", "What does recording cost?", "--setup", "A small workspace."]
        words += ["--expect-log", "train.log"]
        return [str(word) for word in (self.binary, *words, *options, "--", *command)]

    def recorded_true(self, *options: str) -> list[str]:
        """The same of `true`."""
        return self.recorded(["true"], *options)

    def run(
        self, argv: Sequence[Word], *, stdout: IO | None = None, seconds: float = COMMAND_WITHIN, **variables: str
    ) -> str:
        """A command in the workspace, with more environment variables where they are named."""
        env = {**self.environment, **variables}
        return run(argv, cwd=self.workspace, env=env, stdout=stdout, seconds=seconds)

    def expect_all_sent(self) -> None:
        """What the server has not confirmed is still in the spool."""
        unsent = [folder.name for folder in (self.workspace / ".trace/spool").glob("*") if folder.is_dir()]
        if unsent:
            raise BenchError(f"{self.name}: {len(unsent)} runs were not sent completely")

    def cost(self, argv: Sequence[Word], *, seconds: float = COMMAND_WITHIN, **variables: str) -> Cost:
        """Runs a command in the workspace. Through `time`, because a process that Python starts begins with Python's
        own size."""
        if not GNU_TIME.exists():
            raise NotHere(f"{GNU_TIME} is missing; run: scripts/setup bench")
        report = self.workspace.parent / "time.txt"
        began = time.perf_counter()
        self.run([GNU_TIME, "-f", "%M", "-o", report, *argv], seconds=seconds, **variables)
        took = time.perf_counter() - began
        return Cost(took, int(report.read_text().split()[-1]) * 1024 / 1e6)

    def times(self, commands: Sequence[Sequence[str]], count: int) -> list[list[float]]:
        """Seconds of each of the commands, so many times."""
        if shutil.which("hyperfine"):
            return self.times_of_hyperfine(commands, count)
        return self.times_of_ours(commands, count)

    def times_of_hyperfine(self, commands: Sequence[Sequence[str]], count: int) -> list[list[float]]:
        """Without a shell between, and after five of each that do not count."""
        report = self.workspace.parent / "hyperfine.json"
        options = ["--shell=none", "--style=none", "--warmup=5", f"--runs={count}", f"--export-json={report}"]
        argv = ["hyperfine", *options, *(shlex.join(command) for command in commands)]
        self.run(argv, seconds=COMMAND_WITHIN * 5)
        return [result["times"] for result in json.loads(report.read_text())["results"]]

    def times_of_ours(self, commands: Sequence[Sequence[str]], count: int) -> list[list[float]]:
        """The same without hyperfine, in turns."""
        times: list[list[float]] = [[] for _ in commands]
        for number in range(count + 5):
            for command, kept in zip(commands, times):
                began = time.perf_counter()
                self.run(command)
                if number >= 5:
                    kept.append(time.perf_counter() - began)
        return times


def prepared_clients(bench: Bench, server: Service, account: Account) -> list[Client]:
    """Ours, and the published one where it is installed and works."""
    ours = Client(bench, "otrace", bench.client, server, account)
    ours.prepare()
    if not PUBLISHED_CLIENT.exists():
        say("the published client is not installed (scripts/setup bench does it): measuring without it")
        return [ours]
    published = Client(bench, "published client", PUBLISHED_CLIENT, server, account)
    try:
        published.prepare()
    except BenchError as error:
        say(f"the published client does not work here: measuring without it. {error}")
        return [ours]
    return [ours, published]


def random_file(path: pathlib.Path, size: int) -> None:
    """A file that was never there before and can't be compressed: a random block, with a stamp in each MiB."""
    block = bytearray(os.urandom(16 * 1024 * 1024))
    path.parent.mkdir(parents=True, exist_ok=True)
    left, number = size, 0
    with open(path, "wb") as file:
        while left > 0:
            for start in range(0, len(block), 1024 * 1024):
                block[start : start + 8] = number.to_bytes(8, "little")
                number += 1
            left -= file.write(memoryview(block)[: min(left, len(block))])
