"""A proxy that counts what a client sends and receives, by the purpose of each request.

Clients count themselves, each in its own way; what went over the wire is one number. The proxy passes requests on
as they are, `Host` included, so that servers which make URLs of it send the client back through the proxy.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

_BLOCK = 1 << 18


@dataclass
class Tally:
    """Requests of one purpose; bytes are those of bodies."""

    requests: int = 0
    sent: int = 0
    received: int = 0
    # Answers that hold several ranges.
    multipart: int = 0


def purpose(method: str, path: str) -> str:
    if path.startswith("/lfs/"):
        return "lfs"
    # Any other PUT is the use of an upload grant, whatever its URL looks like.
    if method == "PUT" or path.startswith("/v1/xorbs/"):
        return "xorb"
    for prefix, name in (
        ("/v1/xorb-", "grant"),
        ("/v1/shards", "shard v1"),
        ("/v2/shards", "shard v2"),
        ("/v1/chunks/", "dedup"),
        ("/v1/reconstructions", "plan v1"),
        ("/v2/reconstructions", "plan v2"),
        ("/v1/telemetry", "telemetry"),
        ("/api/", "hub"),
    ):
        if path.startswith(prefix):
            return name
    return "data"


class CountingProxy:
    """Listens on a free port as long as the context lasts."""

    def __init__(self, target: str, record: Path | None = None) -> None:
        """`record`: a folder for the bodies that are POSTed, xorb-HASH and shard-0, shard-1 and so on."""
        parts = urlsplit(target)
        self._target = (parts.hostname, parts.port)
        self._record = record
        self._shard_numbers = itertools.count()
        self._lock = threading.Lock()
        self._tallies: dict[str, Tally] = {}
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> CountingProxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        # A blocked accept() notices a shutdown, not a close.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def take(self) -> dict[str, Tally]:
        """What was counted since the last call. For use when the client has ended."""
        with self._lock:
            taken, self._tallies = self._tallies, {}
        return taken

    def _count(self, of: str, more: Tally) -> None:
        with self._lock:
            tally = self._tallies.setdefault(of, Tally())
            tally.requests += more.requests
            tally.sent += more.sent
            tally.received += more.received
            tally.multipart += more.multipart

    @contextlib.contextmanager
    def _copy_of(self, method: str, path: str) -> Iterator[BinaryIO | None]:
        """Where a body is recorded, if it is."""
        kind = purpose(method, path)
        if self._record is None or method != "POST" or kind not in ("xorb", "shard v1", "shard v2"):
            yield None
            return
        name = path.rsplit("/", 1)[1] if kind == "xorb" else next(self._shard_numbers)
        with (self._record / f"{kind.split()[0]}-{name}").open("wb") as file:
            yield file

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), client, socket.create_connection(self._target) as server:
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._open |= {client, server}
            try:
                from_client, from_server = client.makefile("rb", _BLOCK), server.makefile("rb", _BLOCK)
                while self._exchange(client, from_client, server, from_server):
                    pass
            finally:
                with self._lock:
                    self._open -= {client, server}

    def _exchange(
        self, client: socket.socket, from_client: BinaryIO, server: socket.socket, from_server: BinaryIO
    ) -> bool:
        """One request and its answer. False when the connection is over."""
        head = _head(from_client)
        if not head:
            return False
        method, path, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
        server.sendall(head)
        with self._copy_of(method, path) as copy:
            sent, _ = _body(head, from_client, server, copy=copy)
        # Before the answer: a client that has it may end, and take() be called.
        self._count(purpose(method, path), Tally(requests=1, sent=sent))
        while True:
            answer = _head(from_server)
            if not answer:
                return False
            client.sendall(answer)
            status = int(answer.split(b" ", 2)[1])
            if status >= 200:
                break
        goes_on = True
        if method != "HEAD" and status not in (204, 304):
            received, goes_on = _body(answer, from_server, client, until_close=True)
            multipart = b"multipart/byteranges" in answer.lower()
            self._count(purpose(method, path), Tally(received=received, multipart=int(multipart)))
        return goes_on and b"connection: close" not in answer.lower()


def _head(source: BinaryIO) -> bytes:
    """Start line and headers with the empty line behind them; empty at the end of the stream."""
    lines = []
    while line := source.readline(1 << 16):
        lines.append(line)
        if line == b"\r\n":
            return b"".join(lines)
    return b""


def _header(head: bytes, name: bytes) -> bytes | None:
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.strip().lower() == name:
            return value.strip()
    return None


def _body(
    head: bytes, source: BinaryIO, to: socket.socket, until_close: bool = False, copy: BinaryIO | None = None
) -> tuple[int, bool]:
    """Passes the body that this head announces on. Its length without framing, and whether the stream goes on."""
    if (_header(head, b"transfer-encoding") or b"").lower() == b"chunked":
        return _chunked(source, to, copy), True
    length = _header(head, b"content-length")
    if length is not None:
        return _copy(source, to, int(length), copy), True
    return (_copy(source, to, None, copy), False) if until_close else (0, True)


def _copy(source: BinaryIO, to: socket.socket, n: int | None, copy: BinaryIO | None) -> int:
    block, done = memoryview(bytearray(_BLOCK)), 0
    while n is None or done < n:
        got = source.readinto1(block if n is None else block[: min(_BLOCK, n - done)])
        if not got:
            if n is None:
                return done
            raise OSError("the stream ended within a body")
        to.sendall(block[:got])
        if copy is not None:
            copy.write(block[:got])
        done += got
    return done


def _chunked(source: BinaryIO, to: socket.socket, copy: BinaryIO | None) -> int:
    done = 0
    while True:
        line = source.readline(1 << 16)
        to.sendall(line)
        size = int(line.split(b";")[0], 16)
        if size == 0:
            break
        done += _copy(source, to, size, copy)
        to.sendall(source.read(2))
    while (line := source.readline(1 << 16)) not in (b"\r\n", b""):
        to.sendall(line)
    to.sendall(line)
    return done
