"""A Hub in memory for tests: repositories and buckets over HTTP, as far as `huggingface_hub` 1.29 and 2.4 ask for them.

Small files are kept here; large ones are in a CAS, of which this needs a few things (`class Cas` in stage.py): tokens,
files found by SHA-256 or by Xet hash, bytes read and bytes put. Every request is recorded with its status.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from wire import Answer, Double, Refusal, Request, as_json, route

USER, EMPTY_XET_HASH, REGULAR_LIMIT_BYTES = "tester", "0" * 64, 10_000_000


@dataclass
class File:
    """A regular file has its bytes here, a Xet file its hash; `oid` is the git SHA-1 or the SHA-256."""

    size: int
    oid: str = ""
    data: bytes | None = None
    xet_hash: str = ""
    mtime_ms: int = 0


@dataclass
class Repo:
    """A repository with the commits of its branch main, or a bucket, whose one commit changes."""

    kind: str
    name: str
    commits: dict[str, dict[str, File]] = field(default_factory=dict)
    head: str = ""

    @property
    def files(self) -> dict[str, File]:
        return self.commits[self.head]

    def commit(self, files: dict[str, File]) -> str:
        """Ids follow from content and history, so that two runs have the same."""
        told = json.dumps([self.kind, self.name, self.head, sorted((p, f.oid) for p, f in files.items())])
        self.head = hashlib.sha1(told.encode()).hexdigest()
        self.commits[self.head] = files
        return self.head


def _time(ms: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ms // 1000)) + f".{ms % 1000:03}Z"


def git_sha1(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _entry(path: str, file: File, kind: str) -> dict:
    entry = {"type": "file", "path": path, "size": file.size}
    if kind == "bucket":
        return entry | {"xetHash": file.xet_hash, "mtime": _time(file.mtime_ms), "uploadedAt": _time(file.mtime_ms)}
    if file.xet_hash:
        entry |= {"xetHash": file.xet_hash, "lfs": {"oid": file.oid, "size": file.size, "pointerSize": 130}}
    return entry | {"oid": file.oid[:40]}


def _below(path: str, files: dict[str, File], kind: str, recursive: bool) -> list[dict]:
    """The entries below a folder. Buckets list folders only when asked for one level."""
    start, entries = f"{path}/" if path else "", {}
    for name, file in sorted(files.items()):
        if not name.startswith(start):
            continue
        folders = name[len(start) :].split("/")[:-1]
        for depth in range(1, len(folders) + 1) if recursive else [1] * bool(folders):
            folder = start + "/".join(folders[:depth])
            oid = hashlib.sha1(folder.encode()).hexdigest()
            entries[folder] = {"type": "directory", "path": folder, "oid": oid, "uploadedAt": _time(0)}
        if recursive or not folders:
            entries[name] = _entry(name, file, kind)
    return [e for e in entries.values() if e["type"] == "file" or kind != "bucket" or not recursive]


_NAME = "(?P<name>[^/]+/[^/]+)"
_REPO = f"/api/(?P<kind>model|dataset)s/{_NAME}"
_BUCKET = f"/api/(?P<kind>bucket)s/{_NAME}"


class HubDouble(Double):
    """Serves from construction to close(). What is in `repos` may be changed by a test to make it lie."""

    def __init__(self) -> None:
        self.cas = None
        self.token_life_s = 3600
        self.repos: dict[tuple[str, str], Repo] = {}
        self._lock = threading.RLock()
        super().__init__()

    def _at(self, kind: str, name: str, rev: str = "main") -> tuple[Repo, str, dict[str, File]]:
        if (repo := self.repos.get((kind, name))) is None:
            raise Refusal(404, "Repository not found", "RepoNotFound")
        sha = repo.head if rev == "main" else rev
        if sha not in repo.commits:
            raise Refusal(404, f"Invalid rev id: {rev}", "RevisionNotFound")
        return repo, sha, repo.commits[sha]

    def _stored(self, repo: Repo, **which: str) -> tuple[str, int]:
        """Xet hash and size of a file that was uploaded to this repository."""
        if which.get("xet_hash") == EMPTY_XET_HASH:
            return EMPTY_XET_HASH, 0
        if (found := self.cas.find(repo, **which)) is None:
            raise Refusal(400, f"never uploaded: {which}")
        return found

    @route("GET", "/api/agent-harnesses", for_all=True)
    def _harnesses(self, _: Request) -> Answer:
        return as_json({"standardEnvVars": [], "harnesses": {}})

    @route("GET", "/api/whoami-v2")
    def _whoami(self, _: Request) -> Answer:
        auth = {"type": "access_token", "accessToken": {"displayName": "test", "role": "write"}}
        return as_json({"type": "user", "id": "1", "name": USER, "fullname": USER, "orgs": [], "auth": auth})

    @route("POST", "/api/validate-yaml")
    def _yaml(self, _: Request) -> Answer:
        return as_json({"errors": [], "warnings": []})

    @route("POST", "/api/repos/create")
    @route("POST", _BUCKET)
    def _create(self, request: Request, kind: str = "", name: str = "") -> Answer:
        asked = json.loads(request.body)
        kind = kind or asked.get("type") or "model"
        name = name.replace("me/", f"{USER}/") if name else f"{asked.get('organization') or USER}/{asked['name']}"
        part = {"model": "", "dataset": "datasets/", "bucket": "buckets/"}[kind]
        told = {"url": f"{self.url}/{part}{name}", "name": name, "id": name}
        with self._lock:
            if (kind, name) in self.repos:
                return as_json(told | {"error": "You already created this"}, 409)
            self.repos[kind, name] = repo = Repo(kind, name)
            repo.commit({})
        return as_json(told)

    @route("DELETE", "/api/repos/delete")
    @route("DELETE", _BUCKET)
    def _delete(self, request: Request, kind: str = "", name: str = "") -> Answer:
        asked = json.loads(request.body or b"{}")
        kind = kind or asked.get("type") or "model"
        repo, _, _ = self._at(kind, name or f"{asked.get('organization') or USER}/{asked['name']}")
        del self.repos[kind, repo.name]
        return Answer(204)

    @route("GET", _REPO + "(?:/revision/(?P<rev>[^/]+))?")
    def _info(self, _: Request, kind: str, name: str, rev: str) -> Answer:
        _, sha, files = self._at(kind, name, rev or "main")
        siblings = [{"rfilename": path, "size": file.size} for path, file in files.items()]
        told = {"_id": "1", "id": name, "modelId": name, "author": USER, "sha": sha, "private": False, "tags": []}
        more = {"createdAt": _time(0), "lastModified": _time(0), "downloads": 0, "likes": 0, "gated": False}
        return as_json(told | more | {"siblings": siblings, "disabled": False, "cardData": {}})

    @route("GET", _REPO + "/tree/(?P<rev>[^/]+)(?:/(?P<path>.+))?")
    @route("GET", _BUCKET + "/tree(?:/(?P<path>.+))?")
    def _tree(self, request: Request, kind: str, name: str, path: str, rev: str = "main") -> Answer:
        _, _, files = self._at(kind, name, rev)
        entries = _below(path.strip("/"), files, kind, request.query.get("recursive") == ["true"])
        if kind == "bucket" and path in files:
            entries = [_entry(path, files[path], kind)]
        if path and not entries and kind != "bucket":
            raise Refusal(404, f"{path} does not exist on {rev}", "EntryNotFound")
        return as_json(entries)

    @route("POST", _REPO + "/paths-info/(?P<rev>[^/]+)")
    @route("POST", _BUCKET + "/paths-info")
    def _paths(self, request: Request, kind: str, name: str, rev: str = "main") -> Answer:
        _, _, files = self._at(kind, name, rev)
        asked = json.loads(request.body) if kind == "bucket" else parse_qs(request.body.decode())
        return as_json([_entry(path, files[path], kind) for path in asked.get("paths", []) if path in files])

    @route("POST", _REPO + "/preupload/(?P<rev>[^/]+)")
    def _preupload(self, request: Request, kind: str, name: str, rev: str) -> Answer:
        _, sha, files = self._at(kind, name, rev)
        told = []
        for asked in json.loads(request.body)["files"]:
            binary = b"\0" in base64.b64decode(asked["sample"])
            mode = "lfs" if binary or asked["size"] > REGULAR_LIMIT_BYTES else "regular"
            oid = files[asked["path"]].oid if asked["path"] in files else None
            told.append({"path": asked["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        return as_json({"files": told, "commitOid": sha})

    @route("POST", _REPO + "/commit/(?P<rev>[^/]+)")
    def _commit(self, request: Request, kind: str, name: str, rev: str) -> Answer:
        with self._lock:
            repo, sha, before = self._at(kind, name, rev)
            files = dict(before)
            for line in request.lines():
                value = line["value"]
                match line["key"]:
                    case "header" if value.get("parentCommit", sha) != sha:
                        raise Refusal(412, "main has another commit now")
                    case "file":
                        data = base64.b64decode(value["content"])
                        files[value["path"]] = File(len(data), git_sha1(data), data)
                    case "lfsFile":
                        xet_hash, size = self._stored(repo, sha256=value["oid"])
                        files[value["path"]] = File(size, value["oid"], xet_hash=xet_hash)
                    case "deletedFile" if files.pop(value["path"], None) is None:
                        raise Refusal(404, "A file with this name doesn't exist", "EntryNotFound")
                    case "deletedFolder":
                        folder = value["path"].rstrip("/") + "/"
                        files = {path: file for path, file in files.items() if not path.startswith(folder)}
            sha = repo.commit(files)
        url = f"{self.url}/{'datasets/' if kind == 'dataset' else ''}{name}/commit/{sha}"
        return as_json({"success": True, "commitUrl": url, "commitOid": sha, "hookOutput": ""})

    @route("GET", _REPO + "/xet-(?P<scope>read|write)-token/(?P<rev>[^/]+)")
    @route("GET", _BUCKET + "/xet-(?P<scope>read|write)-token")
    def _token(self, _: Request, kind: str, name: str, scope: str, rev: str = "main") -> Answer:
        repo, _, _ = self._at(kind, name, rev)
        token, expiry, cas = self.cas.token(repo, scope), int(time.time()) + self.token_life_s, self.cas.url
        headers = {"X-Xet-Access-Token": token, "X-Xet-Token-Expiration": str(expiry), "X-Xet-Cas-Url": cas}
        return as_json({"accessToken": token, "exp": expiry, "casUrl": cas}, 200, headers)

    @route("GET|HEAD", f"/(?P<kind>datasets/|){_NAME}/resolve/(?P<rev>[^/]+)/(?P<path>.+)")
    @route("GET|HEAD", f"/(?P<kind>buckets/){_NAME}/resolve/(?P<path>.+)")
    def _resolve(self, request: Request, kind: str, name: str, path: str, rev: str = "main") -> Answer:
        kind = kind.rstrip("s/") or "model"
        repo, sha, files = self._at(kind, name, rev)
        headers = {"X-Repo-Commit": sha, "Accept-Ranges": "bytes"}
        if (file := files.get(path)) is None:
            raise Refusal(404, f"{path} does not exist on {rev}", "EntryNotFound", **headers)
        headers |= {"ETag": f'"{file.oid or file.xet_hash}"', "X-Linked-Size": str(file.size)}
        if file.data is None:
            url = f"{self.url}/api/{kind}s/{name}/xet-read-token" + ("" if kind == "bucket" else f"/{sha}")
            headers |= {"X-Xet-Hash": file.xet_hash, "Link": f'<{url}>; rel="xet-auth"'}
            headers |= {"X-Linked-ETag": headers["ETag"]}
        if request.method == "HEAD":
            return Answer(200, headers=headers, length=file.size)
        first, end, status = 0, file.size, 200
        if asked := re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", "")):
            first, end, status = int(asked[1]), min(int(asked[2] or file.size) + 1, file.size), 206
            if first >= file.size:
                raise Refusal(416, "range not satisfiable", **{"Content-Range": f"bytes */{file.size}"})
            headers["Content-Range"] = f"bytes {first}-{end - 1}/{file.size}"
        data = file.data[first:end] if file.data is not None else self.cas.read(repo, file.xet_hash, first, end)
        return Answer(status, data, headers)

    @route("POST", f"/(?P<kind>datasets/|){_NAME}[.]git/info/lfs/objects/batch")
    def _lfs_batch(self, request: Request, kind: str, name: str) -> Answer:
        kind = kind.rstrip("s/") or "model"
        repo, _, _ = self._at(kind, name)
        objects = json.loads(request.body)["objects"]
        for told in objects:
            if self.cas.find(repo, sha256=told["oid"]) is None:
                told["actions"] = {"upload": {"href": f"{self.url}/lfs/{kind}/{name}/{told['oid']}"}}
        return as_json({"transfer": "basic", "objects": objects})

    @route("PUT", f"/lfs/(?P<kind>[^/]+)/{_NAME}/(?P<oid>[^/]+)", for_all=True)
    def _lfs_put(self, request: Request, kind: str, name: str, oid: str) -> Answer:
        if hashlib.sha256(request.body).hexdigest() != oid:
            raise Refusal(400, "these are other bytes")
        self.cas.put(self._at(kind, name)[0], request.body)
        return Answer()

    @route("GET", "/api/buckets/(?P<owner>[^/]+)")
    def _buckets(self, _: Request, owner: str) -> Answer:
        return as_json([self._bucket_told(repo) for (kind, _), repo in self.repos.items() if kind == "bucket"])

    @route("GET", _BUCKET)
    def _bucket(self, _: Request, kind: str, name: str) -> Answer:
        return as_json(self._bucket_told(self._at(kind, name)[0]))

    def _bucket_told(self, repo: Repo) -> dict:
        size = sum(file.size for file in repo.files.values())
        told = {"id": repo.name, "private": False, "createdAt": _time(0), "updatedAt": _time(0)}
        return told | {"size": size, "totalFiles": len(repo.files)}

    @route("POST", _BUCKET + "/batch")
    def _batch(self, request: Request, kind: str, name: str) -> Answer:
        failed, lines = [], request.lines()
        repo, _, files = self._at(kind, name)
        for line in lines:
            try:
                if line["type"] == "deleteFile":
                    if files.pop(line["path"], None) is None:
                        raise Refusal(404, "no such file")
                    continue
                if line["type"] == "copyFile":
                    source, _, _ = self._at(line["sourceRepoType"], line["sourceRepoId"])
                    _, size = self._stored(source, xet_hash=line["xetHash"])
                    self.cas.put(repo, self.cas.read(source, line["xetHash"], 0, size))
                xet_hash, size = self._stored(repo, xet_hash=line["xetHash"])
                files[line["path"]] = File(size, xet_hash=xet_hash, mtime_ms=line.get("mtime", 0))
            except Refusal as refusal:
                failed.append({"path": line["path"], **json.loads(refusal.answer.body)})
        status = 422 if lines and len(failed) == len(lines) else 200
        return as_json({"success": not failed, "failed": failed}, status)
