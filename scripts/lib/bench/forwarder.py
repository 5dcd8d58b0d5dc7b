"""A forwarder in front of a server, that counts what passes."""

from __future__ import annotations

import contextlib
import socket
import threading

BUFFER = 256 * 1024


class Forwarder:
    """Listens on a free port of the loopback and passes everything on; `with` starts and ends it."""

    def __init__(self, port: int) -> None:
        self.target = ("127.0.0.1", port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.open: list[socket.socket] = []
        self.pieces: list[int] = []

    def __enter__(self) -> Forwarder:
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for one in (self.listener, *self.open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def sent(self) -> int:
        """How many bytes clients have sent."""
        return sum(self.pieces)

    def accept(self) -> None:
        """Takes connections until the listener is closed."""
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(self.target)
                self.open += [client, server]
                for count, source, sink in ((True, client, server), (False, server, client)):
                    threading.Thread(target=self.pass_on, args=(count, source, sink), daemon=True).start()

    def pass_on(self, count: bool, source: socket.socket, sink: socket.socket) -> None:
        """Passes on what comes, to the end or until one side breaks."""
        with contextlib.suppress(OSError):
            while True:
                piece = source.recv(BUFFER)
                if not piece:
                    sink.shutdown(socket.SHUT_WR)
                    return
                if count:
                    self.pieces.append(len(piece))
                sink.sendall(piece)
