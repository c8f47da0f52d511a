"""The Hub that `xet serve` is, past every client: its users, and what it holds, as plain HTTP tells it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from clients import ClientFailed
from servers import XetServe

USER = "alice"
_LIMIT_S = 120


@dataclass(frozen=True)
class Place:
    """A model, a dataset or a bucket, in the words of each interface."""

    kind: str
    name: str

    @property
    def uri(self) -> str:
        return f"hf://{self._prefix}{self.name}"

    @property
    def api(self) -> str:
        return f"/api/{self.kind}s/{self.name}"

    @property
    def tree(self) -> str:
        return f"{self.api}/tree{'' if self.kind == 'bucket' else '/main'}?recursive=true"

    def file(self, path: str) -> str:
        revision = "" if self.kind == "bucket" else "main/"
        return f"/{self._prefix}{self.name}/resolve/{revision}{quote(path)}"

    @property
    def _prefix(self) -> str:
        return "" if self.kind == "model" else f"{self.kind}s/"


class Hub:
    """A server with a user, whose namespace the tests write to, and a stranger, who has one of his own."""

    def __init__(self, server: XetServe, program: Path) -> None:
        self.url = server.url
        self._data = server.data
        self._program = program
        self.token = self.add_user(USER)
        self.strangers_token = self.add_user("mallory")

    def call(self, method: str, path: str, body: bytes = b"") -> bytes:
        request = urllib.request.Request(self.url + path, body or None, method=method)
        request.add_header("Authorization", f"Bearer {self.token}")
        with urllib.request.urlopen(request, timeout=_LIMIT_S) as answer:
            return answer.read()

    def paths(self, place: Place) -> set[str]:
        """Of the files that were put there: not what a repository begins with."""
        listed = json.loads(self.call("GET", place.tree))
        return {entry["path"] for entry in listed if entry["type"] == "file"} - {".gitattributes"}

    def digest(self, place: Place, path: str) -> str:
        """SHA-256 of what everybody gets who asks for this file."""
        return hashlib.sha256(self.call("GET", place.file(path))).hexdigest()

    def digests(self, place: Place) -> dict[str, str]:
        return {path: self.digest(place, path) for path in self.paths(place)}

    def is_private(self, place: Place) -> bool:
        return json.loads(self.call("GET", place.api))["private"]

    def add_user(self, name: str) -> str:
        """His token."""
        self._run("admin", "user", "add", name, "--data", self._data)
        return self._run("admin", "token", "create", "--user", name, "--role", "write", "--data", self._data)

    def _run(self, *arguments: str | Path) -> str:
        return run(self._program, *arguments).strip()


def run(*command: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, timeout=_LIMIT_S
    )
    if done.returncode != 0:
        raise ClientFailed(f"{command[0]} ended with {done.returncode}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode(errors="replace")
