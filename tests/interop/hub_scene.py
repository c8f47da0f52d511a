"""Where the cells of the part `hub` take place: a client, a proxy that counts what he sends, the Hub behind it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from clients import ClientFailed
from hub_client import HubClient
from hub_server import Hub, Place
from proxy import CountingProxy, Tally
from report import Cell, Report
from traffic import Sent


@dataclass
class Wire:
    """What went over the wire within a `with`."""

    seen: dict[str, Tally] = field(default_factory=dict)

    @property
    def sent(self) -> Sent:
        return Sent.of(self.seen)

    def sent_as(self, purpose: str) -> int:
        return self.seen.get(purpose, Tally()).sent

    def requests(self, *purposes: str) -> int:
        return sum(tally.requests for name, tally in self.seen.items() if name in purposes)

    @property
    def received(self) -> int:
        return sum(tally.received for tally in self.seen.values())

    def assert_xet(self, used: bool) -> None:
        """Whether the CAS was asked: for plans when something was read, with shards when something was written."""
        asked = self.requests("plan v1", "plan v2", "shard v1", "shard v2")
        assert bool(asked) == used, f"{asked} requests to the CAS: {self.seen}"


@dataclass(frozen=True)
class Scene:
    report: Report
    client: HubClient
    hub: Hub
    proxy: CountingProxy
    place: Place
    folder: Path

    @property
    def name(self) -> str:
        return self.place.name

    def at(self, place: Place) -> Scene:
        return replace(self, place=place)

    def cell(self, what: str) -> AbstractContextManager[Cell]:
        kind = "bucket" if self.place.kind == "bucket" else "repository"
        return self.report.cell("hub", self.client.stack.name, kind, what)

    @contextmanager
    def elsewhere(self) -> Iterator[HubClient]:
        """The client on a machine without caches."""
        with self.fresh() as home:
            yield self.client.elsewhere(home)

    @contextmanager
    def fresh(self) -> Iterator[Path]:
        path = Path(tempfile.mkdtemp(dir=self.folder))
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    @contextmanager
    def counted(self) -> Iterator[Wire]:
        """Complete when the block has ended; nobody else may use the proxy meanwhile."""
        self.proxy.take()
        wire = Wire()
        yield wire
        wire.seen = self.proxy.take()

    def assert_holds(self, wanted: dict[str, str]) -> None:
        """These files, with these digests, and no others."""
        assert_same_files(self.hub.digests(self.place), wanted)

    def assert_has(self, path: str, digest: str) -> None:
        assert self.hub.digest(self.place, path) == digest, f"{path} has another content on the Hub"

    def assert_refused(self, function: str, **arguments: object) -> None:
        """To the stranger, for his token."""
        stranger = self.client.with_token(self.hub.strangers_token)
        try:
            stranger.call(function, **arguments)
        except ClientFailed as refusal:
            assert "403" in str(refusal), f"it failed for another reason: {refusal}"
        else:
            raise AssertionError("it went through")


def assert_same_files(found: dict[str, str], wanted: dict[str, str]) -> None:
    missing, extra = sorted(wanted.keys() - found.keys()), sorted(found.keys() - wanted.keys())
    other = sorted(name for name in wanted.keys() & found.keys() if wanted[name] != found[name])
    assert found == wanted, f"missing: {missing}, too many: {extra}, of another content: {other}"
