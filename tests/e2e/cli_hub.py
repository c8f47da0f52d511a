#!/usr/bin/env python3
"""`xet upload`, `download`, `cat` and `plan` against repositories and buckets of a Hub: hf: endpoints."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import random
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import unittest
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from cli_support import (
    CONTENT,
    LOCAL_IO,
    NOT_ALLOWED,
    NOT_FOUND,
    UNAVAILABLE,
    UNREADABLE,
    USAGE,
    CliTest,
    Run,
    environment,
    random_bytes,
)
from servers import XetServe
from support import PROGRAM

MODEL = random_bytes(6_000_000, 1)
CONFIG = b'{"hidden_size": 64}\n'


def git_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class HubTest(CliTest):
    """Each test has a server with two users, and the first one's token in the environment."""

    auth = True

    def setUp(self) -> None:
        super().setUp()
        self.server = self.enterContext(XetServe(self.folder / "server", PROGRAM, self.auth))
        self.url = self.server.url
        self.env = environment(
            HF_ENDPOINT=self.url,
            HF_HOME=str(self.folder / "hf"),
            HF_XET_CLIENT_RETRY_BASE_DELAY="10ms",
        )
        if self.auth:
            self.env["HF_TOKEN"] = self.token_of("alice")

    def token_of(self, user: str, role: str = "write") -> str:
        self.xet("admin", "user", "add", user, "--data", self.server.data, expect=None)
        made = self.xet("admin", "token", "create", "--user", user, "--role", role, "--data", self.server.data)
        return made.out.decode().strip()

    def hub(self, command: str, where: str, *arguments: str | Path, **options) -> Run:
        return self.xet(command, "-e", f"hf:{where}", *arguments, **options)

    def call(self, method: str, path: str, body: bytes | None = None, token: str = "") -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.url).netloc, timeout=60)
        token = token or self.env.get("HF_TOKEN", "")
        connection.request(method, path, body, {"Authorization": f"Bearer {token}"} if token else {})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, content

    def commits(self, name: str) -> list[dict]:
        status, body = self.call("GET", f"/api/models/{name}/commits/main")
        self.assertEqual(status, 200, body)
        return json.loads(body)

    def model_folder(self) -> Path:
        self.write("model/weights/model.safetensors", MODEL)
        self.write("model/config.json", CONFIG)
        self.write("model/empty.txt", b"")
        return self.folder / "model"

    def files_below(self, name: str) -> dict[str, bytes]:
        root = self.folder / name
        return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


class Repository(HubTest):
    name = "alice/bert"

    def setUp(self) -> None:
        super().setUp()
        self.where = f"models/{self.name}"

    def upload(self, *arguments: str | Path, **options) -> Run:
        return self.hub("upload", self.where, "--json", "--create", *arguments, **options)

    def test_a_folder_goes_in_as_one_commit_and_comes_out(self):
        uploaded = self.upload("-r", self.model_folder(), "-m", "first weights")
        self.assertEqual(len(uploaded.of("commit")), 1)
        by_name = {Path(event["path"]).name: event for event in uploaded.of("file")}
        large = by_name["model.safetensors"]
        self.assertEqual(large["sha256"], hashlib.sha256(MODEL).hexdigest())
        self.assertNotIn("git_id", large)
        self.assertEqual(by_name["config.json"]["git_id"], git_id(CONFIG))
        self.assertIsNone(by_name["config.json"]["xet_hash"])
        newest = self.commits(self.name)[0]
        self.assertEqual((newest["id"], newest["title"]), (uploaded.of("commit")[0]["id"], "first weights"))
        self.assertEqual(uploaded.summary["files"], 3)
        self.assertEqual(uploaded.summary["logical_bytes"], len(MODEL) + len(CONFIG))

        self.hub("download", self.where, "-d", "out")
        files = self.files_below("out")
        files.pop(".gitattributes")
        self.assertEqual(files, {"weights/model.safetensors": MODEL, "config.json": CONFIG, "empty.txt": b""})

    def test_what_did_not_change_makes_no_commit(self):
        folder = self.model_folder()
        self.upload("-r", folder)
        before = self.commits(self.name)
        again = self.upload("-r", folder)
        self.assertEqual(again.of("commit"), [])
        self.assertIn(b"nothing changed", again.err)
        self.assertEqual(again.summary["new_bytes"], len(CONFIG))  # looked at, and left out
        self.assertEqual(self.commits(self.name), before)

    def test_an_edit_costs_what_it_changes(self):
        path = self.write("model.safetensors", MODEL)
        self.upload(path)
        path.write_bytes(MODEL[:3_000_000] + b"edited" + MODEL[3_000_000:])
        edited = self.upload(path)
        self.assertLess(edited.summary["wire_bytes"], len(MODEL) // 10)
        self.assertEqual(len(edited.of("commit")), 1)
        self.assertEqual(self.hub("cat", self.where, "model.safetensors").out, path.read_bytes())

    def test_places_in_the_repository(self):
        model, config = self.write("a.bin", MODEL), self.write("b.json", CONFIG)
        self.upload(model, "--to", "x/y.bin")
        self.upload(model, config, "--to", "folder")
        self.upload(config, "--to", "other/")
        self.upload("-", "--to", "from/stdin", stdin=b"stdin")
        self.hub("download", self.where, "-d", "out")
        files = self.files_below("out")
        files.pop(".gitattributes")
        self.assertEqual(
            files,
            {
                "x/y.bin": MODEL,
                "folder/a.bin": MODEL,
                "folder/b.json": CONFIG,
                "other/b.json": CONFIG,
                "from/stdin": b"stdin",
            },
        )

    def test_parts_of_it(self):
        self.upload("-r", self.model_folder())
        self.hub("download", self.where, "weights", "-d", "one")
        self.assertEqual(self.files_below("one"), {"weights/model.safetensors": MODEL})
        self.hub("download", self.where, "config.json", "weights/model.safetensors", "weights", "-d", "two")
        self.assertEqual(self.files_below("two"), {"config.json": CONFIG, "weights/model.safetensors": MODEL})
        self.hub("download", self.where, "config.json", "-o", "renamed")
        self.assertEqual((self.folder / "renamed").read_bytes(), CONFIG)
        self.hub("download", self.where, "weights/model.safetensors", "-o", "range", "--range", "10-1000009")
        self.assertEqual((self.folder / "range").read_bytes(), MODEL[10:1_000_010])
        self.assertEqual(self.hub("cat", self.where, "config.json", "--range", "2-4").out, CONFIG[2:5])
        self.assertEqual(self.hub("cat", self.where, "weights/model.safetensors", "--range", "5-").out, MODEL[5:])
        self.assertEqual(self.hub("download", self.where, "config.json", "-o", "-").out, CONFIG)
        past = self.hub("cat", self.where, "config.json", "--range", "1000-")
        self.assertEqual(past.out, b"")
        self.assertIn(b"behind the end", past.err)

    def test_revisions(self):
        first = self.upload(self.write("config.json", CONFIG)).of("commit")[0]["id"]
        status, body = self.call("POST", f"/api/models/{self.name}/branch/dev", b"{}")
        self.assertEqual(status, 200, body)
        self.where = f"models/{self.name}@dev"
        self.upload(self.write("config.json", b"changed"))
        for revision, content in (("dev", b"changed"), ("main", CONFIG), (first, CONFIG)):
            self.assertEqual(self.hub("cat", f"models/{self.name}@{revision}", "config.json").out, content)

    def test_datasets_and_spaces(self):
        for where in ("datasets/alice/set", "spaces/alice/space", "dataset/alice/other"):
            self.where = where
            self.upload("-r", self.model_folder())
            self.assertEqual(self.hub("cat", where, "weights/model.safetensors").out, MODEL)
            self.assertEqual(self.hub("cat", where, "config.json").out, CONFIG)

    def test_a_plan_sends_nothing(self):
        path = self.write("model.safetensors", MODEL)
        self.upload(path)
        before = self.commits(self.name)
        path.write_bytes(MODEL + b"more")
        planned = self.hub("plan", self.where, "--json", path, self.write("config.json", CONFIG)).summary
        self.assertEqual(planned["files"], 2)
        self.assertEqual(planned["logical_bytes"], len(MODEL) + 4 + len(CONFIG))
        self.assertLess(planned["new_bytes"], 300_000)
        self.assertEqual(planned["wire_bytes"], 0)
        self.assertEqual(self.commits(self.name), before)

    def test_a_plan_tells_once_what_cannot_be_read(self):
        self.upload(self.write("config.json", CONFIG))
        before = self.commits(self.name)
        path = self.write("model.safetensors", MODEL)
        (self.folder / "secret").symlink_to(UNREADABLE)
        planned = self.hub("plan", self.where, "--json", "secret", path, expect=LOCAL_IO)
        self.assert_one_line(planned.err, "secret", "Permission denied")
        self.assertEqual(planned.summary["files"], 1)
        self.assertEqual(planned.summary["logical_bytes"], len(MODEL))
        self.hub("upload", self.where, "secret", path, expect=LOCAL_IO)
        self.assertEqual(self.commits(self.name), before)

    def test_a_manifest_reads_from_the_repository(self):
        uploaded = self.upload(self.write("model.safetensors", MODEL))
        self.hub("download", self.where, "--manifest", "-", "-d", "out", stdin=uploaded.out)
        self.assertEqual(list(self.files_below("out").values()), [MODEL])
        small = self.upload(self.write("config.json", CONFIG))
        run = self.hub("download", self.where, "--manifest", "-", "-d", "out", stdin=small.out, expect=CONTENT)
        self.assert_one_line(run.err, "small file of a repository", "by its path")

    def test_nothing_is_committed_when_a_file_cannot_be_read(self):
        self.upload(self.write("config.json", CONFIG))
        before = self.commits(self.name)
        run = self.upload(self.write("new.json", b"{}"), "missing.json", expect=LOCAL_IO)
        self.assert_one_line(run.err, "missing.json")
        self.assertEqual(run.of("commit"), [])
        self.assertEqual(self.commits(self.name), before)

    def test_names_that_a_repository_cannot_have(self):
        config = self.write("config.json", CONFIG)
        other = self.write("x/config.json", b"other")
        for arguments, words in (
            ((config, "--to", "../up"), "below its root"),
            ((config, other), "has that name already"),
            (("-",), "stdin has no name"),
            ((self.write(b"bad-\xff", b"x"),), "UTF-8"),
        ):
            run = self.upload(*arguments, expect=USAGE)
            self.assert_one_line(run.err, words)
        self.assertEqual(self.call("GET", f"/api/models/{self.name}")[0], 404, "it was made all the same")

    def test_what_is_not_there(self):
        self.upload(self.write("config.json", CONFIG))
        for where, path in ((self.where, "nope"), ("models/alice/nope", "f"), (f"{self.where}@nope", "f")):
            run = self.hub("cat", where, path, expect=NOT_FOUND)
            self.assertEqual(run.err.count(b"\n"), 1, run.err)
        self.hub("download", self.where, "nope", "-d", "out", expect=NOT_FOUND)
        self.assertFalse((self.folder / "out").exists())
        run = self.hub("upload", "models/alice/nope", self.write("f", b"f"), expect=NOT_FOUND)
        self.assertIn(b"Repository not found", run.err)

    def test_who_may_not(self):
        self.upload(self.write("config.json", CONFIG))
        writer = self.env["HF_TOKEN"]
        for token in (self.token_of("alice", "read"), self.token_of("bob")):
            self.env["HF_TOKEN"] = token
            self.assertEqual(self.hub("cat", self.where, "config.json").out, CONFIG)
            run = self.hub("upload", self.where, self.write("model.safetensors", MODEL), expect=NOT_ALLOWED)
            self.assertNotIn(token.encode(), run.err)
        self.env["HF_TOKEN"] = "hf_wrong"
        self.hub("cat", self.where, "config.json", expect=NOT_ALLOWED)
        # The option wins over the environment, and the file of `hf auth login` is read without either.
        self.hub("cat", self.where, "config.json", "--token", writer)
        del self.env["HF_TOKEN"]
        self.write("hf/token", writer.encode() + b"\n")
        self.upload(self.write("second.json", CONFIG))
        self.env["HF_HUB_DISABLE_IMPLICIT_TOKEN"] = "1"
        self.upload(self.write("third.json", CONFIG), expect=NOT_ALLOWED)

    def test_a_hub_that_is_not_there(self):
        self.env |= {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_XET_CLIENT_RETRY_MAX_ATTEMPTS": "2"}
        run = self.hub("cat", self.where, "f", expect=UNAVAILABLE)
        self.assertIn(b"trying again", run.err)
        self.env["HF_ENDPOINT"] = "ftp://somewhere"
        run = self.hub("cat", self.where, "f", expect=USAGE)
        self.assert_one_line(run.err, "HF_ENDPOINT")


class Timeout(CliTest):
    def test_a_silent_hub_is_given_up_in_time(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            env = environment(HF_ENDPOINT=f"http://127.0.0.1:{silent.getsockname()[1]}", HF_TOKEN="hf_x")
            began = time.monotonic()
            run = self.xet("cat", "-e", "hf:models/a/b", "f", "--timeout", "1", env=env, expect=UNAVAILABLE)
            self.assertLess(time.monotonic() - began, 10)
            self.assert_one_line(run.err, "--timeout")


class WithoutTokens(HubTest):
    auth = False

    def test_whose_an_upload_is_says_the_repository_all_the_same(self):
        folder = self.model_folder()
        for where in ("models/local/bert", "buckets/local/bert"):
            self.hub("upload", where, "--create", "-r", folder)
            self.assertEqual(self.hub("cat", where, "weights/model.safetensors").out, MODEL)
            self.assertEqual(self.hub("cat", where, "config.json").out, CONFIG)


class Bucket(HubTest):
    where = "buckets/alice/things"

    def test_files_go_in_and_come_out(self):
        run = self.hub("upload", self.where, "--create", "--json", "-r", self.model_folder())
        self.assertEqual(run.of("commit"), [])
        self.assertEqual(len(run.of("file")), 3)
        self.hub("download", self.where, "-d", "out")
        self.assertEqual(
            self.files_below("out"), {"weights/model.safetensors": MODEL, "config.json": CONFIG, "empty.txt": b""}
        )
        self.hub("download", self.where, "weights", "-d", "part")
        self.assertEqual(self.files_below("part"), {"weights/model.safetensors": MODEL})
        self.assertEqual(self.hub("cat", self.where, "config.json", "--range", "0-3").out, CONFIG[:4])
        self.hub("cat", self.where, "nope", expect=NOT_FOUND)
        self.hub("cat", "buckets/alice/nope", "config.json", expect=NOT_FOUND)

    def test_more_files_than_one_batch_takes(self):
        for i in range(1_203):
            self.write(f"many/{i:04}", b"%d" % i)
        self.hub("upload", self.where, "--create", "--no-sha256", "-r", self.folder / "many")
        self.hub("download", self.where, "-d", "out")
        self.assertEqual(self.files_below("out"), {f"{i:04}": b"%d" % i for i in range(1_203)})

    def test_times_are_kept(self):
        path = self.write("f", CONFIG)
        subprocess.run(["touch", "-d", "2020-03-04T05:06:07.891Z", path], check=True)
        self.hub("upload", self.where, "--create", path)
        _, body = self.call("GET", "/api/buckets/alice/things/tree?recursive=true")
        self.assertEqual(json.loads(body)[0]["mtime"][:23], "2020-03-04T05:06:07.891")


class Bridge(HubTest):
    """Files as they are, for clients that know nothing of Xet."""

    def bytes_read(self) -> int:
        """By the server from files so far; sockets do not count."""
        with Path(f"/proc/{self.server.pid}/io").open() as counts:
            return next(int(line.split()[1]) for line in counts if line.startswith("rchar:"))

    def get(self, url: str, begin: int, end: int) -> bytes:
        target = url.partition("://")[2].partition("/")[2]
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=60)
        connection.request("GET", "/" + target, headers={"Range": f"bytes={begin}-{end - 1}"})
        content = connection.getresponse().read()
        connection.close()
        return content

    def test_a_range_costs_little_more_than_itself(self):
        size, n = 60_000_000, 10_000_000
        content = random_bytes(size, 9)
        self.hub("upload", "models/alice/bert", "--create", self.write("w.bin", content))
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.url).netloc, timeout=60)
        connection.request("GET", "/alice/bert/resolve/main/w.bin")
        answer = connection.getresponse()
        url = answer.getheader("Location")
        answer.read()
        connection.close()
        self.get(url, 0, 1)  # what is read once is read
        before = self.bytes_read()
        begins = [random.Random(nth).randrange(size - n) for nth in range(20)]
        for begin in begins:
            self.assertTrue(self.get(url, begin, begin + n) == content[begin : begin + n], begin)
        self.assertLess(self.bytes_read() - before, 1.1 * n * len(begins))


class BackUp(HubTest):
    """The recipe of docs/serve.md, while the server runs and somebody uploads."""

    def back_up(self, to: Path) -> None:
        to.mkdir(exist_ok=True)
        fresh = to / "meta.sqlite.new"
        with contextlib.closing(sqlite3.connect(self.server.data / "meta.sqlite")) as database:
            database.execute("VACUUM INTO ?", (str(fresh),))
        fresh.replace(to / "meta.sqlite")
        for name in ("x", "s", "m"):
            if (self.server.data / name).exists():
                shutil.copytree(
                    self.server.data / name, to / name, dirs_exist_ok=True, copy_function=self.copy_unless_there
                )

    @staticmethod
    def copy_unless_there(source: str, destination: str) -> None:
        if not Path(destination).exists():
            shutil.copy2(source, destination)

    def upload(self, nth: int) -> None:
        content = random_bytes(1_000_000 + nth, nth)
        self.hub("upload", "models/alice/bert", "--create", "--to", f"{nth}.bin", self.write(f"{nth}", content))

    def test_what_was_there_before_it_is_there_after_restoring(self):
        for nth in range(3):
            self.upload(nth)
        bob = self.token_of("bob")
        with ThreadPoolExecutor(1) as pool:
            more = pool.submit(lambda: [self.upload(nth) for nth in range(3, 8)])
            for _ in range(3):  # the second and third only bring what is new
                self.back_up(self.folder / "backup")
            more.result()
        self.server.stop()

        restored = XetServe(self.folder / "restored", PROGRAM, auth=True)
        shutil.copytree(self.folder / "backup", restored.data)
        found = self.xet("admin", "fsck", "--data", restored.data, "--deep", "--json")
        self.assertEqual([event for event in found.of("finding") if event["kind"] != "orphan"], [])
        with restored:
            self.url = self.env["HF_ENDPOINT"] = restored.url
            for nth in range(3):
                self.assertEqual(
                    self.hub("cat", "models/alice/bert", f"{nth}.bin").out, random_bytes(1_000_000 + nth, nth)
                )
            self.hub("download", "models/alice/bert", "-d", "all")  # whatever came meanwhile is whole
            self.upload(8)
            self.env["HF_TOKEN"] = bob
            self.hub("upload", "models/bob/own", "--create", self.write("f", b"f"))


class Damage(HubTest):
    def test_fsck_finds_what_the_hub_lost(self):
        model = self.write("w.bin", MODEL)
        self.hub("upload", "models/alice/bert", "--create", model)
        self.hub("upload", "buckets/alice/things", "--create", model)
        nothing = {"type": "addFile", "path": "empty", "xetHash": "0" * 64, "mtime": 1}
        status, body = self.call("POST", "/api/buckets/alice/things/batch", json.dumps(nothing).encode())
        self.assertEqual(status, 200, body)
        self.server.stop()
        database = self.server.data / "meta.sqlite"
        self.xet("admin", "fsck", "--deep", "--data", self.server.data)
        whole = database.read_bytes()
        for damage, words in (
            (
                "UPDATE git_objects SET data = CAST(data || x'0a' AS BLOB) WHERE kind = 1",
                "has another content than its name says",
            ),
            ("DELETE FROM git_objects WHERE kind = 3", "branches and tags are at unknown commits"),
            ("UPDATE lfs_files SET file_hash = randomblob(32)", "committed files are unknown"),
            ("UPDATE bucket_entries SET file_hash = randomblob(32)", "files of buckets are unknown"),
        ):
            with contextlib.closing(sqlite3.connect(database)) as changed, changed:
                self.assertGreater(changed.execute(damage).rowcount, 0, damage)
            run = self.xet("admin", "fsck", "--deep", "--data", self.server.data, expect=CONTENT)
            self.assertIn(words.encode(), run.out + run.err)
            database.write_bytes(whole)


class Usage(CliTest):
    def test_wrong_endpoints_and_options(self):
        self.write("f", b"f")
        hub = ("-e", "hf:models/a/b")
        for arguments, words in (
            (("cat", "-e", "hf:models/a", "f"), "does not name a repository"),
            (("cat", "-e", "hf:things/a/b", "f"), "no type 'things'"),
            (("cat", "-e", "hf:models/a/b/c", "f"), "names are made of"),
            (("cat", "-e", "hf:models/a/..", "f"), "names are made of"),
            (("cat", "-e", "hf:models/a/b@", "f"), "behind the '@'"),
            (("cat", "-e", "hf:buckets/a/b@main", "f"), "no revisions"),
            (("download", *hub), "say where to write"),
            (("download", *hub, "f", "-o", "x", "-d", "y"), "say where to write"),
            (("download", *hub, "f", "g", "-o", "x"), "one file"),
            (("download", *hub, "f", "-d", "x", "--range", "0-1"), "--range"),
            (("upload", *hub, "--no-sha256", "f"), "--no-sha256"),
            (("upload", *hub, "-m", "", "f"), "--message"),
            (("upload", "--to", "x", "f"), "belong to hf:"),
            (("upload", "--create", "f"), "belong to hf:"),
            (("upload", "-m", "x", "f"), "belong to hf:"),
            (("plan", "--to", "x", "f"), "belong to hf:"),
        ):
            with self.subTest(arguments):
                self.assert_one_line(self.xet(*arguments, expect=USAGE).err, words)

    def test_with_a_store_a_hash_is_a_hash(self):
        self.assertEqual(self.xet("cat", self.put(b"content")).out, b"content")
        self.assert_one_line(self.xet("download", "a", "b", "-o", "x", expect=USAGE).err, "one HASH")


if __name__ == "__main__":
    unittest.main()
