"""What the suite was asked to run: clients, servers, data, and where files go."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from clients import Client, HfXet, Xet, Xtool
from servers import LocalCasServer, Server, XetServe

GENUINE = ("hf_xet-1.6.0", "hf_xet-1.8.0", "xtool-1.8.0")
CLIENTS = (*GENUINE, "xet")
SERVERS = ("cas-disk", "cas-memory", "xet-serve")
# It reads a whole xorb for each request: 20 ms for a file of a few bytes.
SLOW_SERVERS = ("cas-disk",)
# Whose traffic ours is compared with.
REFERENCE = "hf_xet-1.8.0"


@dataclass
class Matrix:
    program: Path
    peers: dict[str, Path]
    folder: Path
    scale: float
    client_names: list[str]
    server_names: list[str]
    clients: dict[str, Client] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.clients = {
            "hf_xet-1.6.0": HfXet("hf_xet-1.6.0", self.peers["hf-xet-1.6.0"]),
            "hf_xet-1.8.0": HfXet("hf_xet-1.8.0", self.peers["hf-xet-1.8.0"]),
            "xtool-1.8.0": Xtool(self.peers["xtool"]),
            "xet": Xet(self.program),
        }

    def chosen(self) -> list[Client]:
        return [self.clients[name] for name in self.client_names]

    @contextmanager
    def fresh(self) -> Iterator[Path]:
        """A new folder: a server's store, a client's cache, what was downloaded."""
        path = self.folder / f"{next(self._numbers):04}"
        path.mkdir()
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    @contextmanager
    def server(self, name: str, auth: bool = False) -> Iterator[Server]:
        """A server with an empty store."""
        with self.fresh() as folder:
            if name == "xet-serve":
                made = XetServe(folder, self.program, auth)
            else:
                made = LocalCasServer(folder, self.peers["local_cas_server"], in_memory=name == "cas-memory")
            with made as server:
                yield server
