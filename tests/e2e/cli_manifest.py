#!/usr/bin/env python3
"""The output of an upload as a manifest: everything comes back, and a hostile one writes nothing outside."""

from __future__ import annotations

import json
import os
import unittest
from pathlib import Path

from cli_support import CONTENT, LOCAL_IO, NO_SUCH_HASH, NOT_FOUND, USAGE, CliTest, Run, random_bytes


def contents(folder: Path) -> dict[bytes, bytes]:
    """Every file below a folder by its path as bytes."""
    out = {}
    for parent, _, names in os.walk(os.fsencode(folder)):
        for name in names:
            path = Path(os.fsdecode(parent)) / os.fsdecode(name)
            out[os.fsencode(path.relative_to(folder))] = path.read_bytes()
    return out


class RoundTrip(CliTest):
    def test_a_tree_with_strange_names_comes_back(self):
        tree = {
            b"a": b"one",
            b"empty": b"",
            b"deep/er/file": random_bytes(400_000, 1),
            b"new\nline and space": b"two",
            b"back\\slash": b"three",
            b"latin-\xe9": b"four",
            b"copy of deep": random_bytes(400_000, 1),
            b"-": b"five",
        }
        for name, content in tree.items():
            self.write(b"tree/" + name, content)
        uploaded = self.xet("upload", "-r", "--json", ".", cwd=self.folder / "tree")
        self.write("manifest", uploaded.out)
        done = self.xet("download", "--json", "--manifest", "manifest", "-d", "back")
        self.assertEqual(contents(self.folder / "back"), tree)
        self.assertEqual(done.of("file"), uploaded.of("file"))
        self.assertEqual(done.summary["files"], len(tree))
        self.assertEqual(done.summary["logical_bytes"], sum(map(len, tree.values())))

    def test_absolute_paths_lose_their_slash(self):
        path = self.write("tree/file", b"abc")
        manifest = self.xet("upload", "--json", path).out
        self.xet("download", "--manifest", "-", "-d", "back", stdin=manifest)
        self.assertEqual(contents(self.folder / "back"), {os.fsencode(str(path)[1:]): b"abc"})

    def test_other_events_and_empty_lines_are_passed_over(self):
        self.write("a", b"abc")
        manifest = self.xet("upload", "--json", "--progress=json", "a", "missing", expect=LOCAL_IO).out
        self.assertIn(b'"event":"error"', manifest)
        self.assertIn(b'"event":"progress"', manifest)
        done = self.xet("download", "--manifest", "-", "-d", "back", stdin=b"\n" + manifest + b"\r\n")
        self.assertEqual(contents(self.folder / "back"), {b"a": b"abc"})
        self.assertEqual(done.out.split()[1:], [b"3", b"a"])

    def test_last_line_without_newline_counts(self):
        self.write("a", b"abc")
        line = self.xet("upload", "--json", "a").out.splitlines()[0]
        self.xet("download", "--manifest", "-", "-d", "back", stdin=line)
        self.assertEqual(contents(self.folder / "back"), {b"a": b"abc"})

    def test_an_empty_manifest_is_no_failure(self):
        self.put(b"abc")
        done = self.xet("download", "--json", "--manifest", "-", "-d", "back", stdin=b"")
        self.assertEqual(done.summary["files"], 0)


class Failures(CliTest):
    def setUp(self):
        super().setUp()
        self.hash = self.put(b"abc")

    def entry(self, **fields) -> bytes:
        line = {"event": "file", "path": "a", "xet_hash": self.hash, "size": 3, "sha256": None} | fields
        return json.dumps({k: v for k, v in line.items() if v is not ...}).encode() + b"\n"

    def download(self, manifest: bytes, expect: int = CONTENT) -> Run:
        return self.xet("download", "--manifest", "-", "-d", "back", stdin=manifest, expect=expect)

    def test_one_missing_file_does_not_stop_the_others(self):
        done = self.download(self.entry(path="gone", xet_hash=NO_SUCH_HASH) + self.entry(), expect=NOT_FOUND)
        self.assertEqual(contents(self.folder / "back"), {b"a": b"abc"})
        self.assert_one_line(done.err.splitlines(keepends=True)[0], NO_SUCH_HASH)

    def test_the_worst_code_wins(self):
        manifest = self.entry(path="gone", xet_hash=NO_SUCH_HASH) + self.entry(path="wrong", size=4)
        self.download(manifest, expect=CONTENT)

    def test_a_wrong_size_is_a_mismatch(self):
        self.download(self.entry(size=2))
        self.assertEqual(contents(self.folder / "back"), {})

    def test_paths_that_lead_out_are_refused_before_anything_is_written(self):
        for path in ("..", "../x", "a/../../x", "/../x", "a/..", "", ".", "/", "a/", "a/.", "a\0b"):
            with self.subTest(path=path):
                done = self.download(self.entry(path="good") + self.entry(path=path))
                self.assertIn(b"line 2", done.err)
                self.assertFalse((self.folder / "back").exists())
                self.assertFalse((self.folder / "x").exists())

    def test_encoded_paths_get_the_same_check(self):
        for path in ("%2e%2e/x", "..%2Fx", "%2E./x", "a%00b", "%", "%4", "%zz", "x%"):
            with self.subTest(path=path):
                self.download(self.entry(path=..., path_bytes=path))
                self.assertFalse((self.folder / "back").exists())

    def test_harmless_dots_are_dropped(self):
        self.download(self.entry(path="//./a/./..b//c"), expect=0)
        self.assertEqual(contents(self.folder / "back"), {b"a/..b/c": b"abc"})

    def test_malformed_lines_are_refused(self):
        bad = [
            b"no json\n",
            b"[]\n",
            b"{}\n",
            b'{"event":1}\n',
            b"\xff\xfe\n",
            b"{" * 100_000 + b"\n",
            b"[" * 100_000 + b"\n",
            self.entry(path=...),
            self.entry(path=7),
            self.entry(xet_hash=...),
            self.entry(xet_hash="abc"),
            self.entry(xet_hash=5),
            self.entry(size=-1),
            self.entry(size="3"),
            self.entry(size=1.5),
            self.entry(sha256="xyz"),
            self.entry(sha256=1),
            self.entry(range="0-1"),
            self.entry()[:-2] + b"\n",
        ]
        for line in bad:
            with self.subTest(line=line[:60]):
                done = self.download(self.entry(path="good") + line)
                self.assert_one_line(done.err, "line 2")
                self.assertFalse((self.folder / "back").exists())

    def test_an_endless_line_is_refused(self):
        done = self.download(b" " * 3_000_000)
        self.assertIn(b"longer than", done.err)

    def test_two_contents_under_one_path_are_refused(self):
        other = self.put(b"other")
        self.download(self.entry() + self.entry(path="/a", xet_hash=other, size=5))
        self.assertFalse((self.folder / "back").exists())
        self.download(self.entry() + self.entry(path="./a"), expect=0)

    def test_missing_manifest_is_7(self):
        self.xet("download", "--manifest", "nowhere", "-d", "back", expect=LOCAL_IO)

    def test_directory_is_required(self):
        self.xet("download", "--manifest", "-", expect=USAGE)


if __name__ == "__main__":
    unittest.main()
