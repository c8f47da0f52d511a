#!/usr/bin/env python3
"""`xet serve` and `xet admin`, and the other commands against a server."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from cli_support import (
    CONTENT,
    DONE,
    LOCAL_IO,
    NO_SUCH_HASH,
    NOT_ALLOWED,
    NOT_FOUND,
    UNAVAILABLE,
    USAGE,
    CliTest,
    environment,
    random_bytes,
)
from servers import XetServe
from support import PROGRAM


class ServeTest(CliTest):
    """Each test has a server on a directory of its own, and a client with a cache of its own."""

    auth = False

    def setUp(self) -> None:
        super().setUp()
        self.server = self.enterContext(XetServe(self.folder / "server", PROGRAM, self.auth))
        self.data = self.server.data
        self.env = environment(
            XET_ENDPOINT=self.server.url,
            HF_XET_CACHE=str(self.folder / "cache"),
            HF_XET_CLIENT_RETRY_BASE_DELAY="10ms",
        )


class Served(ServeTest):
    def test_files_go_in_and_come_out_as_with_a_directory(self):
        content = random_bytes(3_000_000, 1)
        a, empty = self.write("a b", content), self.write("empty", b"")
        served = self.xet("upload", "--json", a, empty)
        local = self.xet("upload", "--json", "-e", f"local:{self.store}", a, empty)
        for ours, theirs in zip(served.events, local.events, strict=True):
            for event in (ours, theirs):
                for changing in ("seconds", "wire_bytes"):
                    event.pop(changing, None)
            self.assertEqual(ours, theirs)
        xet_hash = served.of("file")[0]["xet_hash"]
        self.xet("download", xet_hash, "-o", "out")
        self.assertEqual((self.folder / "out").read_bytes(), content)
        self.assertEqual(self.xet("cat", xet_hash, "--range", "1000000-1999999").out, content[1_000_000:2_000_000])

    def test_the_directory_and_the_server_are_one_store(self):
        content = random_bytes(1_000_000, 2)
        xet_hash = self.put(content)
        self.assertEqual(self.xet("cat", "-e", f"local:{self.data}", xet_hash).out, content)
        other = random_bytes(1_000_000, 3)
        xet_hash = self.xet("upload", "-e", f"local:{self.data}", "-", stdin=other).out.split()[0].decode()
        self.assertEqual(self.xet("cat", xet_hash).out, other)

    def test_what_is_known_is_not_sent_again(self):
        path = self.write("model", random_bytes(20_000_000, 4))
        first = self.xet("upload", "--json", path).summary
        self.assertGreater(first["wire_bytes"], 20_000_000)
        again = self.xet("upload", "--json", path).summary
        self.assertEqual(again["new_bytes"], 0)
        self.assertLess(again["wire_bytes"], 100_000)
        # A client that has seen nothing yet asks the server.
        fresh = self.env | {"HF_XET_CACHE": str(self.folder / "another")}
        asked = self.xet("upload", "--json", path, env=fresh).summary
        self.assertLess(asked["wire_bytes"], 2_000_000)

    def test_plan_asks_the_server_and_stores_nothing(self):
        path = self.write("model", random_bytes(5_000_000, 5))
        self.assertEqual(self.xet("plan", "--json", path).summary["new_bytes"], 5_000_000)
        self.assertEqual(json.loads(self.xet("admin", "stats", "--json", "--data", self.data).out)["files"], 0)

    def test_an_unknown_file_is_not_found(self):
        run = self.xet("cat", NO_SUCH_HASH, expect=NOT_FOUND)
        self.assert_one_line(run.err, NO_SUCH_HASH)
        self.xet("download", NO_SUCH_HASH, "-o", "out", expect=NOT_FOUND)
        self.assertFalse((self.folder / "out").exists())

    def test_a_setting_without_effect_is_named_once(self):
        env = self.env | {"HF_XET_TELEMETRY_ENABLED": "1"}
        run = self.xet("upload", "-", stdin=b"x", env=env)
        self.assertEqual(run.err.count(b"HF_XET_TELEMETRY_ENABLED"), 1)
        self.assertEqual(self.xet("upload", "-q", "-", stdin=b"x", env=env).err, b"")


class KilledServer(ServeTest):
    """It ends as by a power failure, and comes back on its address."""

    def test_it_has_everything_it_acknowledged(self):
        content = random_bytes(5_000_000, 6)
        xet_hash = self.put(content)
        self.server.kill()
        self.xet("cat", xet_hash, expect=UNAVAILABLE)
        self.server.restart()
        self.assertEqual(self.xet("cat", xet_hash).out, content)
        self.assert_store_is_sound()

    def test_an_upload_goes_on(self):
        self.env["HF_XET_CLIENT_RETRY_BASE_DELAY"] = "200ms"
        paths = [self.write(f"f{i}", random_bytes(90_000_000, 100 + i)) for i in range(4)]
        upload = self.start("upload", "-q", "--json", *paths, stdout=subprocess.PIPE)
        n_kills = 0
        for n_xorbs in (1, 3, 4):
            while self.n_stored_xorbs() < n_xorbs and upload.poll() is None:
                time.sleep(0.001)
            if upload.poll() is not None:
                break
            self.server.kill()
            self.server.restart()
            n_kills += 1
        out, _ = upload.communicate(timeout=300)
        self.assertEqual(upload.returncode, DONE, out)
        self.assertGreaterEqual(n_kills, 1)
        events = [json.loads(line) for line in out.splitlines()]
        hashes = {e["path"]: e["xet_hash"] for e in events if e["event"] == "file"}
        for path in paths:
            self.assertTrue(self.xet("cat", hashes[str(path)]).out == path.read_bytes(), path)
        self.assert_store_is_sound()

    def test_a_download_goes_on(self):
        self.env["HF_XET_CLIENT_RETRY_BASE_DELAY"] = "200ms"
        content = random_bytes(200_000_000, 7)
        xet_hash = self.put(content)
        # With this little room most of the file is still to be fetched when the first bytes are read.
        cat = self.start("cat", "-q", "--max-memory", "64M", xet_hash, stdout=subprocess.PIPE)
        read = cat.stdout.read(1_000_000)
        self.server.kill()
        self.server.restart()
        read += cat.stdout.read()
        self.assertEqual(cat.wait(timeout=60), DONE)
        self.assertTrue(read == content)

    def n_stored_xorbs(self) -> int:
        return sum(path.is_file() for path in (self.data / "x").rglob("*"))

    def assert_store_is_sound(self) -> None:
        self.assertIn(b"sound", self.xet("admin", "fsck", "--deep", "--data", self.data).out)


class Tokens(ServeTest):
    auth = True

    def with_token(self, *arguments: str) -> dict[str, str]:
        token = self.xet("admin", "cas-token", "--data", self.data, *arguments).out.decode()
        self.assertEqual(token.count("\n"), 1)
        return self.env | {"XET_TOKEN": token.strip()}

    def test_without_one_nothing_works(self):
        run = self.xet("upload", "-", stdin=b"x", expect=NOT_ALLOWED)
        self.assert_one_line(run.err, "401")
        self.xet("cat", NO_SUCH_HASH, expect=NOT_ALLOWED)
        self.xet("cat", NO_SUCH_HASH, "--token", "nonsense", expect=NOT_ALLOWED)

    def test_one_for_reading_reads_only(self):
        write, read = self.with_token("--scope", "write"), self.with_token("--scope", "read")
        xet_hash = self.xet("upload", "-", stdin=b"hello", env=write).out.split()[0]
        self.assertEqual(self.xet("cat", xet_hash, env=read).out, b"hello")
        self.assertEqual(self.xet("cat", xet_hash, env=write).out, b"hello")
        self.xet("upload", "-", stdin=b"other", env=read, expect=NOT_ALLOWED)

    def test_one_for_a_repository_sees_that_one_alone(self):
        ours = self.with_token("--scope", "write", "--repo", "model/us/ours")
        theirs = self.with_token("--scope", "write", "--repo", "model/them/theirs")
        xet_hash = self.xet("upload", "-", stdin=b"ours", env=ours).out.split()[0]
        self.assertEqual(self.xet("cat", xet_hash, env=ours).out, b"ours")
        self.xet("cat", xet_hash, env=theirs, expect=NOT_FOUND)

    def test_no_message_holds_it(self):
        write = self.with_token("--scope", "write")
        run = self.xet("cat", NO_SUCH_HASH, "--json", env=write, expect=NOT_FOUND)
        self.assertNotIn(write["XET_TOKEN"].encode(), run.err + run.out)


class Admin(CliTest):
    def test_fsck_names_what_is_damaged(self):
        self.put(random_bytes(1_000_000, 7))
        self.assertIn(b"sound", self.xet("admin", "fsck", "--data", self.store).out)
        [xorb] = (self.store / "x").glob("*/*")
        damaged = bytearray(xorb.read_bytes())
        damaged[len(damaged) // 2] ^= 1
        xorb.chmod(0o600)
        xorb.write_bytes(damaged)
        run = self.xet("admin", "fsck", "--deep", "--json", "--data", self.store, expect=CONTENT)
        self.assertIn(xorb.name.split(".")[0], run.of("finding")[0]["object"])
        xorb.unlink()
        self.xet("admin", "fsck", "--data", self.store, expect=CONTENT)

    def test_stats_count(self):
        self.put(random_bytes(1_000_000, 8))
        [stats] = self.xet("admin", "stats", "--json", "--data", self.store).events
        self.assertEqual((stats["files"], stats["xorbs"], stats["logical_bytes"]), (1, 1, 1_000_000))

    def test_a_directory_without_store_is_not_found(self):
        for command in ("stats", "fsck"):
            self.xet("admin", command, "--data", self.folder / "nothing", expect=NOT_FOUND)
        self.assertFalse((self.folder / "nothing").exists())

    def test_wrong_usage(self):
        for arguments in (
            ("admin",),
            ("admin", "cas-token", "--data", self.store),
            ("admin", "cas-token", "--data", self.store, "--scope", "all"),
            ("admin", "cas-token", "--data", self.store, "--scope", "read", "--ttl", "soon"),
            ("admin", "cas-token", "--data", self.store, "--scope", "read", "--repo", "no/such"),
            ("serve",),
            ("serve", "--data", self.store, "--auth=perhaps"),
            ("serve", "--data", self.store, "--tls-cert", "cert.pem"),
            ("serve", "--data", self.store, "--listen", "nowhere"),
            ("serve", "--data", self.store, "--listen", "0.0.0.0:0", "--auth=off"),
        ):
            with self.subTest(arguments):
                self.assert_one_line(self.xet(*arguments, expect=USAGE).err)


class Starting(CliTest):
    def test_a_port_in_use_is_said(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            listen = f"127.0.0.1:{port}"
            run = self.xet("serve", "--data", self.store, "--auth=off", "--listen", listen, expect=LOCAL_IO)
        self.assert_one_line(run.err, "127.0.0.1", port, "in use")

    def test_it_ends_with_0_on_a_signal(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal=number):
                process = self.start(
                    "serve", "--json", "--data", self.store, "--auth=off", "--listen", "127.0.0.1:0",
                    stdout=subprocess.PIPE,
                )  # fmt: skip
                event = json.loads(process.stdout.readline())
                self.assertEqual(event["event"], "listening")
                process.send_signal(number)
                self.assertEqual(process.wait(timeout=60), DONE)

    def test_nobody_there_is_unavailable(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            free = server.getsockname()[1]
        env = environment(XET_ENDPOINT=f"http://127.0.0.1:{free}", HF_XET_CLIENT_RETRY_MAX_ATTEMPTS="0")
        run = self.xet("cat", NO_SUCH_HASH, env=env | {"HF_XET_CACHE": str(self.folder)}, expect=UNAVAILABLE)
        self.assert_one_line(run.err, f"127.0.0.1:{free}")


if __name__ == "__main__":
    unittest.main()
