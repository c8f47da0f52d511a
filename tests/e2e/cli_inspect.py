#!/usr/bin/env python3
"""inspect: sound xorbs and shards are explained, and the first thing wrong in a damaged one is named."""

from __future__ import annotations

import os
import shutil
import struct
import unittest
from pathlib import Path

from cli_support import CONTENT, LOCAL_IO, CliTest, Run, environment, random_bytes

SHARD_TAG = b"HFRepoMetaData\0" + bytes.fromhex("5569 6745 6a7b 8157 83a5 bdd9 5ccd d14a a9")
BOOKEND = b"\xff" * 32 + bytes(16)
# Of the places of a damage each, or every few: each is a process.
STEP = int(os.environ.get("XET_E2E_STEP", "1"))


def raw(hash_hex: str) -> bytes:
    """A hash as it lies in a file: each group of 8 bytes runs against its digits."""
    return b"".join(bytes.fromhex(hash_hex[i : i + 16])[::-1] for i in range(0, 64, 16))


def u24(number: int) -> bytes:
    return number.to_bytes(3, "little")


def stored_chunk(content: bytes, scheme: int = 0) -> bytes:
    return b"\0" + u24(len(content)) + bytes([scheme]) + u24(len(content)) + content


def xorb_footer(xorb: str, chunks: list[str], sizes: list[int]) -> bytes:
    n = struct.pack("<I", len(chunks))
    packed_ends, unpacked_ends, packed, unpacked = b"", b"", 0, 0
    for size in sizes:
        packed, unpacked = packed + 8 + size, unpacked + size
        packed_ends += struct.pack("<I", packed)
        unpacked_ends += struct.pack("<I", unpacked)
    hashes = b"XBLBHSH\0" + n + b"".join(map(raw, chunks))
    boundaries = b"XBLBBND\x01" + n + packed_ends + unpacked_ends
    distances = struct.pack("<II", 52 + 40 * len(chunks), 40 + 8 * len(chunks))
    footer = b"XETBLOB\x01" + raw(xorb) + hashes + boundaries + n + distances + bytes(16)
    return footer + struct.pack("<I", len(footer))


class InspectTest(CliTest):
    def setUp(self):
        super().setUp()
        self.env = environment()  # inspect needs no endpoint
        self.contents = [b"first chunk", b"second " * 20]

    def chunk_hash(self, content: bytes) -> str:
        return self.xet("chunks", "-", stdin=content).out.split()[2].decode()

    def inspect(self, path: Path | str, *options: str, expect: int = 0) -> Run:
        return self.xet("inspect", *options, path, expect=expect)


class Xorbs(InspectTest):
    def setUp(self):
        super().setUp()
        self.body = b"".join(map(stored_chunk, self.contents))
        self.hashes = [self.chunk_hash(content) for content in self.contents]
        plain = self.write("body", self.body)
        self.xorb = self.inspect(plain, "--json", "--verify").of("xorb")[0]["xorb_hash"]
        self.footer = xorb_footer(self.xorb, self.hashes, [len(c) for c in self.contents])
        self.object = self.body + self.footer

    def test_text_shows_chunks_and_footer(self):
        text = self.inspect(self.write("xorb", self.object)).out.decode()
        for part in (self.xorb, *self.hashes, "version 1", "none", "100.0 %", "2, 151 bytes", "--verify"):
            self.assertIn(part, text)

    def test_json_has_one_event_per_chunk(self):
        done = self.inspect(self.write("xorb", self.object), "--json", "--verify")
        (head,) = done.of("xorb")
        self.assertEqual((head["xorb_hash"], head["chunks"], head["footer_version"]), (self.xorb, 2, 1))
        chunks = done.of("xorb_chunk")
        self.assertEqual([c["hash"] for c in chunks], self.hashes)
        self.assertEqual([c["offset"] for c in chunks], [0, 19])
        self.assertEqual([c["scheme"] for c in chunks], ["none", "none"])
        self.assertEqual([c["unpacked_bytes"] for c in chunks], [11, 140])

    def test_one_chunk_gives_its_hash_to_the_xorb(self):
        path = self.write("one", stored_chunk(self.contents[0]))
        self.assertEqual(self.inspect(path, "--json", "--verify").of("xorb")[0]["xorb_hash"], self.hashes[0])

    def test_without_footer_the_hashes_need_verify(self):
        (head,) = self.inspect(self.write("body", self.body), "--json").of("xorb")
        self.assertIsNone(head["xorb_hash"])
        self.assertIsNone(head["footer_version"])

    def test_names_the_first_thing_wrong(self):
        footer = len(self.body)
        wrong_hash = xorb_footer("1" * 64, self.hashes, [len(c) for c in self.contents])
        one_less = xorb_footer(self.xorb, self.hashes[:1], [len(self.contents[0])])
        other_end = xorb_footer(self.xorb, self.hashes, [11, 139])
        cases = [
            ("truncated header", self.body[:22], "chunk 1 at offset 19"),
            ("truncated payload", self.body[:-1], "chunk 1 at offset 19"),
            ("version", b"\x01" + self.body[1:] + self.footer, "chunk 0 at offset 0"),
            ("scheme", self.body[:23] + b"\x07" + self.body[24:], "chunk 1 at offset 19"),
            ("too long", self.body + b"\0" + u24(0) + b"\0" + u24(200_000), "chunk 2 at offset 167"),
            ("footer cut off", self.object[:-10], f"offset {footer}"),
            ("bytes behind", self.object + b"x", f"offset {footer}"),
            ("footer identifier", self.object.replace(b"XBLBHSH", b"XBLBHSX"), f"footer at offset {footer}"),
            ("wrong xorb hash", self.body + wrong_hash, "1" * 64),
            ("missing chunk", self.body + one_less, "footer"),
            ("wrong end", self.body + other_end, "footer"),
        ]
        for name, content, where in cases:
            with self.subTest(name=name):
                done = self.inspect(self.write("bad", content), expect=CONTENT)
                self.assert_one_line(done.err, "bad", where)

    def test_shows_what_lies_before_the_damage(self):
        bad = self.write("bad", self.body[:-1])
        done = self.inspect(bad, "--json", "--verify", expect=CONTENT)
        self.assertEqual([c["hash"] for c in done.of("xorb_chunk")], self.hashes[:1])
        (error,) = done.of("error")
        self.assertEqual((error["code"], error["kind"], error["path"]), (CONTENT, "corruption", str(bad)))

    def test_verify_finds_every_flipped_bit(self):
        ignored = range(len(self.object) - 20, len(self.object) - 4)  # the footer's buffer
        for at in range(0, len(self.object), STEP):
            if at in ignored:
                continue
            damaged = bytearray(self.object)
            damaged[at] ^= 1 << at % 8
            with self.subTest(at=at):
                done = self.inspect(self.write("bad", damaged), "--verify", expect=CONTENT)
                self.assert_one_line(done.err, "bad")

    def test_every_truncation_is_noticed(self):
        whole_chunks = {19, len(self.body)}  # these are xorbs without footer
        for size in range(0, len(self.object), STEP):
            with self.subTest(size=size):
                expect = 0 if size in whole_chunks else CONTENT
                self.inspect(self.write("bad", self.object[:size]), expect=expect)

    def test_the_name_is_checked(self):
        for name in (self.xorb, f"default.{self.xorb}", f"{self.xorb}.0"):
            self.inspect(self.write(name, self.object))
        wrong = self.write("default." + "2" * 64, self.object)
        self.assert_one_line(self.inspect(wrong, expect=CONTENT).err, "name", self.xorb)

    def test_wrong_content_with_a_right_footer(self):
        bad = self.object.replace(b"first", b"FIRST")
        self.inspect(self.write("bad", bad))
        done = self.inspect(self.write("bad", bad), "--verify", expect=CONTENT)
        self.assert_one_line(done.err, "chunk 0 at offset 0", self.hashes[0])

    def test_hostile_counts_do_not_allocate(self):
        for count in (3, 8193, 2**31, 2**32 - 1):
            n = struct.pack("<I", count)
            footer = self.footer.replace(struct.pack("<I", 2) + raw(self.hashes[0]), n + raw(self.hashes[0]))
            with self.subTest(count=count):
                self.inspect(self.write("bad", self.body + footer), expect=CONTENT)


class Shards(InspectTest):
    def setUp(self):
        super().setUp()
        content = self.contents[1]
        self.chunk = self.chunk_hash(content)
        self.file = self.xet("hash", "-", stdin=content).out.split()[0].decode()
        self.sha256 = self.xet("hash", "--json", "-", stdin=content).of("file")[0]["sha256"]
        size = len(content)
        self.records = (
            raw(self.file) + struct.pack("<IIQ", 1 << 30, 1, 0)
            + raw(self.chunk) + struct.pack("<IIII", 0, size, 0, 1)
            + raw(self.sha256) + bytes(16)
            + BOOKEND
            + raw(self.chunk) + struct.pack("<IIII", 0, 1, size, 0)
            + raw(self.chunk) + struct.pack("<IIII", 0, size, 0, 0)
            + BOOKEND
        )  # fmt: skip
        self.shard = SHARD_TAG + struct.pack("<QQ", 2, 0) + self.records

    def stored(self, creation: int, expiry: int) -> bytes:
        body = SHARD_TAG + struct.pack("<QQ", 2, 200) + self.records
        end, xorbs, size = len(body), 48 + 4 * 48, len(self.contents[1])
        offsets = struct.pack("<9Q", 1, 48, xorbs, end, 0, end, 0, end, 0)
        times = struct.pack("<QQ", creation, expiry)
        return body + offsets + bytes(32) + times + bytes(48) + struct.pack("<4Q", 0, size, size, end)

    def test_text_shows_files_terms_and_xorbs(self):
        text = self.inspect(self.write("shard", self.shard), "--verify").out.decode()
        for part in ("upload form", "version 2, no footer", f"file {self.file}", self.sha256, f"xorb {self.chunk}"):
            self.assertIn(part, text)

    def test_footer_times(self):
        text = self.inspect(self.write("shard", self.stored(1_700_000_000, 2**64 - 1)), "--verify").out.decode()
        for part in ("stored form", "2023-11-14 22:13:20 UTC", "never", "plain", "footer of 200 bytes"):
            self.assertIn(part, text)
        for expiry in (0, 2**63, 10**12):
            self.inspect(self.write("shard", self.stored(0, expiry)))

    def test_json(self):
        done = self.inspect(self.write("shard", self.stored(5, 6)), "--json")
        (head,) = done.of("shard")
        self.assertEqual((head["form"], head["files"], head["xorbs"]), ("stored", 1, 1))
        (file,) = done.of("shard_file")
        self.assertEqual((file["xet_hash"], file["sha256"]), (self.file, self.sha256))
        (term,) = done.of("shard_term")
        self.assertEqual((term["xorb_hash"], term["chunk_begin"], term["chunk_end"]), (self.chunk, 0, 1))
        (chunk,) = done.of("shard_chunk")
        self.assertEqual(chunk["hash"], self.chunk)
        (footer,) = done.of("shard_footer")
        self.assertEqual((footer["creation"], footer["expiry"], footer["key"]), (5, 6, None))

    def test_every_truncation_is_noticed(self):
        for form in (self.shard, self.stored(0, 0)):
            for size in range(0, len(form), 5 * STEP):
                with self.subTest(size=size):
                    self.inspect(self.write("bad", form[:size]), expect=CONTENT)

    def test_flipped_bits_never_crash_and_the_name_tells_them_all(self):
        self.write("h", self.shard)
        for at in range(0, len(self.shard), 2 * STEP):
            damaged = bytearray(self.shard)
            damaged[at] ^= 1 << at % 8
            with self.subTest(at=at):
                done = self.xet("inspect", "--verify", self.write("bad", damaged), expect=None)
                self.assertIn(done.code, (0, CONTENT))

    def test_verify_finds_wrong_hashes(self):
        wrong = "3" * 64
        cases = [("file", self.file), ("chunk", self.chunk)]
        for name, old in cases:
            with self.subTest(name=name):
                at = self.shard.rindex(raw(old))
                damaged = self.shard[:at] + raw(wrong) + self.shard[at + 32 :]
                self.inspect(self.write("bad", damaged))
                self.inspect(self.write("bad", damaged), "--verify", expect=CONTENT)

    def test_verify_compares_the_name(self):
        done = self.inspect(self.write("4" * 64 + ".mdb", self.shard), "--verify", expect=CONTENT)
        actual = done.err.decode().split()[-1]
        self.inspect(self.write(actual + ".mdb", self.shard), "--verify")

    def test_shows_what_lies_before_the_damage(self):
        done = self.inspect(self.write("bad", self.shard[:-48]), "--json", expect=CONTENT)
        self.assertEqual(done.of("shard")[0]["form"], "damaged")
        self.assertEqual([f["xet_hash"] for f in done.of("shard_file")], [self.file])


class Neither(InspectTest):
    def test_is_said(self):
        for name, content in (("text", b"hello, world\n"), ("empty", b""), ("random", random_bytes(10_000, 1))):
            with self.subTest(name=name):
                self.assert_one_line(self.inspect(self.write(name, content), expect=CONTENT).err, name, "neither")

    def test_unreadable_is_7(self):
        self.inspect("missing", expect=LOCAL_IO)
        self.inspect(self.folder, expect=LOCAL_IO)


class OfAStore(InspectTest):
    def test_what_an_upload_stores_is_sound(self):
        self.write("a", random_bytes(2_000_000, 2) + b"text " * 100_000)
        self.xet("upload", "-e", f"local:{self.store}", "a")
        xorbs = 0
        for path in sorted(p for p in self.store.rglob("*") if p.is_file()):
            content = path.read_bytes()
            if content.startswith(SHARD_TAG):
                self.inspect(path, "--verify")
            elif b"XETBLOB" in content[-400_000:]:
                done = self.inspect(path, "--verify", "--json")
                xorbs += 1
                self.assertTrue(any(c["scheme"] != "none" for c in done.of("xorb_chunk")))
                shutil.copy(path, self.folder / "copy")
                self.inspect("copy", "--verify")
        self.assertGreaterEqual(xorbs, 1)


if __name__ == "__main__":
    unittest.main()
