"""What a run took: counts, bytes and times of answers."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict


class Figures:
    """Of one part of a run. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds: dict[str, list[float]] = defaultdict(list)
        self._counts: Counter[str] = Counter()
        self._begun = time.monotonic()
        self._took_s = 0.0

    def answered(self, kind: str, seconds: float) -> None:
        with self._lock:
            self._seconds[kind].append(seconds)

    def count(self, what: str, n: int = 1) -> None:
        with self._lock:
            self._counts[what] += n

    def stop(self) -> None:
        """The clock; what is counted later still counts."""
        self._took_s = time.monotonic() - self._begun

    def __getitem__(self, what: str) -> int:
        return self._counts[what]

    @property
    def requests(self) -> int:
        """The processes are none: what they ask for is not seen here."""
        return sum(len(times) for kind, times in self._seconds.items() if not kind.startswith("xet "))

    def per_s(self, n: float) -> float:
        return n / self._took_s

    def summary(self) -> str:
        counts = self._counts
        return (
            f"{self._took_s:.0f} s, {self.per_s(self.requests):.0f} requests/s, "
            f"{self.per_s(counts['commits']):.1f} commits/s, {counts['412']} times 412 and tried again, "
            f"{counts['up'] / 1e6:.0f} MB up, {counts['down'] / 1e6:.0f} MB down"
        )

    def table(self) -> str:
        lines = [f"  {'':<28}{'number':>8}{'p50':>10}{'p99':>10}{'max':>10}"]
        for kind, times in sorted(self._seconds.items()):
            times = sorted(times)
            told = (times[len(times) // 2], times[len(times) * 99 // 100], times[-1])
            lines.append(f"  {kind:<28}{len(times):>8}" + "".join(f"{1000 * t:>7.0f} ms" for t in told))
        return "\n".join(lines)
