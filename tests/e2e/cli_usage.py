#!/usr/bin/env python3
"""--help, wrong usage, endpoints, settings, and what errors look like."""

from __future__ import annotations

import json
import unittest

from cli_support import (
    CONTENT,
    LOCAL_IO,
    NO_SUCH_HASH,
    NOT_FOUND,
    UNAVAILABLE,
    USAGE,
    CliTest,
    environment,
    random_bytes,
)

COMMANDS = ("upload", "download", "cat", "plan", "hash", "chunks", "inspect")


class Help(CliTest):
    def test_lists_the_commands(self):
        text = self.xet("--help").out.decode()
        for word in (*COMMANDS, "XET_ENDPOINT", "local:DIR", "Exit codes"):
            self.assertIn(word, text)

    def test_every_command_has_an_example(self):
        for command in COMMANDS:
            with self.subTest(command=command):
                done = self.xet(command, "--help")
                self.assertIn(f"xet {command}", done.out.decode())
                self.assertIn(b"Example", done.out)
                self.assertEqual(done.err, b"")

    def test_version(self):
        self.assertRegex(self.xet("--version").out.decode(), r"^xet \d+\.\d+\.\d+\n$")


class WrongUsage(CliTest):
    def test_is_2_with_one_line(self):
        wrong = [
            [],
            ["frobnicate"],
            ["upload"],
            ["upload", "--no-such-option", "a"],
            ["upload", "-", "-"],
            ["cat"],
            ["cat", "abc"],
            ["cat", NO_SUCH_HASH + "0"],
            ["cat", NO_SUCH_HASH[:-1] + "g"],
            ["cat", NO_SUCH_HASH, NO_SUCH_HASH],
            ["download", NO_SUCH_HASH],
            ["download", "-o", "x"],
            ["download"],
            ["download", NO_SUCH_HASH, "--manifest", "m", "-d", "d"],
            ["download", NO_SUCH_HASH, "-o", "x", "-d", "d"],
            ["download", "--manifest", "m", "-d", "d", "-o", "x"],
            ["download", "--manifest", "m", "-d", "d", "--range", "0-1"],
            ["hash", "a", "--progress", "loud"],
            ["hash", "a", "-q", "--progress", "bar"],
            ["hash", "a", "--threads", "0"],
            ["hash", "a", "--threads", "two"],
            ["hash", "a", "--threads", "-1"],
            ["hash", "a", "--max-memory", "1M"],
            ["hash", "a", "--timeout", "soon"],
            ["chunks"],
            ["chunks", "a", "b"],
            ["inspect"],
        ]
        for arguments in wrong:
            with self.subTest(arguments=arguments):
                done = self.xet(*arguments, expect=USAGE)
                self.assert_one_line(done.err)
                self.assertEqual(done.out, b"")

    def test_ranges(self):
        wrong = ["", "-", "-5", "5", "5-4", "a-b", "1-2-3", "1-2,4-5", " 1-2", "0x1-2", "1.5-2", f"{2**64}-"]
        for text in wrong:
            for command in (["cat"], ["download", "-o", "x"]):
                with self.subTest(text=text, command=command):
                    self.xet(*command, NO_SUCH_HASH, f"--range={text}", expect=USAGE)

    def test_as_json(self):
        done = self.xet("cat", "--json", "abc", expect=USAGE)
        (event,) = done.events
        self.assertEqual(list(event), ["event", "code", "kind", "message"])
        self.assertEqual((event["event"], event["code"], event["kind"]), ("error", USAGE, "invalid_argument"))


class Endpoints(CliTest):
    def test_none_at_all_shows_the_three_forms(self):
        self.write("a", b"abc")
        for arguments in (["upload", "a"], ["cat", NO_SUCH_HASH], ["download", NO_SUCH_HASH, "-o", "x"]):
            with self.subTest(arguments=arguments):
                done = self.xet(*arguments, env=environment(), expect=USAGE)
                self.assert_one_line(done.err, "local:DIR", "http(s)://", "hf:", "XET_ENDPOINT")

    def test_an_empty_variable_is_none(self):
        self.xet("cat", NO_SUCH_HASH, env=environment(XET_ENDPOINT=""), expect=USAGE)

    def test_forms_that_are_none_are_refused_plainly(self):
        self.write("a", b"abc")
        for endpoint in ("hf:models/a", "ftp://x", "local:", "nonsense"):
            for command in (["upload", "a"], ["cat", NO_SUCH_HASH], ["plan", "a"]):
                with self.subTest(endpoint=endpoint, command=command):
                    done = self.xet(*command, "-e", endpoint, expect=USAGE)
                    self.assert_one_line(done.err, endpoint)

    def test_four_commands_need_none(self):
        self.write("a", random_bytes(1000, 1))
        for command in ("hash", "chunks", "plan"):
            self.xet(command, "a", env=environment())
        self.xet("inspect", "a", env=environment(), expect=CONTENT)

    def test_relative_directories(self):
        self.write("a", b"abc")
        done = self.xet("upload", "-e", "local:some/store", "a")
        self.xet("cat", "-e", "local://some/store", done.out.split()[0])


class Settings(CliTest):
    def test_threads_and_memory_are_accepted(self):
        content = random_bytes(3_000_000, 2)
        self.write("a", content)
        for size in ("64M", "64MiB", "100MB", "0.5G", "67108864", "1g"):
            with self.subTest(size=size):
                done = self.xet("upload", "a", "--max-memory", size, "--threads", "2")
                self.assertEqual(self.xet("cat", done.out.split()[0], "--max-memory", size).out, content)

    def test_sizes_that_are_none(self):
        wrong = ["", "M", "64X", "64MM", "-64M", "1e9", "64 M", "64M ", "1.2.3G", "99999999999T", "nan", "infinity"]
        for size in wrong:
            with self.subTest(size=size):
                self.write("a", b"")
                self.xet("hash", "a", f"--max-memory={size}", expect=USAGE)

    def test_a_time_that_is_over_is_5(self):
        self.write("a", random_bytes(1_000_000, 3))
        done = self.xet("upload", "--json", "a", "--timeout", "0", expect=UNAVAILABLE)
        self.assertEqual([(e["code"], e["kind"]) for e in done.of("error")], [(UNAVAILABLE, "deadline")])


class ErrorFormat(CliTest):
    def test_text_and_json_say_the_same(self):
        self.put(b"abc")
        text = self.xet("download", NO_SUCH_HASH, "-o", "x", expect=NOT_FOUND)
        events = self.xet("download", "--json", NO_SUCH_HASH, "-o", "x", expect=NOT_FOUND)
        (error,) = events.of("error")
        self.assertEqual((error["code"], error["kind"]), (NOT_FOUND, "not_found"))
        self.assertEqual(text.err.decode(), f"xet: {error['message']}\n")

    def test_error_codes_order(self):
        # not found (the store) is less than local I/O; both beat nothing
        self.put(b"abc")
        self.write("blocked", b"")
        lines = [
            {"event": "file", "path": "gone", "xet_hash": NO_SUCH_HASH, "size": 3},
            {"event": "file", "path": "blocked/x", "xet_hash": self.put(b"abc"), "size": 3},
        ]
        manifest = "".join(json.dumps(line) + "\n" for line in lines).encode()
        self.xet("download", "--manifest", "-", "-d", ".", stdin=manifest, expect=LOCAL_IO)


class Progress(CliTest):
    def test_json_events_when_asked(self):
        self.write("a", random_bytes(2_000_000, 4))
        done = self.xet("upload", "--json", "--progress=json", "a")
        events = done.of("progress")
        self.assertGreaterEqual(len(events), 1)
        self.assertEqual(events[-1]["done_bytes"], 2_000_000)
        self.assertEqual(events[-1]["total_bytes"], 2_000_000)
        self.assertEqual([e["event"] for e in done.events[-2:]], ["file", "summary"])

    def test_none_without_being_asked(self):
        self.write("a", random_bytes(2_000_000, 5))
        self.assertEqual(self.xet("upload", "--json", "a").of("progress"), [])

    def test_without_json_the_events_go_to_stderr(self):
        self.write("a", b"abc")
        done = self.xet("hash", "--progress=json", "a")
        self.assertEqual(json.loads(done.err.splitlines()[-1])["event"], "progress")
        self.assertEqual(len(done.out.splitlines()), 1)

    def test_short_runs_have_no_progress_lines(self):
        self.write("a", random_bytes(1_000_000, 6))
        self.assertEqual(self.xet("hash", "a").err, b"")


if __name__ == "__main__":
    unittest.main()
