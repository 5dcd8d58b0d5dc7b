"""Open event streams: what each takes of the server, and how soon an event is with all of them."""

from __future__ import annotations

import contextlib
import resource
import selectors
import socket
import time
from collections.abc import Iterator

from ..figures import Figure, figure, percentile
from ..processes import BenchError, say
from ..server import Account, Server
from ..session import Bench

STREAM_KB = 20
EVENT_SECONDS = 1

STREAMS = 1000
WITHIN = 60
EVENT = b"event: run\n"

TITLE = "Open pages"
HOW = (
    f"{STREAMS:,} event streams of a project's page are open on a server that has just started; its resident set "
    "before and after tells what each takes. Then runs are created one by one, and each stream is waited for."
)


def measure(bench: Bench) -> None:
    """All of it, on a server that has just started and has no freed memory to reuse."""
    bench.measure("open event streams", open_streams)


def open_streams(bench: Bench) -> Iterator[Figure]:
    """A thousand of them, and some runs that are created meanwhile."""
    allow_open_files(STREAMS + 200)
    data_dir = bench.work / "streams"
    with Server(bench, data_dir) as server:
        account = server.make_account()
        cookie = server.sign_in(account)
    with Server(bench, data_dir) as server:
        for _ in range(20):
            server.expect("GET", f"/projects/{account.project}/runs", headers=cookie)
            server.create_run(account)
        time.sleep(2)
        before = server.memory_mb()
        with Listeners(server, f"/projects/{account.project}/live", cookie) as listeners:
            time.sleep(2)
            grown = (server.memory_mb() - before) * 1000 / STREAMS
            rounds = [listeners.hear_a_run(server, account) for _ in range(bench.repetitions.event_rounds)]
    yield figure(f"{STREAMS:,} open event streams: memory of each", [grown], "kB", at_most=STREAM_KB)
    p99s = [percentile(seconds, 99) for seconds in rounds]
    yield figure(f"{STREAMS:,} open event streams: an event is there, p99", p99s, "s", at_most=EVENT_SECONDS)
    yield figure("  with the last of them", [max(seconds) for seconds in rounds], "s")


def allow_open_files(count: int) -> None:
    """As many sockets as this process needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        if hard != resource.RLIM_INFINITY and hard < count:
            raise BenchError(f"only {hard} open files are allowed; raise `ulimit -n`")
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


class Listeners:
    """Open streams of one page's events; `with` opens and closes them."""

    def __init__(self, server: Server, path: str, cookie: dict[str, str]) -> None:
        self.port = server.port
        lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{server.port}", "Accept: text/event-stream"]
        lines += [f"{name}: {value}" for name, value in cookie.items()]
        self.asked = "\r\n".join([*lines, "", ""]).encode()
        self.selector = selectors.DefaultSelector()
        self.cleanup = contextlib.ExitStack()

    def __enter__(self) -> Listeners:
        say(f"opening {STREAMS:,} streams")
        try:
            for _ in range(STREAMS):
                self.open_one()
        except BaseException:
            self.cleanup.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.cleanup.close()

    def open_one(self) -> None:
        """One stream, with its answer's head read."""
        stream = self.cleanup.enter_context(socket.create_connection(("127.0.0.1", self.port), WITHIN))
        stream.sendall(self.asked)
        head = b""
        while b"\r\n\r\n" not in head:
            piece = stream.recv(65536)
            if not piece:
                raise BenchError("a stream ended before it began")
            head += piece
        if not head.startswith(b"HTTP/1.1 200 "):
            raise BenchError(f"a stream was answered with {head[:60]!r}")
        stream.setblocking(False)
        self.selector.register(stream, selectors.EVENT_READ)

    def hear_a_run(self, server: Server, account: Account) -> list[float]:
        """Creates a run. The seconds from the request until each stream has told of it."""
        self.drain()
        began = time.perf_counter()
        server.create_run(account)
        heard: dict[int, float] = {}
        rests: dict[int, bytes] = {}
        while len(heard) < STREAMS:
            if time.perf_counter() - began > WITHIN:
                raise BenchError(f"an event reached {len(heard)} of {STREAMS} streams within {WITHIN} s")
            for key, _ in self.selector.select(1):
                rest = rests.get(key.fd, b"") + self.read(key.fileobj)
                rests[key.fd] = rest[-len(EVENT) :]
                if EVENT in rest:
                    heard.setdefault(key.fd, time.perf_counter() - began)
        return list(heard.values())

    def drain(self) -> None:
        """Leaves nothing unread of what was told before."""
        while True:
            ready = self.selector.select(0.2)
            if not ready:
                return
            for key, _ in ready:
                self.read(key.fileobj)

    def read(self, stream: socket.socket) -> bytes:
        """What is there to read now."""
        piece = stream.recv(65536)
        if not piece:
            raise BenchError("a stream ended")
        return piece
