"""What the end-to-end tests share: the program under test, generated files, a folder that goes away."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import tempfile
import unittest
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KINDS = ("random", "constant", "repetitive", "text", "weights")


def _from_environment(name: str, fallback: Path) -> Path:
    return Path(os.environ.get(name, fallback))


PROGRAM = _from_environment("XET_PROGRAM", ROOT / "build/release/bin/xet")
TOOLS = _from_environment("XET_TEST_TOOLS", ROOT / "build/release/bin")


@dataclass(frozen=True)
class Finished:
    """A program run to its end."""

    code: int
    stdout: str
    stderr: str

    @property
    def events(self) -> list[dict]:
        return [json.loads(line) for line in self.stdout.splitlines()]

    def of(self, event: str) -> list[dict]:
        return [e for e in self.events if e["event"] == event]


def xet(*arguments: str | Path, timeout_s: float = 300) -> Finished:
    """Runs `xet` with these arguments and waits for it."""
    command = [str(PROGRAM), *map(str, arguments)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s)
    return Finished(done.returncode, done.stdout, done.stderr)


def tool(name: str, *arguments: str | Path, stdin: str = "") -> str:
    """Runs a helper program of this build; its failure is the test's."""
    command = [str(TOOLS / name), *map(str, arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}")
    return done.stdout


@dataclass(frozen=True)
class Spec:
    """A generated file: what it holds follows from these alone."""

    kind: str
    size: int
    seed: int

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.size}-{self.seed}"


def generate(folder: Path, specs: list[Spec]) -> list[Path]:
    paths = [folder / spec.name for spec in specs]
    lines = [f"{s.kind} {s.size} {s.seed} {path}\n" for s, path in zip(specs, paths, strict=True)]
    tool("e2e_generate", stdin="".join(lines))
    return paths


def log_uniform(source: random.Random, low: float, high: float) -> int:
    """A size whose logarithm is uniform: as many around 1 KB as around 1 MB."""
    return round(low * (high / low) ** source.random())


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class FolderTest(unittest.TestCase):
    """A test with a folder of its own, removed afterwards. XET_E2E_DIR says where; default: the system's place."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="xet-e2e-", dir=os.environ.get("XET_E2E_DIR")))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def assert_done(self, finished: Finished) -> Finished:
        self.assertEqual(finished.code, 0, finished.stderr or finished.stdout)
        return finished
