"""What surrounds `huggingface_hub` in these tests: a folder that goes away, a Hub double, and `xet serve` behind it."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

from hub_double import HubDouble, Repo
from wire import TOKEN

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tools"))

from servers import XetServe  # noqa: E402

PROGRAM = Path(os.environ.get("XET_PROGRAM", ROOT / "build/release/bin/xet"))


def versions() -> str:
    names = ("huggingface_hub", "hf_xet", "fsspec")
    known = {name: next(iter(importlib.metadata.distributions(name=name)), None) for name in names}
    told = ", ".join(f"{name} {found.version if found else 'missing'}" for name, found in known.items())
    return f"{told}, Python {sys.version.split()[0]}"


def xet(*arguments: str | Path, stdin: bytes = b"", env: dict[str, str] | None = None) -> bytes:
    """Runs the program and gives what it prints."""
    command = [str(PROGRAM), *map(str, arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=120, env={**os.environ, **(env or {})})
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.decode()}")
    return done.stdout


def xet_hash(content: bytes) -> str:
    return xet("hash", "-", stdin=content).split()[0].decode()


def _swapped(digest: bytes) -> str:
    """A hash as it is printed from the bytes that the store keeps, and back: words of 8 bytes, each turned around."""
    return b"".join(digest[i : i + 8][::-1] for i in range(0, 32, 8)).hex()


class Cas:
    """`xet serve` as the Hub double sees it. Tokens are real ones, each for one repository."""

    def __init__(self, folder: Path) -> None:
        self._server = XetServe(folder, PROGRAM, auth=True)

    def start(self) -> None:
        self._server.__enter__()
        self.url = self._server.url

    def stop(self) -> None:
        self._server.stop()

    def token(self, repo: Repo, scope: str) -> str:
        return self._server.token(scope, "--repo", f"{repo.kind}/{repo.name}")

    def find(self, repo: Repo, sha256: str = "", xet_hash: str = "") -> tuple[str, int] | None:
        """Xet hash and size of what was uploaded to the repository, by one of the hashes."""
        number = {"model": 1, "dataset": 2, "space": 3, "bucket": 4}[repo.kind]
        owner, _, name = repo.name.partition("/")
        column, wanted = ("sha256", sha256) if sha256 else ("file_hash", xet_hash)
        query = (
            "SELECT file_hash, size FROM repo_files JOIN repos USING (repo_id) JOIN namespaces USING (ns_id)"
            f" WHERE type = ? AND namespaces.name = ? AND repos.name = ? AND {column} = ?"
        )
        database = sqlite3.connect(f"file:{self._server.data}/meta.sqlite?mode=ro", uri=True)
        try:
            key = bytes.fromhex(_swapped(bytes.fromhex(wanted)))
            row = database.execute(query, (number, owner, name, key)).fetchone()
        finally:
            database.close()
        return (_swapped(row[0]), row[1]) if row else None

    def read(self, repo: Repo, xet_hash: str, first: int, end: int) -> bytes:
        if first >= end:
            return b""
        return self._run(repo, "read", "cat", xet_hash, "--range", f"{first}-{end - 1}")

    def download(self, repo: Repo, xet_hash: str, folder: Path) -> bytes:
        """What our own client fetches, whole and verified."""
        path = folder / f"{xet_hash}.of-the-cas"
        self._run(repo, "read", "download", xet_hash, "-o", path)
        return path.read_bytes()

    def put(self, repo: Repo, content: bytes) -> None:
        self._run(repo, "write", "upload", "-q", "-", stdin=content)

    def stored_bytes(self) -> int:
        lines = xet("admin", "stats", "--data", self._server.data, "--json").splitlines()
        return next(event["stored_bytes"] for event in map(json.loads, lines) if event["event"] == "store")

    def _run(self, repo: Repo, scope: str, *arguments: str | Path, stdin: bytes = b"") -> bytes:
        return xet(*arguments, stdin=stdin, env={"XET_ENDPOINT": self.url, "XET_TOKEN": self.token(repo, scope)})


class Stage:
    """Everything of a run. Enter it before `huggingface_hub` is imported: that reads the environment then."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="xet-hub-")
        self.folder = Path(self._folder.name)
        self.hub = HubDouble()
        self.cas = self.hub.cas = Cas(self.folder / "cas")

    def __enter__(self) -> Stage:
        self.cas.start()
        foreign = re.compile("HF_|HUGGING|XET_(?!PROGRAM)|(HTTPS?|ALL|NO)_PROXY$|TQDM|XDG_CACHE", re.IGNORECASE)
        for name in filter(foreign.match, list(os.environ)):
            del os.environ[name]
        os.environ.update(self.environment())
        return self

    def __exit__(self, *_: object) -> None:
        self.hub.close()
        self.cas.stop()
        self._folder.cleanup()

    def environment(self) -> dict[str, str]:
        home = self.folder / "home"
        return {
            "HF_ENDPOINT": self.hub.url,
            "HF_TOKEN": TOKEN,
            "HF_HOME": str(home),
            "HF_XET_CACHE": str(home / "xet"),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "HF_XET_TELEMETRY_ENABLED": "false",
            "HF_XET_CLIENT_RETRY_BASE_DELAY": "20ms",
            "NO_PROXY": "127.0.0.1",
        }
