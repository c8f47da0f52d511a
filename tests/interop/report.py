"""Cells, one line each as they finish, and the closing line."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from clients import ClientFailed
from environments import InstallError
from minilm import ModelMissing
from servers import ServerError

# What a cell may fail with. Anything else is a mistake of the suite and ends it.
_FAILURES = (
    AssertionError,
    ClientFailed,
    InstallError,
    ModelMissing,
    ServerError,
    subprocess.TimeoutExpired,
    OSError,
)


@dataclass
class Cell:
    """One statement of the matrix. `note` is printed with it."""

    name: str
    note: str = ""
    failure: str = ""


@dataclass
class Report:
    """Any number of threads may have a cell each at a time."""

    cells: list[Cell] = field(default_factory=list)
    _started: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def cell(self, *names: str) -> Iterator[Cell]:
        """The body is the cell; an exception of a known kind is its failure and goes no further."""
        cell = Cell(" · ".join(names))
        before = time.monotonic()
        try:
            yield cell
        except _FAILURES as failure:
            cell.failure = f"{type(failure).__name__}: {failure}"
        self._finish(cell, time.monotonic() - before)

    def not_reached(self, why: str, *names: str) -> None:
        """A cell that cannot be tried because an earlier one failed: a failure of its own."""
        self._finish(Cell(" · ".join(names), failure=f"not reached: {why}"), 0)

    def _finish(self, cell: Cell, seconds: float) -> None:
        mark = "FAILED" if cell.failure else "ok"
        note = f"  {cell.note}" if cell.note else ""
        with self._lock:
            self.cells.append(cell)
            print(f"{mark:6} {cell.name}  ({seconds:.1f} s){note}", flush=True)
            if cell.failure:
                print("       " + cell.failure.replace("\n", "\n       "), flush=True)

    def close(self, left_out: str) -> int:
        """Prints the closing lines; the exit code."""
        failed = [cell for cell in self.cells if cell.failure]
        print()
        if failed:
            print("failed:")
            for cell in failed:
                print(f"  {cell.name}: {cell.failure.splitlines()[0]}")
        if left_out:
            print(f"this is not the whole matrix: {left_out}")
        passed = len(self.cells) - len(failed)
        print(f"interop: {passed} of {len(self.cells)} cells passed in {time.monotonic() - self._started:.0f} s")
        return 0 if self.cells and not failed else 1
