#!/usr/bin/env python3
"""Directories, links, strange names, and things that cannot be read."""

from __future__ import annotations

import os
import socket
import unittest
from urllib.parse import unquote_to_bytes

from cli_support import DONE, LOCAL_IO, UNREADABLE, USAGE, CliTest


class Directories(CliTest):
    def setUp(self):
        super().setUp()
        self.write("tree/b/2", b"two")
        self.write("tree/a", b"one")
        self.write("tree/b/.hidden", b"hidden")
        self.write("tree/c d", b"four")
        (self.folder / "tree/nothing").mkdir()

    def paths(self, *arguments: str, expect: int = DONE) -> list[str]:
        return [f["path"] for f in self.xet("hash", "--json", *arguments, expect=expect).of("file")]

    def test_are_walked_in_the_order_of_names(self):
        self.assertEqual(self.paths("tree"), ["tree/a", "tree/b/.hidden", "tree/b/2", "tree/c d"])

    def test_names_begin_with_the_argument_as_given(self):
        self.assertEqual(self.paths("tree/b/"), ["tree/b/.hidden", "tree/b/2"])
        self.assertEqual(self.paths("./tree//b"), ["./tree//b/.hidden", "./tree//b/2"])
        absolute = str(self.folder / "tree/b")
        self.assertEqual(self.paths(absolute), [f"{absolute}/.hidden", f"{absolute}/2"])

    def test_upload_wants_r(self):
        done = self.xet("upload", "tree", expect=USAGE)
        self.assert_one_line(done.err, "tree is a directory", "-r")
        done = self.xet("upload", "--json", "-r", "tree")
        self.assertEqual(len(done.of("file")), 4)
        self.assertEqual(done.summary["logical_bytes"], 16)

    def test_chunks_refuses_them(self):
        self.xet("chunks", "tree", expect=USAGE)

    def test_an_empty_directory_is_no_failure(self):
        done = self.xet("upload", "--json", "-r", "tree/nothing")
        self.assertEqual(done.summary["files"], 0)

    def test_the_store_does_not_swallow_itself(self):
        self.write("good", b"abc")
        for _ in range(2):  # the second time there is a lot in it
            done = self.xet("upload", "--json", "-r", ".")
            self.assertEqual(len(done.of("file")), 5)
            self.assertIn(b"./store is the store itself", done.err)
        self.assertEqual(len(self.xet("plan", "--json", ".").of("file")), 5)
        self.xet("upload", "-r", "store", expect=USAGE)
        self.assertGreater(len(self.paths(".")), 5)  # hash has no store, whatever XET_ENDPOINT says

    def test_a_path_given_twice_is_listed_twice(self):
        self.assertEqual(self.paths("tree/a", "tree/a"), ["tree/a", "tree/a"])


class Links(CliTest):
    def test_are_followed(self):
        self.write("real/file", b"abc")
        (self.folder / "tree").mkdir()
        (self.folder / "tree/dir").symlink_to("../real")
        (self.folder / "tree/file").symlink_to("../real/file")
        done = self.xet("hash", "--json", "tree")
        self.assertEqual([f["path"] for f in done.of("file")], ["tree/dir/file", "tree/file"])
        self.assertEqual(len({f["xet_hash"] for f in done.of("file")}), 1)

    def test_loop_is_refused_and_the_rest_goes_on(self):
        self.write("tree/deep/file", b"abc")
        (self.folder / "tree/deep/up").symlink_to("..")
        (self.folder / "tree/deep/self").symlink_to("self")
        done = self.xet("upload", "--json", "-r", "tree", expect=LOCAL_IO)
        self.assertEqual([f["path"] for f in done.of("file")], ["tree/deep/file"])
        self.assertEqual({e["path"] for e in done.of("error")}, {"tree/deep/self", "tree/deep/up"})
        self.assertEqual({e["code"] for e in done.of("error")}, {LOCAL_IO})
        self.assertEqual({e["kind"] for e in done.of("error")}, {"io"})

    def test_two_ways_to_one_directory_are_no_loop(self):
        self.write("tree/a/file", b"abc")
        (self.folder / "tree/b").symlink_to("a")
        done = self.xet("hash", "tree")
        self.assertEqual(len(done.out.splitlines()), 2)


class Unreadable(CliTest):
    def test_is_reported_and_others_go_on(self):
        self.write("good", b"abc")
        (self.folder / "dangling").symlink_to("nowhere")
        for command in ("upload", "hash", "plan"):
            with self.subTest(command=command):
                done = self.xet(command, "--json", "missing", "good", "dangling", expect=LOCAL_IO)
                self.assertEqual([f["path"] for f in done.of("file")], ["good"])
                self.assertEqual([e["path"] for e in done.of("error")], ["missing", "dangling"])
                self.assertEqual(done.summary["files"], 1)

    def test_message_is_one_line_with_name_and_cause(self):
        done = self.xet("hash", "no\nsuch", expect=LOCAL_IO)
        self.assert_one_line(done.err, "no\\nsuch", "No such file")

    def test_sockets_and_pipes_below_a_directory_are_left_out(self):
        self.write("tree/good", b"abc")
        os.mkfifo(self.folder / "tree/pipe")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.folder / "tree/socket"))
            done = self.xet("upload", "--json", "-r", "tree", expect=LOCAL_IO)
            self.assertEqual([f["path"] for f in done.of("file")], ["tree/good"])
            self.assertEqual([e["path"] for e in done.of("error")], ["tree/pipe", "tree/socket"])
            self.xet("hash", "tree/socket", expect=LOCAL_IO)

    def test_a_pipe_as_argument_is_read(self):
        os.mkfifo(self.folder / "pipe")
        process = self.start("hash", "pipe", stdout=-1)
        with (self.folder / "pipe").open("wb") as pipe:
            pipe.write(b"abc")
        out, _ = process.communicate(timeout=60)
        self.assertEqual(out.split()[1:], [b"3", b"pipe"])

    def test_nothing_readable_at_all(self):
        done = self.xet("upload", "--json", "missing", expect=LOCAL_IO)
        self.assertEqual(done.summary["files"], 0)

    def test_output_that_cannot_be_written_is_7(self):
        xet_hash = self.put(b"abc")
        self.write("file", b"")
        self.xet("download", xet_hash, "-o", "file/below", expect=LOCAL_IO)

    def test_permissions(self):
        (self.folder / "secret").symlink_to(UNREADABLE)
        done = self.xet("hash", "secret", expect=LOCAL_IO)
        self.assert_one_line(done.err, "secret", "Permission denied")


class Names(CliTest):
    def test_text_escapes_as_sha256sum_does(self):
        names = ["plain", "with space", "new\nline", "back\\slash", "return\r", "tab\t"]
        for name in names:
            self.write(name, name.encode())
        shown = [line.split(b" ", 2)[2] for line in self.xet("hash", *names).out.splitlines()]
        self.assertEqual(shown, [b"plain", b"with space", b"new\\nline", b"back\\\\slash", b"return\\r", b"tab\t"])
        starts = [line.startswith(b"\\") for line in self.xet("hash", *names).out.split(b"\n")[:-1]]
        self.assertEqual(starts, [False, False, True, True, True, False])

    def test_json_holds_any_utf8_name(self):
        names = ["new\nline", 'quote"', "back\\slash", "ümlaut", "\x01\x7f", "emoji 😀"]
        for name in names:
            self.write(name, b"x")
        done = self.xet("hash", "--json", *names)
        self.assertEqual([f["path"] for f in done.of("file")], names)

    def test_other_names_go_percent_encoded(self):
        names = [b"caf\xe9 %41", b"\xff\xfe", b"over\xc0\xaflong", b"\xed\xa0\x80"]
        for name in names:
            self.write(name, name)
        done = self.xet("upload", "--json", *names)
        self.assertTrue(all("path" not in f for f in done.of("file")))
        self.assertEqual([unquote_to_bytes(f["path_bytes"]) for f in done.of("file")], names)

    def test_error_about_such_a_name_is_valid_json(self):
        done = self.xet("hash", "--json", b"miss\xffing", expect=LOCAL_IO)
        (error,) = done.of("error")
        self.assertEqual(unquote_to_bytes(error["path_bytes"]), b"miss\xffing")


if __name__ == "__main__":
    unittest.main()
