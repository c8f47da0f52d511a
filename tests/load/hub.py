"""The server of a run: started, killed and started again on its address, and what it takes of the machine."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cli_support import environment
from errors import Interrupted, Wrong
from servers import ServerError, XetServe

_SAMPLE_S = 0.2
_PROGRAM_LIMIT_S = 600


@dataclass
class Taken:
    """By a process: now, or the most of it."""

    rss_mb: float = 0
    threads: int = 0
    descriptors: int = 0
    databases: int = 0  # descriptors of the database, which are kept for the next one who asks

    def grow(self, other: Taken) -> None:
        self.rss_mb = max(self.rss_mb, other.rss_mb)
        self.threads = max(self.threads, other.threads)
        self.descriptors = max(self.descriptors, other.descriptors)
        self.databases = max(self.databases, other.databases)

    def __str__(self) -> str:
        descriptors = f"{self.descriptors} + {self.databases} of the database descriptors"
        return f"{self.rss_mb:.0f} MB, {self.threads} threads, {descriptors}"


class Site:
    """`xet serve` on a store of its own. Leaving it ends that process."""

    def __init__(self, folder: Path, program: Path) -> None:
        self.program = program
        self._server = XetServe(folder, program, auth=True)
        self.data = self._server.data
        self._lock = threading.Lock()
        self._up = threading.Event()
        self._last_outage: tuple[float, float] | None = None
        self.stretch = 0  # counts every end and every beginning of the server

    def __enter__(self) -> Site:
        self._server.__enter__()
        self._up.set()
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        try:
            self._server.stop()
        except ServerError as error:
            # That would hide what went wrong first.
            if kind is None:
                raise
            print(error, flush=True)

    @property
    def url(self) -> str:
        return self._server.url

    # --- Killing it

    @contextlib.contextmanager
    def killed(self, twice: bool) -> Iterator[None]:
        """Without server for the time of the body. `twice`: it is killed again as soon as it has started."""
        with self._lock:
            self._up.clear()
            self.stretch += 1
            self._last_outage = (time.monotonic(), float("inf"))
        self._server.kill()
        try:
            yield
            self._server.restart()
            if twice:
                self._server.kill()
                self._server.restart()
            with self._lock:
                self._last_outage = (self._last_outage[0], time.monotonic())
                self.stretch += 1
        finally:
            # Whoever waits has to see, too, that there will be none.
            self._up.set()

    def stop(self) -> None:
        """As its owner would. It has to end with 0."""
        self._server.stop()

    def wait_until_up(self) -> None:
        self._up.wait()

    def failure(self, since: float, what: str) -> Wrong | Interrupted:
        """Of something that began then and failed now: nobody's mistake only if the server was away between."""
        with self._lock:
            if self._last_outage and self._last_outage[1] >= since:
                return Interrupted(what)
        return Wrong(what)

    # --- What it takes

    def taken(self) -> Taken:
        process = Path(f"/proc/{self._server.pid}")
        status = (process / "status").read_text()
        numbers = {name: int(re.search(rf"^{name}:\s+(\d+)", status, re.MULTILINE)[1]) for name in ("VmRSS", "Threads")}
        databases = others = 0
        for descriptor in (process / "fd").iterdir():
            # Some are closed while we look.
            with contextlib.suppress(FileNotFoundError):
                if descriptor.readlink().name.startswith("meta.sqlite"):
                    databases += 1
                else:
                    others += 1
        return Taken(numbers["VmRSS"] * 1024 / 1e6, numbers["Threads"], others, databases)

    def peak_rss_mb(self) -> float:
        """Of the process that runs now."""
        return self._server.peak_rss_mb()

    def notes(self) -> list[str]:
        """What it wrote to stderr."""
        return (self._server.folder / "log").read_text(errors="replace").splitlines()

    # --- The program beside it

    def admin(self, *arguments: str | Path) -> str:
        command = [self.program, "admin", *arguments, "--data", self.data]
        done = subprocess.run(
            list(map(str, command)), capture_output=True, text=True, env=environment(), timeout=_PROGRAM_LIMIT_S
        )
        if done.returncode != 0:
            told = (done.stdout[-2000:] + done.stderr[-2000:]).strip()
            raise Wrong(f"`xet admin {' '.join(map(str, arguments))}` ended with {done.returncode}: {told}")
        return done.stdout

    def check_store(self) -> str:
        """Everything in the store is read and hashed. What a kill left without a row is no damage."""
        events = [json.loads(line) for line in self.admin("fsck", "--deep", "--json").splitlines()]
        findings = [event for event in events if event["event"] == "finding"]
        if damages := [finding for finding in findings if finding["kind"] != "orphan"]:
            raise Wrong(f"`xet admin fsck --deep` found {len(damages)} damages, the first is {damages[0]}")
        summary = events[-1]
        if summary["event"] != "fsck" or summary["damages"] != 0:
            raise Wrong(f"`xet admin fsck --deep` ended with {summary}")
        return (
            f"{summary['files']} files, {summary['xorbs']} xorbs, {summary['bytes_read'] / 1e6:.0f} MB read, "
            f"{summary['orphans']} objects without a row"
        )


class Watch:
    """Samples what the server takes, in a thread of its own, while the body runs."""

    def __init__(self, site: Site) -> None:
        self.most = Taken()
        self._site = site
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch")

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(_SAMPLE_S):
            # Between a kill and a start there is no process, or one that is going.
            with contextlib.suppress(OSError, AttributeError, TypeError):
                self.most.grow(self._site.taken())
                self.most.rss_mb = max(self.most.rss_mb, self._site.peak_rss_mb())
