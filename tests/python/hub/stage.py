"""What surrounds `huggingface_hub` in these tests: a folder that goes away, and `xet serve` behind a proxy."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from proxy import HubProxy

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tools"))

from servers import XetServe  # noqa: E402

USER, EMPTY_XET_HASH = "tester", "0" * 64
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


@dataclass
class File:
    """What the Hub says of a path. A regular file has its bytes, another one its hashes."""

    size: int
    oid: str = ""
    data: bytes | None = None
    xet_hash: str = ""


class Hub:
    """`xet serve`, past the proxy and past every client: what it has, as it says itself."""

    def __init__(self, folder: Path) -> None:
        self._server = XetServe(folder, PROGRAM, auth=True)

    def start(self) -> None:
        self._server.__enter__()
        self.url = self._server.url
        data = ("--data", self._server.data)
        xet("admin", "user", "add", USER, *data)
        self.token = xet("admin", "token", "create", "--user", USER, "--role", "write", *data).decode().strip()

    def stop(self) -> None:
        self._server.stop()

    def head(self, name: str, kind: str = "model") -> str:
        return json.loads(self._get(f"/api/{kind}s/{name}"))["sha"]

    def exists(self, name: str, kind: str = "model") -> bool:
        try:
            self._get(f"/api/{kind}s/{name}")
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return False
            raise
        return True

    def files(self, name: str, kind: str = "model") -> dict[str, File]:
        """What was put there, by path: not what a repository begins with."""
        revision = "" if kind == "bucket" else "/main"
        out = {}
        for entry in json.loads(self._get(f"/api/{kind}s/{name}/tree{revision}?recursive=true")):
            if entry["type"] != "file" or entry["path"] == ".gitattributes":
                continue
            file = File(entry["size"], entry.get("lfs", entry).get("oid", ""), None, entry.get("xetHash", ""))
            if not file.xet_hash:
                part = {"model": "", "dataset": "datasets/"}[kind]
                file.data = self._get(f"/{part}{name}/resolve/main/{quote(entry['path'])}")
            out[entry["path"]] = file
        return out

    def download(self, name: str, xet_hash: str, folder: Path, kind: str = "model") -> bytes:
        """What our own client fetches, whole and verified."""
        revision = "" if kind == "bucket" else "/main"
        told = json.loads(self._get(f"/api/{kind}s/{name}/xet-read-token{revision}"))
        path = folder / f"{xet_hash}.of-the-cas"
        env = {"XET_ENDPOINT": self.url, "XET_TOKEN": told["accessToken"]}
        xet("download", xet_hash, "-o", path, env=env)
        return path.read_bytes()

    def stored_bytes(self) -> int:
        lines = xet("admin", "stats", "--data", self._server.data, "--json").splitlines()
        return next(event["stored_bytes"] for event in map(json.loads, lines) if event["event"] == "store")

    def _get(self, path: str) -> bytes:
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()


class Stage:
    """Everything of a run. Enter it before `huggingface_hub` is imported: that reads the environment then."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="xet-hub-")
        self.folder = Path(self._folder.name)
        self.hub = HubProxy()
        self.server = Hub(self.folder / "hub")

    def __enter__(self) -> Stage:
        self.server.start()
        self.hub.upstream = self.server.url
        foreign = re.compile("HF_|HUGGING|XET_(?!PROGRAM)|(HTTPS?|ALL|NO)_PROXY$|TQDM|XDG_CACHE", re.IGNORECASE)
        for name in filter(foreign.match, list(os.environ)):
            del os.environ[name]
        os.environ.update(self.environment())
        return self

    def __exit__(self, *_: object) -> None:
        self.hub.close()
        self.server.stop()
        self._folder.cleanup()

    def environment(self) -> dict[str, str]:
        home = self.folder / "home"
        return {
            "HF_ENDPOINT": self.hub.url,
            "HF_TOKEN": self.server.token,
            "HF_HOME": str(home),
            "HF_XET_CACHE": str(home / "xet"),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "HF_XET_TELEMETRY_ENABLED": "false",
            "HF_XET_CLIENT_RETRY_BASE_DELAY": "20ms",
            "NO_PROXY": "127.0.0.1",
        }
