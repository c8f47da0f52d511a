"""Starting and stopping servers, ours and the genuine test server, each on a free port of the loopback interface.

What the demo, tests/interop and bench share. A server is a context manager; leaving it ends that process and no
other. What it prints goes to FOLDER/log, its store to FOLDER/data.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

START_LIMIT_S = 30
# Ours lets running requests end, for ten seconds at most.
STOP_LIMIT_S = 15
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class ServerError(Exception):
    """A server that does not start, or does not end as it should."""


def end_as_by_interrupt() -> None:
    """SIGTERM then leaves contexts like an exception, so that no server outlives this process."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A process that listens. Subclasses say how it is started and how it says that it is ready."""

    name = "server"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.url = ""
        self._process: subprocess.Popen | None = None

    def __enter__(self) -> Server:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    def cpu_s(self) -> float:
        """User and system seconds since it started, of all its threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S

    def peak_rss_mb(self) -> float:
        """Since the start, or since reset_peak_rss()."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)[1]) * 1024 / 1e6

    def reset_peak_rss(self) -> None:
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def log_tail(self) -> str:
        lines = (self.folder / "log").read_text(errors="replace").splitlines()
        return "\n".join(lines[-12:])

    def stop(self) -> int:
        """Asks it to end, and waits. Its exit status, negative for a signal."""
        if self._process is None:
            return 0
        process, self._process = self._process, None
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise ServerError(
                f"{self.name} was still there {STOP_LIMIT_S} s after SIGTERM:\n{self.log_tail()}"
            ) from None
        finally:
            if process.stdout is not None:
                process.stdout.close()
        return process.returncode

    def kill(self) -> None:
        """As a crash would end it. Nothing is left to be stopped then."""
        process, self._process = self._process, None
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def _start(self) -> None:
        raise NotImplementedError

    def _spawn(self, command: list[str | Path], **options: object) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                list(map(str, command)), stdin=subprocess.DEVNULL, stderr=log, **{"stdout": log, **options}
            )

    def _did_not_start(self, why: str) -> ServerError:
        process, self._process = self._process, None
        process.kill()
        process.wait()
        return ServerError(f"{self.name} did not start: {why}; it ended with {process.returncode}\n{self.log_tail()}")


class XetServe(Server):
    """`xet serve`, for everybody or for those who have a token of `token()`."""

    name = "xet-serve"

    def __init__(self, folder: Path, program: Path, auth: bool = False) -> None:
        super().__init__(folder)
        self._program = program
        self._auth = auth

    def restart(self) -> None:
        """After kill(): on the same address."""
        self._start(self.url.removeprefix("http://"))

    def _start(self, address: str = "127.0.0.1:0") -> None:
        auth = [] if self._auth else ["--auth=off"]
        self._spawn([self._program, "serve", "--data", self.data, "--listen", address, *auth], stdout=subprocess.PIPE)
        line = self._first_line()
        if (listening := re.search(r"listening on (http://\S+)", line)) is None:
            raise self._did_not_start(f"it said {line!r}, not where it listens")
        self.url = listening[1].rstrip("/")

    def _first_line(self) -> str:
        """Up to its line feed, its end, or the time limit."""
        pipe, line = self._process.stdout.fileno(), b""
        deadline = time.monotonic() + START_LIMIT_S
        while b"\n" not in line:
            left_s = deadline - time.monotonic()
            if left_s <= 0 or not select.select([pipe], [], [], left_s)[0]:
                break
            if not (more := os.read(pipe, 4096)):
                break
            line += more
        return line.decode(errors="replace")

    def stop(self) -> int:
        status = super().stop()
        if status != 0:
            raise ServerError(f"{self.name} ended with {status} on SIGTERM, not with 0:\n{self.log_tail()}")
        return status

    def token(self, scope: str, *options: str) -> str:
        command = [self._program, "admin", "cas-token", "--data", self.data, "--scope", scope, *options]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise ServerError(f"`{' '.join(map(str, command))}` ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout.strip()


class LocalCasServer(Server):
    """The genuine test server. It knows no tokens and ends by its signal."""

    def __init__(self, folder: Path, program: Path, in_memory: bool = False) -> None:
        super().__init__(folder)
        self.name = "local_cas_server, memory" if in_memory else "local_cas_server, disk"
        self._program = program
        self._storage = ["--in-memory"] if in_memory else ["--data-directory", self.data]

    def _start(self) -> None:
        for _ in range(5):
            port = free_port()
            self._spawn([self._program, "--host", "127.0.0.1", "--port", port, *self._storage])
            self.url = f"http://127.0.0.1:{port}"
            if self._gets_ready():
                return
            # It cannot choose a port itself, and somebody else may have taken this one.
        raise self._did_not_start(f"it did not answer on {self.url}")

    def _gets_ready(self) -> bool:
        deadline = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=1) as answer:
                    return answer.status == 200
            except (urllib.error.URLError, OSError):
                time.sleep(0.02)
        return False
