"""How files that are too large for a commit get into a repository and out of it again."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from cli_support import environment
from connection import Connection
from content import Content, Contents
from errors import Wrong
from hub import Site
from journal import Repository

_PROCESS_LIMIT_S = 300
_UNAVAILABLE = 5
# More would measure how this machine starts processes.
_processes = threading.BoundedSemaphore(16)


class XetProgram:
    """The program `xet` as one client uses it, with what that client remembers of the store."""

    def __init__(self, site: Site, folder: Path) -> None:
        self._site = site
        self._folder = folder
        folder.mkdir(parents=True)

    def upload(self, connection: Connection, repository: Repository, files: Mapping[str, bytes]) -> None:
        """`files` are given by their SHA-256, which the program has to find, too."""
        told = connection.ask("token", "GET", f"{repository.api}/xet-write-token/main").json()
        sources = self._folder / "up"
        sources.mkdir()
        try:
            paths = []
            for number, data in enumerate(files.values()):
                paths.append(sources / str(number))
                paths[-1].write_bytes(data)
            out = self._run(connection, told, "upload", "--json", *paths)
        finally:
            shutil.rmtree(sources)
        events = [json.loads(line) for line in out.splitlines()]
        found = [(event["sha256"], event["size"]) for event in events if event["event"] == "file"]
        if found != (wanted := [(sha256, len(data)) for sha256, data in files.items()]):
            raise Wrong(f"`xet upload` told {found} of files that are {wanted}")
        connection.figures.count("up", sum(map(len, files.values())))

    def download(self, connection: Connection, repository: Repository, revision: str, xet_hash: str) -> bytes:
        told = connection.ask("token", "GET", f"{repository.api}/xet-read-token/{revision}").json()
        path = self._folder / "down"
        self._run(connection, told, "download", xet_hash, "-o", path)
        data = path.read_bytes()
        path.unlink()
        connection.figures.count("down", len(data))
        return data

    def _run(self, connection: Connection, told: dict, command: str, *arguments: str | Path) -> str:
        began = time.monotonic()
        env = environment(
            XET_ENDPOINT=told["casUrl"],
            XET_TOKEN=told["accessToken"],
            HF_XET_CACHE=str(self._folder / "cache"),
            HF_XET_CLIENT_RETRY_BASE_DELAY="100ms",
        )
        words = [str(self._site.program), command, "-q", "--threads", "1", *map(str, arguments)]
        with _processes:
            try:
                done = subprocess.run(words, capture_output=True, text=True, env=env, timeout=_PROCESS_LIMIT_S)
            except subprocess.TimeoutExpired:
                raise Wrong(f"`xet {command}` had not ended after {_PROCESS_LIMIT_S} s") from None
        if done.returncode != 0:
            what = f"`xet {command}` ended with {done.returncode}: {done.stderr.strip()}"
            # Only of what trying again may cure the server's absence can be the cause.
            raise self._site.failure(began, what) if done.returncode == _UNAVAILABLE else Wrong(what)
        connection.figures.answered(f"xet {command}", time.monotonic() - began)
        return done.stdout


def upload_by_lfs(connection: Connection, repository: Repository, files: Mapping[str, bytes]) -> None:
    """By Git LFS' basic transfer: the file as it is. `files` are given by their SHA-256."""
    wanted = {
        "operation": "upload",
        "transfers": ["basic"],
        "hash_algo": "sha256",
        "objects": [{"oid": sha256, "size": len(data)} for sha256, data in files.items()],
    }
    told = connection.ask("lfs batch", "POST", f"{repository.page}.git/info/lfs/objects/batch", wanted).json()
    if [answer["oid"] for answer in told["objects"]] != list(files):
        raise Wrong(f"a batch of {list(files)} was answered with {told}")
    for answer in told["objects"]:
        sha256 = answer["oid"]
        if "error" in answer:
            raise Wrong(f"the upload of {sha256} was refused: {answer['error']}")
        # Without actions the repository has it already.
        if "actions" not in answer:
            connection.figures.count("known to LFS")
            continue
        upload, verify = answer["actions"]["upload"], answer["actions"]["verify"]
        headers = upload.get("header", {})
        connection.ask(
            "lfs put", "PUT", connection.path_of(upload["href"]), files[sha256], headers=headers, signed=True
        )
        announced = {"oid": sha256, "size": len(files[sha256])}
        connection.ask("lfs verify", "POST", connection.path_of(verify["href"]), announced)


class Reader:
    """Reads files of a repository in the ways there are, and compares them with what they should be."""

    def __init__(self, contents: Contents, program: XetProgram, source: random.Random) -> None:
        self._contents = contents
        self._program = program
        self._random = source

    def check(self, connection: Connection, repository: Repository, revision: str, path: str, content: Content) -> None:
        """By plain HTTP."""
        self.check_any(connection, repository, revision, path, (content,))

    def check_any(
        self,
        connection: Connection,
        repository: Repository,
        revision: str,
        path: str,
        possible: tuple[Content | None, ...],
    ) -> None:
        """One of these; None is that there is no such file."""
        url = f"{repository.page}/resolve/{revision}/{path}"
        missing = (404,) if None in possible else ()
        answer = connection.ask("resolve", "GET", url, expect=(200, 302, *missing))
        if answer.status == 404:
            return
        data = answer.body
        if answer.status == 302:
            bridge = connection.path_of(answer.headers["Location"])
            data = connection.ask("bridge", "GET", bridge, signed=True).body
        if not any(data == self._contents.data(content) for content in possible if content):
            raise Wrong(f"GET {url} gave {len(data)} bytes which are none of {possible}")

    def check_range(
        self, connection: Connection, repository: Repository, revision: str, path: str, content: Content
    ) -> None:
        begin, end = sorted(self._random.sample(range(content.size), 2))
        headers = {"Range": f"bytes={begin}-{end}"}
        url = f"{repository.page}/resolve/{revision}/{path}"
        answer = connection.ask("resolve", "GET", url, headers=headers, expect=(206, 302))
        if answer.status == 302:
            bridge = connection.path_of(answer.headers["Location"])
            answer = connection.ask("bridge, range", "GET", bridge, headers=headers, expect=(206,), signed=True)
        if answer.body != self._contents.data(content)[begin : end + 1]:
            raise Wrong(f"bytes {begin} to {end} of {url} are not those of {content}")

    def check_by_xet(
        self, connection: Connection, repository: Repository, revision: str, path: str, content: Content
    ) -> None:
        url = f"{repository.page}/resolve/{revision}/{path}"
        head = connection.ask("resolve, HEAD", "HEAD", url)
        if head.headers["X-Linked-Size"] != str(content.size):
            raise Wrong(f"HEAD {url} says {head.headers['X-Linked-Size']} bytes of {content}")
        data = self._program.download(connection, repository, revision, head.headers["X-Xet-Hash"])
        if data != self._contents.data(content):
            raise Wrong(f"`xet download` of {url} gave {len(data)} bytes that are not those of {content}")
