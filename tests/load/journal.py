"""What clients asked a repository to become, and what they were answered."""

from __future__ import annotations

import enum
import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from content import Content


class State(enum.Enum):
    OPEN = "not answered yet"
    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused with 412"
    LOST = "not answered, as the server was killed"


@dataclass(eq=False)
class Attempt:
    """One request for a commit. Its title is its own, so that it is found again in the history."""

    title: str
    changes: Mapping[str, Content | None]  # None: deleted
    parent: str | None  # the only commit that it may follow; None: any
    after: str  # acknowledged before this was asked for, so it must stand before this
    state: State = State.OPEN
    oid: str = ""


@dataclass(frozen=True)
class Repository:
    """`kind` is the plural: models, datasets."""

    kind: str
    name: str
    private: bool = False

    @property
    def api(self) -> str:
        return f"/api/{self.kind}/{self.name}"

    @property
    def page(self) -> str:
        return f"/{self.name}" if self.kind == "models" else f"/{self.kind}/{self.name}"


class Journal:
    """Of one repository. Thread-safe."""

    def __init__(self, repository: Repository, first: str, given: dict[str, tuple[int, str]]) -> None:
        """`first` is the commit that it begins with, which has the files `given`: path, size and id."""
        self.repository = repository
        self.first = first
        self.given = given
        self._lock = threading.Lock()
        self._attempts: dict[str, Attempt] = {}
        self._acknowledged: list[Attempt] = []
        self._newest = first

    def begin(self, title: str, changes: Mapping[str, Content | None], parent: str | None) -> Attempt:
        with self._lock:
            attempt = self._attempts[title] = Attempt(title, changes, parent, self._newest)
        return attempt

    def acknowledge(self, attempt: Attempt, oid: str) -> None:
        with self._lock:
            attempt.oid, attempt.state = oid, State.ACKNOWLEDGED
            self._acknowledged.append(attempt)
            self._newest = oid

    def lose(self, attempt: Attempt) -> None:
        with self._lock:
            attempt.state = State.LOST

    def refuse(self, attempt: Attempt) -> None:
        with self._lock:
            attempt.state = State.REFUSED
            attempt.changes = {}  # there are many of these, and nobody asks any more

    def find(self, title: str) -> Attempt | None:
        return self._attempts.get(title)

    def acknowledged(self) -> list[Attempt]:
        """In the order of their answers."""
        with self._lock:
            return list(self._acknowledged)

    def in_state(self, state: State) -> list[Attempt]:
        with self._lock:
            return [attempt for attempt in self._attempts.values() if attempt.state is state]

    def choose(self, source: random.Random) -> Attempt | None:
        """Any that was acknowledged."""
        with self._lock:
            return source.choice(self._acknowledged) if self._acknowledged else None
