"""The released client reads xorbs that our writer made, byte for byte, whatever the compression.

It stores files in a directory of its own; each xorb there is replaced by our encoding of the same chunks; it
downloads the files again.
"""

from __future__ import annotations

import json
import unittest

from peer import PeerTest, peer
from support import KINDS, FolderTest, Spec, generate, sha256, tool


class XorbExchange(PeerTest, FolderTest):
    def assert_peer_reads_ours(self, policy: str) -> dict[str, int]:
        """Returns how many chunks were packed how, over all xorbs."""
        sources = self.folder / "sources"
        sources.mkdir()
        specs = [Spec(kind, size, 7 * size) for kind in KINDS for size in (1, 5_000, 300_000, 4_000_000)]
        paths = generate(sources, specs)
        store, cache = self.folder / "store", self.folder / "cache"
        infos = peer(cache, "upload", endpoint=f"local://{store}", paths=list(map(str, paths)))

        totals: dict[str, int] = {}
        xorbs = sorted(path for path in (store / "xet/xorbs/xorbs").glob("default.*") if path.suffix != ".tagset")
        self.assertGreater(len(xorbs), 0)
        for xorb in xorbs:
            ours = self.folder / "ours"
            counts = json.loads(tool("e2e_reencode_xorb", xorb, ours, policy))
            # The client stores xorbs read-only.
            xorb.chmod(0o644)
            xorb.write_bytes(ours.read_bytes())
            totals = {name: totals.get(name, 0) + count for name, count in counts.items()}

        out = self.folder / "out"
        files = [[file_hash, size, str(out / str(i))] for i, (file_hash, size) in enumerate(infos)]
        # Another cache: what the client reads comes from the store.
        peer(self.folder / "cache-2", "download", endpoint=f"local://{store}", files=files)
        for i, path in enumerate(paths):
            self.assertEqual(sha256(out / str(i)), sha256(path), path.name)
        return totals

    def test_our_own_choice_of_scheme(self) -> None:
        totals = self.assert_peer_reads_ours("auto")
        for scheme in ("none", "lz4", "bg4_lz4"):
            self.assertGreater(totals[scheme], 0, f"no chunk was packed as {scheme}, so nothing was shown of it")
        print(totals)

    def test_stored_as_they_are(self) -> None:
        totals = self.assert_peer_reads_ours("none")
        self.assertEqual(totals["lz4"] + totals["bg4_lz4"], 0)
        self.assertGreater(totals["unlike"], 0, "our xorbs are the client's own")

    def test_lz4_alone(self) -> None:
        totals = self.assert_peer_reads_ours("lz4")
        self.assertGreater(totals["lz4"], 0)
        self.assertEqual(totals["bg4_lz4"], 0)

    def test_byte_grouping(self) -> None:
        totals = self.assert_peer_reads_ours("bg4-lz4")
        self.assertGreater(totals["bg4_lz4"], 0)
        self.assertEqual(totals["lz4"], 0)


if __name__ == "__main__":
    unittest.main()
