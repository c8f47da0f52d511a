"""The clients of the matrix behind one interface. Every call is a process of its own, with a cache of its own."""

from __future__ import annotations

import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from cli_support import environment
from peer import child_command

TIME_LIMIT_S = 300


class ClientFailed(Exception):
    """A client that did not do what it was told; the message has its own words."""


@dataclass(frozen=True)
class Access:
    """Where a client goes, and with what."""

    url: str
    token: str = ""
    # A GET that answers with a token and the server's URL; clients that know no such thing cannot use it.
    refresh_url: str = ""
    # HF_XET_… variables; all clients read the same.
    settings: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Stored:
    """A file as an upload names it."""

    hash: str
    size: int


@dataclass(frozen=True)
class Piece:
    """Bytes of a stored file, `end` exclusive."""

    name: str
    file: Stored
    begin: int
    end: int


class Client:
    name = ""
    # A process per file: tests that would start thousands of them look at this.
    downloads_singly = False

    def upload(self, access: Access, paths: list[Path], cache: Path) -> list[Stored]:
        """Uploads all in one commit; the results are in the order of `paths`."""
        raise NotImplementedError

    def download(self, access: Access, files: dict[str, Stored], out: Path, cache: Path) -> None:
        """Writes each file to its name below `out`."""
        raise NotImplementedError

    def read(self, access: Access, pieces: list[Piece], out: Path, cache: Path) -> None:
        """Writes each piece to `out`/0, `out`/1 and so on."""
        raise NotImplementedError

    def _run(self, command: list[str | Path], cache: Path, stdin: str = "", **variables: str) -> bytes:
        """Runs to the end; stdout. Nothing of this machine's settings and caches gets in."""
        home = {"HF_XET_CACHE": str(cache), "HF_HOME": str(cache), "RUST_BACKTRACE": "0"}
        command = list(map(str, command))
        done = subprocess.run(
            command,
            input=stdin.encode(),
            env=environment(**home, **variables),
            capture_output=True,
            timeout=TIME_LIMIT_S,
        )
        if done.returncode != 0:
            # xtool puts a stack behind its message when the machine's settings ask for one.
            text = (done.stderr or done.stdout).decode(errors="replace").partition("Stack backtrace:")[0]
            said = text.strip().splitlines()
            raise ClientFailed(f"{self.name} ended with {done.returncode}: {' / '.join(said[-3:])}")
        return done.stdout


class HfXet(Client):
    """The genuine Python module."""

    def __init__(self, name: str, python: Path) -> None:
        self.name, self._python = name, python

    def _call(self, call: str, access: Access, cache: Path, **arguments: object) -> object:
        options: dict[str, object] = {}
        if access.token:
            # The module uses a token only together with the time at which it ends.
            options |= {"token": access.token, "token_expiry_unix_secs": int(time.time()) + 3600}
        if access.refresh_url:
            options |= {"token_refresh_url": access.refresh_url}
        arguments |= {"endpoint": access.url or None, **options}
        out = self._run(child_command(self._python, call), cache, json.dumps(arguments), **access.settings)
        return json.loads(out)["result"]

    def upload(self, access: Access, paths: list[Path], cache: Path) -> list[Stored]:
        return [Stored(*found) for found in self._call("upload", access, cache, paths=list(map(str, paths)))]

    def download(self, access: Access, files: dict[str, Stored], out: Path, cache: Path) -> None:
        wanted = [[file.hash, file.size, str(out / name)] for name, file in files.items()]
        self._call("download", access, cache, files=wanted)

    def read(self, access: Access, pieces: list[Piece], out: Path, cache: Path) -> None:
        ranges = [[p.file.hash, p.file.size, p.begin, p.end, str(out / str(i))] for i, p in enumerate(pieces)]
        self._call("read_ranges", access, cache, ranges=ranges)


class Xtool(Client):
    """The genuine command line. It downloads one file per run."""

    downloads_singly = True

    def __init__(self, program: Path) -> None:
        self.name, self._program = "xtool-1.8.0", program

    def _command(self, access: Access, *arguments: str | Path) -> list[str | Path]:
        token = ["--token", access.token] if access.token else []
        return [self._program, "--quiet", "--endpoint", access.url, *token, "file", *arguments]

    def upload(self, access: Access, paths: list[Path], cache: Path) -> list[Stored]:
        cache.mkdir(parents=True, exist_ok=True)
        listing = cache / "uploaded.json"
        self._run(self._command(access, "upload", "--output", listing, *paths), cache, **access.settings)
        infos = [entry["xet_info"] for entry in json.loads(listing.read_text())]
        return [Stored(info["hash"], info["file_size"]) for info in infos]

    def download(self, access: Access, files: dict[str, Stored], out: Path, cache: Path) -> None:
        def one(item: tuple[str, Stored]) -> None:
            name, file = item
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            command = self._command(access, "download", file.hash, "--size", str(file.size), "-o", out / name)
            self._run(command, cache, **access.settings)

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(one, files.items()))

    def read(self, access: Access, pieces: list[Piece], out: Path, cache: Path) -> None:
        for i, p in enumerate(pieces):
            span = ["--size", str(p.file.size), "--source-range", f"{p.begin}..{p.end}"]
            command = self._command(access, "download", p.file.hash, *span, "-o", out / str(i))
            self._run(command, cache, **access.settings)


class Xet(Client):
    """Ours. Ranges are read by `download` and by `cat` in turn."""

    name = "xet"

    def __init__(self, program: Path) -> None:
        self._program = program

    def _xet(self, access: Access, cache: Path, *arguments: str | Path, stdin: str = "") -> bytes:
        command, *rest = arguments
        variables = access.settings | ({"XET_TOKEN": access.token} if access.token else {})
        return self._run([self._program, command, "-q", "-e", access.url, *rest], cache, stdin, **variables)

    def upload(self, access: Access, paths: list[Path], cache: Path) -> list[Stored]:
        events = map(json.loads, self._xet(access, cache, "upload", "--json", *paths).splitlines())
        files = {event["path"]: event for event in events if event["event"] == "file"}
        return [Stored(files[str(path)]["xet_hash"], files[str(path)]["size"]) for path in paths]

    def download(self, access: Access, files: dict[str, Stored], out: Path, cache: Path) -> None:
        lines = [
            json.dumps({"event": "file", "path": name, "xet_hash": file.hash, "size": file.size})
            for name, file in files.items()
        ]
        self._xet(access, cache, "download", "--manifest", "-", "-d", out, stdin="\n".join(lines))

    def read(self, access: Access, pieces: list[Piece], out: Path, cache: Path) -> None:
        for i, p in enumerate(pieces):
            span = ["--range", f"{p.begin}-{p.end - 1}"]
            if i % 2 == 0:
                self._xet(access, cache, "download", p.file.hash, *span, "-o", out / str(i))
            else:
                (out / str(i)).write_bytes(self._xet(access, cache, "cat", p.file.hash, *span))
