#!/usr/bin/env python3
"""upload, download, cat, plan, hash and chunks: what goes in comes out, and the figures are right."""

from __future__ import annotations

import hashlib
import json
import unittest

from cli_support import (
    CONTENT,
    DONE,
    EMPTY_HASH,
    NO_SUCH_HASH,
    NOT_FOUND,
    CliTest,
    environment,
    random_bytes,
)

ONE_MB = 1_000_000


class Upload(CliTest):
    def test_prints_hash_size_and_path(self):
        content = random_bytes(300_000, 1)
        self.write("a b.bin", content)
        done = self.xet("upload", "a b.bin")
        xet_hash, size, path = done.out.decode().rstrip("\n").split(" ", 2)
        self.assertEqual((size, path), ("300000", "a b.bin"))
        self.assertEqual(self.xet("hash", "a b.bin").out, done.out)
        self.assertEqual(self.xet("cat", xet_hash).out, content)

    def test_summary_is_on_stderr_and_quiet_silences_it(self):
        self.write("a", random_bytes(100_000, 1))
        self.assertIn(b"1 file, 100 kB", self.xet("upload", "a").err)
        self.assertEqual(self.xet("upload", "-q", "a").err, b"")

    def test_json_events_have_the_documented_fields(self):
        content = random_bytes(ONE_MB, 2)
        self.write("a", content)
        done = self.xet("upload", "--json", "a")
        (file,) = done.of("file")
        self.assertEqual(list(file), ["event", "path", "xet_hash", "size", "sha256"])
        self.assertEqual(file["path"], "a")
        self.assertEqual(file["size"], ONE_MB)
        self.assertEqual(file["sha256"], hashlib.sha256(content).hexdigest())
        sums = "files logical_bytes deduplicated_bytes new_bytes compressed_bytes wire_bytes seconds"
        self.assertEqual(list(done.summary), ["event", *sums.split()])
        self.assertEqual(done.summary["files"], 1)
        self.assertEqual(done.summary["logical_bytes"], ONE_MB)
        self.assertEqual(done.summary["new_bytes"], ONE_MB)
        self.assertGreater(done.summary["wire_bytes"], 0)

    def test_second_upload_is_all_duplicate(self):
        self.write("a", random_bytes(ONE_MB, 3))
        self.xet("upload", "a")
        summary = self.xet("upload", "--json", "a").summary
        self.assertEqual(summary["deduplicated_bytes"], ONE_MB)
        self.assertEqual(summary["new_bytes"], 0)

    def test_no_sha256_leaves_the_digest_out(self):
        self.write("a", b"abc")
        (file,) = self.xet("upload", "--json", "--no-sha256", "a").of("file")
        self.assertIsNone(file["sha256"])

    def test_takes_stdin_between_files(self):
        self.write("a", b"first")
        self.write("b", b"third")
        done = self.xet("upload", "--json", "a", "-", "b", stdin=b"second")
        files = done.of("file")
        self.assertEqual([f["path"] for f in files], ["a", "-", "b"])
        contents = [self.xet("cat", f["xet_hash"]).out for f in files]
        self.assertEqual(contents, [b"first", b"second", b"third"])

    def test_large_stdin_equals_the_same_file(self):
        content = random_bytes(9_000_001, 4)
        self.write("a", content)
        from_file = self.xet("upload", "a").out.split()[:2]
        self.assertEqual(self.xet("upload", "-", stdin=content).out.split()[:2], from_file)

    def test_empty_file_and_empty_stdin(self):
        self.write("empty", b"")
        self.assertEqual(self.xet("upload", "empty").out, f"{EMPTY_HASH} 0 empty\n".encode())
        self.assertEqual(self.put(b""), EMPTY_HASH)
        self.assertEqual(self.xet("cat", EMPTY_HASH).out, b"")
        self.xet("download", EMPTY_HASH, "-o", "back")
        self.assertEqual((self.folder / "back").read_bytes(), b"")

    def test_a_file_may_be_named_like_a_command_or_a_list(self):
        names = ["hash", "[a,b]", "[]", "--", "-r"]
        for name in names:
            self.write(name, name.encode())
        done = self.xet("upload", "--json", "hash", "[a,b]", "[]", "--", "--", "-r")
        self.assertEqual([f["path"] for f in done.of("file")], names)

    def test_endpoint_option_beats_the_environment(self):
        self.write("a", b"abc")
        other = self.folder / "other"
        xet_hash = self.xet("upload", "-e", f"local:{other}", "a").out.split()[0].decode()
        self.xet("cat", "-e", f"local://{other}", xet_hash)
        self.xet("cat", xet_hash, expect=NOT_FOUND)


class Download(CliTest):
    def test_writes_the_file_and_prints_its_line(self):
        content = random_bytes(2 * ONE_MB, 5)
        xet_hash = self.put(content)
        done = self.xet("download", xet_hash, "-o", "new/dir/copy")
        self.assertEqual((self.folder / "new/dir/copy").read_bytes(), content)
        self.assertEqual(done.out, f"{xet_hash} {2 * ONE_MB} new/dir/copy\n".encode())

    def test_json(self):
        xet_hash = self.put(b"abc")
        done = self.xet("download", "--json", xet_hash, "-o", "copy")
        (file,) = done.of("file")
        self.assertEqual((file["path"], file["xet_hash"], file["size"]), ("copy", xet_hash, 3))
        self.assertEqual(done.summary["files"], 1)
        self.assertEqual(done.summary["logical_bytes"], 3)

    def test_replaces_an_existing_file(self):
        xet_hash = self.put(b"new")
        self.write("copy", b"a longer old content")
        self.xet("download", xet_hash, "-o", "copy")
        self.assertEqual((self.folder / "copy").read_bytes(), b"new")

    def test_unknown_hash_is_3_and_leaves_what_was_there(self):
        self.put(b"abc")
        self.write("copy", b"old")
        done = self.xet("download", NO_SUCH_HASH, "-o", "copy", expect=NOT_FOUND)
        self.assert_one_line(done.err, NO_SUCH_HASH)
        self.assertEqual((self.folder / "copy").read_bytes(), b"old")
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()), ["copy", "store"])

    def test_dash_writes_to_stdout(self):
        self.assertEqual(self.xet("download", self.put(b"abc"), "-o", "-").out, b"abc")

    def test_upper_case_hash_is_the_same(self):
        self.assertEqual(self.xet("cat", self.put(b"abc").upper()).out, b"abc")

    def test_no_store_is_made_by_reading(self):
        self.store.mkdir()
        self.xet("cat", NO_SUCH_HASH, expect=NOT_FOUND)
        self.write("a", b"abc")
        self.xet("plan", "a")
        self.assertEqual(list(self.store.iterdir()), [])

    def test_missing_local_store_is_3_and_is_not_made(self):
        done = self.xet("cat", NO_SUCH_HASH, expect=NOT_FOUND)
        self.assert_one_line(done.err, "no store")
        self.xet("download", NO_SUCH_HASH, "-o", "copy", expect=NOT_FOUND)
        self.assertFalse(self.store.exists())


class Ranges(CliTest):
    def setUp(self):
        super().setUp()
        self.content = random_bytes(700_001, 6)
        self.hash = self.put(self.content)

    def ranges(self):
        size = len(self.content)
        cuts = [int(line.split()[0]) for line in self.xet("chunks", "-", stdin=self.content).out.splitlines()]
        borders = {0, 1, size - 1, size // 2, cuts[1], cuts[1] - 1, cuts[1] + 1, cuts[-1]}
        return [(a, b) for a in sorted(borders) for b in sorted(borders) if a <= b]

    def test_both_ends_are_included(self):
        for first, last in self.ranges():
            with self.subTest(first=first, last=last):
                done = self.xet("cat", self.hash, "--range", f"{first}-{last}")
                self.assertEqual(done.out, self.content[first : last + 1])

    def test_open_end(self):
        for first in (0, 1, len(self.content) - 1):
            self.assertEqual(self.xet("cat", self.hash, "--range", f"{first}-").out, self.content[first:])

    def test_end_beyond_the_file_is_cut(self):
        for last in (len(self.content), 10**12, 2**64 - 1):
            done = self.xet("cat", self.hash, "--range", f"700000-{last}")
            self.assertEqual(done.out, self.content[700000:])

    def test_range_behind_the_end_gives_nothing_and_says_so(self):
        for text in (f"{len(self.content)}-", f"{len(self.content)}-{len(self.content)}", f"{2**64 - 1}-"):
            done = self.xet("cat", self.hash, "--range", text)
            self.assertEqual(done.out, b"")
            self.assertIn(b"700001 bytes", done.err)

    def test_download_takes_ranges(self):
        done = self.xet("download", self.hash, "--range", "10-1009", "-o", "part")
        self.assertEqual((self.folder / "part").read_bytes(), self.content[10:1010])
        self.assertEqual(done.out.split()[1], b"1000")
        self.xet("download", self.hash, "--range", "699999-", "-o", "part")
        self.assertEqual((self.folder / "part").read_bytes(), self.content[699999:])

    def test_range_of_the_empty_file(self):
        self.assertEqual(self.xet("cat", EMPTY_HASH, "--range", "0-").out, b"")


class Cat(CliTest):
    def test_json_events_go_to_stderr(self):
        content = random_bytes(300_000, 7)
        xet_hash = self.put(content)
        done = self.xet("cat", "--json", xet_hash)
        self.assertEqual(done.out, content)
        summary = json.loads(done.err.splitlines()[-1])
        self.assertEqual((summary["event"], summary["logical_bytes"]), ("summary", 300_000))

    def test_help_says_that_bytes_come_before_the_verdict(self):
        self.assertIn(b"exit code is 6", self.xet("cat", "--help").out)


class DamagedStore(CliTest):
    def damage_xorbs(self) -> None:
        """Flips a byte in the middle of everything large in the store."""
        for path in self.store.rglob("*"):
            if path.is_file() and path.stat().st_size > 100_000:
                content = bytearray(path.read_bytes())
                content[len(content) // 2] ^= 1
                path.chmod(0o644)
                path.write_bytes(content)

    def test_wrong_content_is_6(self):
        xet_hash = self.put(random_bytes(3 * ONE_MB, 8))
        self.damage_xorbs()
        done = self.xet("download", xet_hash, "-o", "copy", expect=CONTENT)
        self.assert_one_line(done.err, "copy", "xorb", "chunk")
        self.assertFalse((self.folder / "copy").exists())
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()), ["store"])
        self.xet("cat", xet_hash, expect=CONTENT)
        failed = self.xet("download", "--json", xet_hash, "-o", "copy", expect=CONTENT)
        (error,) = failed.of("error")
        self.assertEqual((error["code"], error["kind"]), (CONTENT, "corruption"))


class Plan(CliTest):
    def test_counts_without_a_store(self):
        content = random_bytes(ONE_MB, 9)
        self.write("a", content)
        self.write("b", content)
        done = self.xet("plan", "--json", "a", "b", env=environment())
        self.assertEqual(done.summary["files"], 2)
        self.assertEqual(done.summary["logical_bytes"], 2 * ONE_MB)
        self.assertEqual(done.summary["deduplicated_bytes"], ONE_MB)
        self.assertEqual(done.summary["new_bytes"], ONE_MB)
        self.assertGreaterEqual(done.summary["compressed_bytes"], ONE_MB)
        self.assertEqual(done.summary["wire_bytes"], 0)

    def test_counts_against_a_store_and_writes_nothing(self):
        content = random_bytes(ONE_MB, 10)
        self.xet("upload", "-", stdin=content)
        before = sorted((p, p.stat().st_size) for p in self.store.rglob("*.mdb"))
        self.write("a", content)
        self.write("b", random_bytes(ONE_MB, 11))
        summary = self.xet("plan", "--json", "a", "b").summary
        self.assertEqual(summary["deduplicated_bytes"], ONE_MB)
        self.assertEqual(summary["new_bytes"], ONE_MB)
        self.assertEqual(sorted((p, p.stat().st_size) for p in self.store.rglob("*.mdb")), before)
        new = [f["xet_hash"] for f in self.xet("hash", "--json", "b").of("file")]
        self.xet("cat", new[0], expect=NOT_FOUND)

    def test_plan_agrees_with_the_upload(self):
        self.write("a", b"weights " * 200_000 + random_bytes(300_000, 12))
        planned = self.xet("plan", "--json", "a").summary
        done = self.xet("upload", "--json", "a").summary
        for field in ("logical_bytes", "deduplicated_bytes", "new_bytes", "compressed_bytes"):
            self.assertEqual(planned[field], done[field], field)

    def test_a_missing_local_store_is_not_made(self):
        self.write("a", b"abc")
        self.xet("plan", "a")
        self.assertFalse(self.store.exists())

    def test_text_names_the_four_figures(self):
        self.write("a", random_bytes(1000, 13))
        text = self.xet("plan", "a").out.decode()
        for word in ("logical", "duplicate", "new", "compressed"):
            self.assertIn(word, text)

    def test_takes_stdin(self):
        self.assertEqual(self.xet("plan", "--json", "-", stdin=b"x" * 5000).summary["logical_bytes"], 5000)


class HashAndChunks(CliTest):
    def test_needs_no_endpoint(self):
        self.write("a", b"Hello World!")
        done = self.xet("hash", "a", env=environment())
        self.assertEqual(done.out.split()[1:], [b"12", b"a"])

    def test_json_has_the_sha256(self):
        self.write("a", b"abc")
        (file,) = self.xet("hash", "--json", "a").of("file")
        self.assertEqual(file["sha256"], hashlib.sha256(b"abc").hexdigest())

    def test_stdin_from_a_pipe(self):
        content = random_bytes(500_000, 14)
        self.write("a", content)
        piped = self.xet("hash", "-", stdin=content).out
        self.assertEqual(piped, self.xet("hash", "a").out.replace(b" a\n", b" -\n"))

    def test_chunks_cover_the_file_in_order(self):
        content = random_bytes(ONE_MB, 15)
        self.write("a", content)
        rows = [line.split() for line in self.xet("chunks", "a", env=environment()).out.splitlines()]
        end = 0
        for offset, length, chunk_hash in rows:
            self.assertEqual(int(offset), end)
            self.assertEqual(len(chunk_hash), 64)
            end += int(length)
        self.assertEqual(end, ONE_MB)

    def test_chunks_as_json(self):
        content = random_bytes(300_000, 16)
        done = self.xet("chunks", "--json", "-", stdin=content)
        chunks = done.of("chunk")
        self.assertEqual(sum(c["length"] for c in chunks), 300_000)
        self.assertEqual(chunks[0]["offset"], 0)
        (file,) = done.of("file")
        self.assertEqual(file["size"], 300_000)
        self.assertEqual(done.summary["logical_bytes"], 300_000)

    def test_the_empty_file_has_no_chunks(self):
        self.assertEqual(self.xet("chunks", "-", stdin=b"").out, b"")
        self.assertEqual(self.xet("hash", "-", stdin=b"", expect=DONE).out, f"{EMPTY_HASH} 0 -\n".encode())


if __name__ == "__main__":
    unittest.main()
