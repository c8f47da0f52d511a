#!/usr/bin/env python3
"""Ctrl-C, a reader that goes away, a full disk behind stdout."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import time
import unittest
from pathlib import Path

from cli_support import BROKEN_PIPE, INTERRUPTED, LOCAL_IO, CliTest, random_bytes

PIPE = subprocess.PIPE


class Interrupted(CliTest):
    def waiting_upload(self, *arguments: str) -> subprocess.Popen:
        """An upload that has stored nothing yet and waits for its stdin."""
        process = self.start("upload", *arguments, "-", stdin=PIPE, stdout=PIPE, stderr=PIPE)
        process.stdin.write(random_bytes(3_000_000, 1))
        process.stdin.flush()  # more than a pipe holds: the program has begun to read
        return process

    def test_signals_end_an_upload_with_130_and_acknowledge_nothing(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal=number):
                process = self.waiting_upload("--json")
                process.send_signal(number)
                began = time.monotonic()
                self.assertEqual(process.wait(timeout=60), INTERRUPTED)
                self.assertLess(time.monotonic() - began, 8)  # it stopped by itself, not by the watchdog
                self.assertNotIn(b'"event":"file"', process.stdout.read())
                self.assertEqual(process.stderr.read().count(b"\n"), 1)

    def test_the_store_stays_usable(self):
        self.put(b"before")
        process = self.waiting_upload()
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
        content = random_bytes(3_000_000, 1)
        self.assertEqual(self.xet("cat", self.put(content)).out, content)

    def test_the_error_event_says_cancelled(self):
        process = self.waiting_upload("--json")
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
        self.assertIn(b'"code":130,"kind":"cancelled"', process.stdout.read())

    def test_a_second_signal_ends_at_once(self):
        xet_hash = self.put(random_bytes(5_000_000, 2))
        # Nobody reads this pipe, so the program is held up in writing to it.
        process = self.start("download", xet_hash, "-o", "-", stdout=PIPE, stderr=PIPE)
        os.read(process.stdout.fileno(), 1)
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)  # signals of one kind merge while the first is pending
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=60), INTERRUPTED)

    def test_cat_ends_although_nobody_reads(self):
        xet_hash = self.put(random_bytes(5_000_000, 2))
        process = self.start("cat", xet_hash, stdout=PIPE, stderr=PIPE)
        os.read(process.stdout.fileno(), 1)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=60), INTERRUPTED)

    def test_hash_of_a_silent_stdin(self):
        process = self.start("hash", "-", stdin=PIPE, stdout=PIPE, stderr=PIPE)
        process.stdin.write(b"x" * 200_000)
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=60), INTERRUPTED)
        self.assertEqual(process.stdout.read(), b"")

    def test_an_ignored_sigint_stays_ignored(self):
        self.write("a", b"abc")
        process = self.start(
            "upload", "-", stdin=PIPE, stdout=PIPE, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)
        )
        process.stdin.write(random_bytes(300_000, 3))
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0)
        self.assertEqual(out.split()[1:], [b"300000", b"-"])


class StdoutGone(CliTest):
    def read_a_little(self, *arguments: str | Path) -> tuple[int, bytes]:
        process = self.start(*arguments, stdout=PIPE, stderr=PIPE)
        self.assertEqual(len(process.stdout.read(10)), 10)
        process.stdout.close()
        return process.wait(timeout=60), process.stderr.read()

    def test_cat_ends_quietly(self):
        xet_hash = self.put(random_bytes(5_000_000, 4))
        self.assertEqual(self.read_a_little("cat", xet_hash), (BROKEN_PIPE, b""))

    def test_listings_end_quietly(self):
        path = self.write("a", random_bytes(200_000_000, 5))
        self.assertEqual(self.read_a_little("chunks", "-q", path), (BROKEN_PIPE, b""))

    @unittest.skipUnless(Path("/dev/full").exists(), "needs /dev/full")
    def test_a_full_disk_is_7(self):
        path = self.write("a", random_bytes(200_000, 6))
        xet_hash = self.put(path.read_bytes())
        commands = {"hash": path, "chunks": path, "cat": xet_hash, "upload": path, "plan": path}
        for command, argument in commands.items():
            with self.subTest(command=command), Path("/dev/full").open("wb") as full:
                process = self.start(command, "-q", argument, stdout=full, stderr=PIPE)
                err = process.stderr.read()
                self.assertEqual(process.wait(timeout=60), LOCAL_IO, err)
                self.assert_one_line(err, "No space left")


class Terminal(CliTest):
    def test_bar_appears_and_is_wiped(self):
        path = self.write("a", random_bytes(150_000_000, 7))
        try:
            ours, theirs = pty.openpty()
        except OSError as error:
            self.skipTest(f"this machine has no terminals to give: {error}")
        self.addCleanup(os.close, ours)
        process = self.start("hash", path, stdout=PIPE, stderr=theirs)
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # how a terminal says that its other side is closed
                break
            if not piece:
                break
            shown += piece
        self.assertEqual(process.wait(timeout=60), 0)
        if shown:  # nothing at all when the work took less than a tenth of a second
            self.assertIn(b"hashing [", shown)
            self.assertTrue(shown.endswith(b"\r\x1b[K"), shown[-80:])


if __name__ == "__main__":
    unittest.main()
