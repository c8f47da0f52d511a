"""What the tests share: contents, stores, uploads and downloads in one line, and programs run in a new interpreter."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import hf_xet
import pytest
from differences import OURS

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

NO_SUCH_HASH = "0123456789abcdef" * 4
EMPTY_HASH = "0" * 64
EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
# Long after the test, as seconds since 1970.
FAR_FUTURE = 1 << 40

# Waits that only a broken module exhausts.
PATIENCE_S = 20


def random_bytes(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


@dataclass(frozen=True)
class Store:
    """A place for files. `access` is what the factories of a session need to reach it."""

    kind: str
    endpoint: str
    token: str | None = None

    def through(self, url: str) -> dict[str, object]:
        """What is needed to reach it by another way."""
        return self.access | {"endpoint": url}

    @property
    def access(self) -> dict[str, object]:
        if self.token is None:
            return {"endpoint": self.endpoint}
        return {"endpoint": self.endpoint, "token": self.token, "token_expiry_unix_secs": FAR_FUTURE}


def upload(session: hf_xet.XetSession, access: dict[str, object], data: bytes) -> hf_xet.XetFileInfo:
    """Commits one file and gives its hash and size."""
    with session.new_upload_commit(**access) as commit:
        handle = commit.start_upload_bytes(data)
    return handle.result().xet_info


def download(session: hf_xet.XetSession, access: dict[str, object], info: hf_xet.XetFileInfo, path: Path) -> bytes:
    """What a file download leaves at `path`."""
    with session.new_file_download_group(**access) as group:
        group.start_download_file(info, str(path))
    return path.read_bytes()


def attributes(report: object) -> dict[str, object]:
    """The public attributes of a report."""
    return {name: getattr(report, name) for name in dir(report) if not name.startswith("_")}


def wait_until(true: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> object:
    """Looks until there is something to see; gives it."""
    deadline = time.monotonic() + patience_s
    while not (seen := true()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {patience_s} s")
        time.sleep(0.005)
    return seen


@dataclass
class Finished:
    """A program run to its end. `code` is negative for a signal."""

    code: int
    out: str
    err: str


def environment(folder: Path, **changes: str) -> dict[str, str]:
    """An environment without settings of the module, in which it writes nothing outside `folder`."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "XET_", "RUST_", "TOKIO_", "DO_NOT_"))}
    kept |= {"HOME": str(folder), "HF_XET_CACHE": str(folder / "cache"), "PYTHONPATH": str(HERE)}
    return kept | changes


@dataclass
class Child:
    """A Python program in a process of its own, which tells lines and can be interrupted."""

    process: subprocess.Popen
    lines: list[str] = field(default_factory=list)

    def line(self) -> str:
        """The next line of its output; an empty text when there is none any more."""
        got = self.process.stdout.readline()
        self.lines.append(got)
        return got.rstrip("\n")

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def finish(self, timeout_s: float = PATIENCE_S) -> Finished:
        out, err = self.process.communicate(timeout=timeout_s)
        return Finished(self.process.returncode, out, err)


@contextmanager
def python(program: str, folder: Path, *arguments: str, **changes: str) -> Iterator[Child]:
    """Runs `program` in a new interpreter that has this directory on its path, and ends it on leaving."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(folder, **changes),
        cwd=folder,
    )
    try:
        yield Child(process)
    finally:
        process.kill()
        process.communicate()


def run_python(program: str, folder: Path, *arguments: str, timeout_s: float = 60, **changes: str) -> Finished:
    """Like `python`, to its end."""
    with python(program, folder, *arguments, **changes) as child:
        return child.finish(timeout_s)


@contextmanager
def fails(kind: type[BaseException], start: str = "") -> Iterator[pytest.ExceptionInfo]:
    """The block raises `kind` with a text that begins with `start`."""
    with pytest.raises(kind) as caught:
        yield caught
    assert str(caught.value).startswith(start), f"{caught.value!s:.300} does not begin with {start!r}"


def stream_error(make: Callable[[], Iterator]) -> tuple[Iterator, BaseException]:
    """A stream that failed, and with what. The genuine module now and then ends such a stream without a word."""
    for _ in range(200):
        stream = make()
        try:
            for _ in stream:
                pass
        except Exception as e:
            return stream, e
        if OURS:
            break
    raise AssertionError("the stream ended as if nothing had happened")
