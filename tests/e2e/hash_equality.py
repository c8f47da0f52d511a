"""`xet hash` and the genuine client give a file the same hash.

XET_E2E_FULL=1 compares all 300 generated files (4 GB); otherwise 40 small ones.
"""

from __future__ import annotations

import csv
import os
import random
import unittest
from pathlib import Path

from peer import PeerTest, peer
from support import KINDS, ROOT, FolderTest, Spec, generate, log_uniform, xet

FULL = os.environ.get("XET_E2E_FULL") == "1"
MAX_BYTES = 200_000_000
# Files on disk at once.
BATCH_BYTES = 500_000_000


def generated_specs() -> list[Spec]:
    """300 files of every kind, sizes log-uniform up to 200 MB, about 4 GB in all. The same in every run."""
    source = random.Random(3)
    sizes = [0, 1, 63, 64, 65] + [log_uniform(source, 200, MAX_BYTES) for _ in range(295)]
    return [Spec(KINDS[i % len(KINDS)], size, 31 * i) for i, size in enumerate(sizes)]


def batches(specs: list[Spec]) -> list[list[Spec]]:
    out: list[list[Spec]] = []
    for spec in specs:
        if not out or sum(s.size for s in out[-1]) + spec.size > BATCH_BYTES:
            out.append([])
        out[-1].append(spec)
    return out


def our_hashes(paths: list[Path]) -> list[list]:
    done = xet("hash", *paths)
    assert done.code == 0, done.stderr
    lines = [line.split(" ", 2) for line in done.stdout.splitlines()]
    assert [path for _, _, path in lines] == list(map(str, paths))
    return [[file_hash, int(size)] for file_hash, size, _ in lines]


class HashEquality(PeerTest, FolderTest):
    def assert_same_hashes(self, specs: list[Spec], expected: list[list] | None = None) -> None:
        paths = generate(self.folder, specs)
        ours = our_hashes(paths)
        if expected is not None:
            self.assertEqual(ours, expected)
        genuine = peer(self.folder / "cache", "hash_files", paths=list(map(str, paths)))
        for spec, our, theirs in zip(specs, ours, genuine, strict=True):
            self.assertEqual(our, theirs, spec)
        for path in paths:
            path.unlink()

    def test_published_vectors(self) -> None:
        with (ROOT / "tests/golden/hashes.tsv").open() as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        self.assertGreater(len(rows), 30)
        specs = [Spec("random", int(row["size"]), int(row["seed"])) for row in rows]
        self.assert_same_hashes(specs, [[row["xet_hash"], int(row["size"])] for row in rows])

    def test_generated_files(self) -> None:
        specs = generated_specs()
        if not FULL:
            specs = [spec for spec in specs if spec.size <= 3_000_000][:40]
            self.assertEqual(len(specs), 40)
        for batch in batches(specs):
            self.assert_same_hashes(batch)


if __name__ == "__main__":
    unittest.main()
