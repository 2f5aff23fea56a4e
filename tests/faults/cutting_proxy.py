"""A network between a client and a PostgreSQL server that does what networks do: slow down, stall, reset, cut off.

One trouble for each proxy, on its first connection only; what connects later passes through undisturbed, as after a
network that has recovered.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy.engine import make_url

COMMIT = b"COMMIT\x00"
_BLOCK = 4096
_KILOBYTE = 1024


@dataclass(frozen=True)
class Trouble:
    """`kind`: none; reset, stall or slow (1 KB a second for `seconds`), once so many bytes have passed from the client
    or, `towards_client`, from the server; `answer`: COMMIT arrives and its answer does not; `commit`: it never does."""

    kind: str
    after: int = 0
    towards_client: bool = False
    seconds: float = 1.0


class Proxy:
    """Listens on a port of its own and passes everything on to the server of a URL, but for the trouble."""

    def __init__(self, url: str, trouble: Trouble) -> None:
        parsed = make_url(url)
        self._server = (parsed.host or "127.0.0.1", int(parsed.port or 5432))
        self._trouble, self.happened = trouble, threading.Event()
        self._first = True
        self._sockets: list[socket.socket] = []
        self._lanes: list[_Lane] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        port = self._listening.getsockname()[1]
        self.url = parsed.set(port=port).render_as_string(hide_password=False)
        threading.Thread(target=self._accept, daemon=True).start()

    def passed(self, *, towards_client: bool) -> int:
        """Bytes that the first connection has had in that direction, until now."""
        return next(lane.passed for lane in self._lanes if lane.down == towards_client)

    def close(self) -> None:
        """Let go of every connection that still stands."""
        self._listening.close()
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(self._server)
                self._sockets += [client, server]
                troubled, self._first = self._first, False
                for source, sink, down in ((client, server, False), (server, client, True)):
                    lane = _Lane(source, sink, self._trouble if troubled else None, down, self.happened)
                    self._lanes.append(lane)
                    threading.Thread(target=lane.run, daemon=True).start()


@dataclass
class _Lane:
    """One direction of one connection."""

    source: socket.socket
    sink: socket.socket
    trouble: Trouble | None
    down: bool
    happened: threading.Event
    passed: int = 0

    def run(self) -> None:
        with contextlib.suppress(OSError):
            while block := self.source.recv(_BLOCK):
                if not self._pass(block):
                    return
            self.sink.shutdown(socket.SHUT_WR)

    def _pass(self, block: bytes) -> bool:
        """Hand a block on, or do what is to happen; whether the direction goes on."""
        trouble = self.trouble
        self.passed += len(block)
        if trouble is None or trouble.kind == "none":
            self.sink.sendall(block)
        elif trouble.kind in ("answer", "commit"):
            return self._around_commit(block, trouble)
        elif trouble.towards_client == self.down and self.passed > trouble.after:
            self.happened.set()
            if trouble.kind == "reset":
                _reset(self.source, self.sink)
                return False
            if trouble.kind == "stall":
                # Still there, still acknowledging what arrives, and handing nothing on until one side has given up.
                self._swallow()
                self.sink.shutdown(socket.SHUT_RDWR)
                return False
            self._dribble(block, trouble.seconds)
            self.trouble = None
        else:
            self.sink.sendall(block)
        return True

    def _around_commit(self, block: bytes, trouble: Trouble) -> bool:
        if self.down:
            if self.happened.is_set():
                # The server's answer: it has committed by now, and nobody will hear of it.
                _reset(self.source, self.sink)
                return False
        elif COMMIT in block:
            self.happened.set()
            if trouble.kind == "commit":
                _reset(self.source, self.sink)
                return False
        self.sink.sendall(block)
        return True

    def _dribble(self, block: bytes, seconds: float) -> None:
        """Bytes by the hundred, 1 KB a second, until the time is over; the rest at once."""
        until = time.monotonic() + seconds
        while block and time.monotonic() < until:
            some, block = block[: _KILOBYTE // 10], block[_KILOBYTE // 10 :]
            self.sink.sendall(some)
            time.sleep(0.1)
            if not block and time.monotonic() < until:
                block = self.source.recv(_BLOCK)
        if block:
            self.sink.sendall(block)

    def _swallow(self) -> None:
        while self.source.recv(_BLOCK):
            pass


def _reset(*sockets: socket.socket) -> None:
    """End connections with RST, as a firewall does or a host that has forgotten them."""
    for each in sockets:
        with contextlib.suppress(OSError):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            # The other direction's thread may wait in recv, which closing alone does not end.
            each.shutdown(socket.SHUT_RDWR)
            each.close()


@contextlib.contextmanager
def troubled(url: str, trouble: Trouble) -> Iterator[Proxy]:
    proxy = Proxy(url, trouble)
    try:
        yield proxy
    finally:
        proxy.close()
