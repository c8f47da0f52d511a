"""What the tests of the command line share: a folder, a store in it, and `xet` run with bytes in and out."""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import tempfile
import unittest
from dataclasses import dataclass
from pathlib import Path

from support import PROGRAM

NO_SUCH_HASH = "0123456789abcdef" * 4
EMPTY_HASH = "0" * 64

DONE, OTHER, USAGE, NOT_FOUND, NOT_ALLOWED, UNAVAILABLE, CONTENT, LOCAL_IO = range(8)
INTERRUPTED = 130
BROKEN_PIPE = 141


@dataclass(frozen=True)
class Run:
    """One run of the program, with its output as bytes: names need not be UTF-8."""

    code: int
    out: bytes
    err: bytes

    @property
    def events(self) -> list[dict]:
        return [json.loads(line) for line in self.out.splitlines()]

    def of(self, event: str) -> list[dict]:
        return [e for e in self.events if e["event"] == event]

    @property
    def summary(self) -> dict:
        """The last event, which must be the summary."""
        last = self.events[-1]
        if last["event"] != "summary":
            raise AssertionError(f"the last event is {last}")
        return last


# Exists, and nobody may read it, root included.
UNREADABLE = "/proc/sys/vm/compact_memory"


def environment(**changes: str) -> dict[str, str]:
    """This process's environment without settings of the program, and with `changes`."""
    out = {k: v for k, v in os.environ.items() if not k.startswith(("XET_", "HF_"))}
    # The sanitizers' own exit code and signal handling must not be taken for the program's.
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
        if name in os.environ:
            out[name] = os.environ[name]
    return out | changes


def random_bytes(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


class CliTest(unittest.TestCase):
    """Each test has a folder of its own and, by default, the store `local:FOLDER/store`."""

    def setUp(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="xet-cli-")
        self.addCleanup(self._folder.cleanup)
        self.folder = Path(self._folder.name)
        self.store = self.folder / "store"
        self.env = environment(XET_ENDPOINT=f"local:{self.store}")

    def command(self, *arguments: str | bytes | Path) -> list[str | bytes]:
        return [str(PROGRAM), *(a if isinstance(a, bytes) else str(a) for a in arguments)]

    def xet(
        self,
        *arguments: str | bytes | Path,
        stdin: bytes = b"",
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
        expect: int | None = DONE,
    ) -> Run:
        """Runs the program to its end; any other exit code than `expect` is a failure (None: any is fine)."""
        done = subprocess.run(
            self.command(*arguments),
            input=stdin,
            capture_output=True,
            env=self.env if env is None else env,
            cwd=cwd or self.folder,
            timeout=300,
        )
        if expect is not None:
            self.assertEqual(done.returncode, expect, f"{arguments}\nstdout {done.stdout!r}\nstderr {done.stderr!r}")
        return Run(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str | Path, **popen) -> subprocess.Popen:
        """Starts the program; it is killed at the end of the test if it still runs."""
        process = subprocess.Popen(self.command(*arguments), env=self.env, cwd=self.folder, **popen)

        def clean_up() -> None:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()

        self.addCleanup(clean_up)
        return process

    def write(self, name: str | bytes, content: bytes) -> Path:
        path = self.folder / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def put(self, content: bytes) -> str:
        """Uploads bytes and gives their hash."""
        return self.xet("upload", "-", stdin=content).out.split()[0].decode()

    def assert_one_line(self, err: bytes, *parts: str) -> None:
        """stderr is one line, of ours, with these parts."""
        self.assertTrue(err.startswith(b"xet: "), err)
        self.assertEqual(err.count(b"\n"), 1, err)
        for part in parts:
            self.assertIn(part.encode(), err)
