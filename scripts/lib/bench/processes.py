"""Whatever is started here ends here: commands, services, and what the kernel says of them."""

from __future__ import annotations

import contextlib
import http.client
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import IO, TypeVar, Union

ROOT = pathlib.Path(__file__).resolve().parents[3]

# No wait is longer than these, in seconds.
READY_WITHIN = 120
STOPPED_WITHIN = 90
COMMAND_WITHIN = 60

Word = Union[str, os.PathLike]
S = TypeVar("S", bound="Service")


class BenchError(Exception):
    """Something that was to be measured broke; the text says what."""


class NotHere(Exception):
    """Something that measuring needs is not on this machine; the text says what, and how to get it."""


def say(text: str) -> None:
    """Tells what is under way, apart from the table."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def environment(**more: str) -> dict[str, str]:
    """What our children see: no setting of the person who measures, and no proxy."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "OTRACE_PG_BIN") if name in os.environ}
    return {**kept, "LC_ALL": "C.UTF-8", **more}


def end_group(process: subprocess.Popen) -> None:
    """Ends a process of ours, with what it started in its own session."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def run(
    argv: Sequence[Word],
    *,
    cwd: pathlib.Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    stdout: IO | None = None,
    seconds: float = COMMAND_WITHIN,
    may_fail: bool = False,
) -> str:
    """A command's standard output, unless that goes elsewhere. What fails or takes too long is told with its words."""
    words = [str(word) for word in argv]
    name = " ".join(words)[:120]
    try:
        process = subprocess.Popen(
            words,
            cwd=cwd,
            env=env,
            text=True,
            errors="replace",
            start_new_session=True,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE if stdout is None else stdout,
            stderr=subprocess.PIPE,
        )
    except OSError as error:
        raise BenchError(f"could not start {name}: {error}") from None
    try:
        output, complaints = process.communicate(stdin, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise BenchError(f"{name} did not end within {seconds:.0f} s") from None
    finally:
        end_group(process)
    if process.returncode != 0 and not may_fail:
        text = ((output or "") + complaints).strip()[-2000:]
        raise BenchError(f"{name} ended with {process.returncode}:\n{text}")
    return output or ""


def need(tool: str) -> str:
    """The path of a tool, or how to get it."""
    found = shutil.which(tool)
    if found is None:
        raise NotHere(f"{tool} is missing; run: scripts/setup bench")
    return found


def room(folder: pathlib.Path) -> float:
    """How many GB are free where a folder is."""
    return shutil.disk_usage(folder).free / 1e9


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Service:
    """A process that listens on a free port of the loopback; `with` starts it, waits for it and ends it."""

    def __init__(self, log: pathlib.Path, ready_path: str, ready_status: int) -> None:
        self.log, self.ready_path, self.ready_status = log, ready_path, ready_status
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen | None = None
        self.seconds_to_ready = 0.0

    def arguments(self) -> list[Word]:
        """The command line."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """What it sees."""
        return environment()

    def __enter__(self: S) -> S:
        with open(self.log, "ab") as log:
            began = time.perf_counter()
            self.process = subprocess.Popen(
                [str(word) for word in self.arguments()],
                # Python's programs look for modules where they are started.
                cwd=self.log.parent,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            self.wait_until_ready(began + READY_WITHIN)
        except BaseException:
            self.stop()
            raise
        self.seconds_to_ready = time.perf_counter() - began
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait_until_ready(self, give_up: float) -> None:
        """Asks until the answer is right. A server binds its port first, so one request usually waits the time out."""
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.request("GET", self.ready_path, seconds=2)[0] == self.ready_status:
                    return
            if self.process.poll() is not None:
                raise BenchError(f"{self.name()} ended with {self.process.returncode}:\n{self.log_end()}")
            if time.perf_counter() > give_up:
                raise BenchError(f"{self.name()} was not ready within {READY_WITHIN} s:\n{self.log_end()}")
            time.sleep(0.001)

    def request(
        self,
        method: str,
        path: str,
        body: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float = COMMAND_WITHIN,
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Status, headers and body of the answer to a request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def expect(
        self,
        method: str,
        path: str,
        status: int = 200,
        body: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """The body of an answer that must have this status."""
        try:
            answered, _, content = self.request(method, path, body, headers)
        except (OSError, http.client.HTTPException) as error:
            raise BenchError(f"{method} {path}: {error}") from None
        if answered != status:
            told = content[:300].decode(errors="replace")
            raise BenchError(f"{method} {path} was answered with {answered} instead of {status}:\n{told}")
        return content

    def stop(self) -> None:
        """SIGTERM, as an init system does it; SIGKILL for one that hangs."""
        if self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOPPED_WITHIN)
        except subprocess.TimeoutExpired:
            say(f"{self.name()} did not stop within {STOPPED_WITHIN} s; killing it")
        finally:
            end_group(self.process)

    def name(self) -> str:
        """What it is called in messages."""
        return pathlib.Path(str(self.arguments()[0])).name

    def log_end(self) -> str:
        """The last lines that it wrote."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])


def proc_kilobytes(pid: int, file: str, field: str) -> int:
    """A field such as VmRSS of a file such as /proc/PID/status."""
    for line in pathlib.Path(f"/proc/{pid}/{file}").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    raise BenchError(f"/proc/{pid}/{file} has no {field}")


def processes_of(root: int) -> list[int]:
    """A process, and those that it started, and those that they started."""
    children: dict[int, list[int]] = {}
    for folder in pathlib.Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                # "PID (name) state ppid ...", where the name may hold anything.
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(folder.name))
    found = [root]
    for process in found:
        found += children.get(process, [])
    return found


def memory_of_tree_mb(root: int, file: str = "smaps_rollup", field: str = "Pss") -> float:
    """What is resident of a process and of those below it, with memory that they share counted once."""
    total = 0
    for process in processes_of(root):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            total += proc_kilobytes(process, file, field)
    return total * 1024 / 1e6
