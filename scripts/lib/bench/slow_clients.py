"""Connections that cost a server more than they bring: `slow_clients.py PORT COUNT`, until its standard input ends; the
key that bodies are sent with is in `$BENCH_KEY`.

A quarter of them each: silent from the beginning; a request's head, a byte a second; a body, a byte a second; a request
that was answered, and then nothing. One that the server closes is opened again within a second. Says `open` when all
are, and at the end as JSON how many were opened, and how many were open then.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import selectors
import socket
import sys
import time

# They come from so many addresses, as those of many people would: the whole of 127/8 is this machine.
ADDRESSES = 200
TICK = 1.0

ANSWERED = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
HEAD = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: " + b"a" * 100_000
BODY_HEAD = (
    b"POST /v1/runs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n"
    b"Authorization: Bearer " + os.environb.get(b"BENCH_KEY", b"") + b"\r\n\r\n"
)
BODY = b"{" + b" " * 99_999

# What is sent at once, and what follows byte by byte.
KINDS = ((b"", b""), (HEAD[:20], HEAD[20:]), (BODY_HEAD, BODY), (ANSWERED, b""))


class SlowClients:
    """All of them."""

    def __init__(self, port: int, count: int) -> None:
        self.port, self.count = port, count
        self.selector = selectors.DefaultSelector()
        self.dripping: dict[socket.socket, tuple[bytes, int]] = {}
        self.closed: list[int] = []
        self.opened = 0

    def open_one(self, number: int) -> None:
        """One more, of the kind and from the address that its number has."""
        client = socket.socket()
        client.bind((f"127.0.1.{number % ADDRESSES + 1}", 0))
        client.connect(("127.0.0.1", self.port))
        client.setblocking(False)
        at_once, rest = KINDS[number % len(KINDS)]
        with contextlib.suppress(OSError):
            client.send(at_once)
        if rest:
            self.dripping[client] = (rest, 0)
        self.selector.register(client, selectors.EVENT_READ, number)
        self.opened += 1

    def close(self, client: socket.socket, number: int) -> None:
        """One that the server has closed."""
        self.selector.unregister(client)
        self.dripping.pop(client, None)
        client.close()
        self.closed.append(number)

    def go_on(self) -> None:
        """Opens again what was closed, and sends the next byte of each that has one."""
        closed, self.closed = self.closed, []
        for number in closed:
            self.open_one(number)
        for client, (rest, at) in list(self.dripping.items()):
            with contextlib.suppress(OSError):
                client.send(rest[at : at + 1])
                self.dripping[client] = (rest, at + 1)

    def keep_open(self) -> None:
        """Until standard input ends."""
        self.selector.register(sys.stdin, selectors.EVENT_READ)
        for number in range(self.count):
            self.open_one(number)
        print("open", flush=True)
        due = time.monotonic() + TICK
        while True:
            for key, _ in self.selector.select(max(0.0, due - time.monotonic())):
                if key.fileobj is sys.stdin:
                    return
                self.hear(key.fileobj, key.data)
            if time.monotonic() >= due:
                self.go_on()
                due += TICK

    def hear(self, client: socket.socket, number: int) -> None:
        """An answer is passed over."""
        try:
            if client.recv(65536):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self.close(client, number)


def main() -> None:
    """Opens them, and keeps them open."""
    port, count = int(sys.argv[1]), int(sys.argv[2])
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + 100 if hard == resource.RLIM_INFINITY else min(count + 100, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    clients = SlowClients(port, count)
    clients.keep_open()
    clients.go_on()
    print(json.dumps({"opened": clients.opened, "open": len(clients.selector.get_map()) - 1}), flush=True)


main()
