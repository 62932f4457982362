"""A network that breaks: forwards connections, and cuts each after so many bytes."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_PIECE = 1 << 14
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with RST


@dataclass
class BreakingProxy:
    """Forwards to a server of this machine.

    Attributes:
        target: the server's port.
        down: bytes from the server after which a connection is cut; 0 for never.
        up: bytes to the server, likewise.
        once: cut a single connection, then no more.
        away: refuse all connections.
        cuts: how many were cut.
    """

    target: int
    down: int = 0
    up: int = 0
    once: bool = False
    away: bool = False
    cuts: int = 0
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def run(self) -> None:
        with suppress(OSError):  # closed: the test is over
            while True:
                client, _ = self.listener.accept()
                if self.away:
                    _cut(client)
                    continue
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.target)) as server:
            back = threading.Thread(
                target=self._pump, args=(server, client, self.down), daemon=True
            )
            back.start()
            self._pump(client, server, self.up)
            back.join()

    def _pump(self, source: socket.socket, sink: socket.socket, most: int) -> None:
        passed = 0
        with suppress(OSError):
            while data := source.recv(min(_PIECE, most - passed) if most else _PIECE):
                sink.sendall(data)
                passed += len(data)
                if most and passed >= most:
                    self.cuts += 1
                    if self.once:
                        self.up = self.down = 0
                    break
        _cut(source)
        _cut(sink)


def _cut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()


@contextmanager
def breaking_proxy(
    target: int, *, down: int = 0, up: int = 0, once: bool = False
) -> Iterator[BreakingProxy]:
    """Run one until the block ends."""
    proxy = BreakingProxy(target=target, down=down, up=up, once=once)
    threading.Thread(target=proxy.run, daemon=True).start()
    try:
        yield proxy
    finally:
        with suppress(OSError):
            proxy.listener.shutdown(socket.SHUT_RDWR)
        proxy.listener.close()
