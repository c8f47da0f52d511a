#!/usr/bin/env python3
"""What a Hub sees of a fixed scenario, as JSON: two modules below one `huggingface_hub` must give the same.

    requests_record.py --record FILE       run the scenario with what is installed, write the record
    requests_record.py --compare A B       exit code 1, and the difference, when they are not the same

Parts that change from run to run are masked: versions, tokens, session ids, times; commits are numbered as they come.
Steps that ask from several threads have their requests sorted.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import json
import os
import random
import re
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from proxy import Answer, Request
from stage import Stage, versions

HEADERS = ("accept", "accept-encoding", "authorization", "content-type", "range", "user-agent")
HEADERS += ("x-hf-download-counter", "x-xet-session-id")
REPO, DATASET, BUCKET = "tester/model", "tester/data", "tester/bucket"

_STEPS: list[tuple[str, bool, Callable]] = []


def step(function: Callable) -> Callable:
    _STEPS.append((function.__name__, False, function))
    return function


def threaded_step(function: Callable) -> Callable:
    _STEPS.append((function.__name__, True, function))
    return function


class Scene:
    """What the steps work with: the stage, the API of the hub, files that follow from numbers."""

    def __init__(self, stage: Stage) -> None:
        import huggingface_hub

        self.stage = stage
        self.lib = huggingface_hub
        self.api = huggingface_hub.HfApi()
        self.fs = huggingface_hub.HfFileSystem()
        self.folder = stage.folder / "files"
        for path, (seed, size) in {
            "weights/1.bin": (1, 2_500_000),
            "weights/2.bin": (2, 40_000),
            "weights/deep/ä 3.bin": (3, 900_000),
        }.items():
            self.write(path, self.bytes(seed, size))
        self.write("config.json", b"{}\n")
        self.write("README.md", b"# Model\n")
        self.write("empty", b"")

    def bytes(self, seed: int, size: int) -> bytes:
        return b"\0" + random.Random(seed).randbytes(size - 1)

    def write(self, path: str, data: bytes) -> Path:
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_bytes(data)
        return self.folder / path

    def out(self, name: str) -> Path:
        return self.stage.folder / "out" / name


@step
def create(scene: Scene) -> None:
    scene.api.whoami()
    scene.api.create_repo(REPO)
    scene.api.create_repo(REPO, exist_ok=True)
    scene.api.create_repo(DATASET, repo_type="dataset")
    scene.api.create_bucket(BUCKET)


@step
def upload_file(scene: Scene) -> None:
    scene.api.upload_file(path_or_fileobj=scene.folder / "config.json", path_in_repo="config.json", repo_id=REPO)
    scene.api.upload_file(path_or_fileobj=scene.folder / "weights/1.bin", path_in_repo="1.bin", repo_id=REPO)
    scene.api.upload_file(path_or_fileobj=scene.bytes(4, 300_000), path_in_repo="bytes/4.bin", repo_id=REPO)
    with (scene.folder / "weights/2.bin").open("rb") as stream:
        scene.api.upload_file(path_or_fileobj=stream, path_in_repo="object", repo_id=DATASET, repo_type="dataset")


@step
def upload_again(scene: Scene) -> None:
    scene.api.upload_file(path_or_fileobj=scene.folder / "weights/1.bin", path_in_repo="1.bin", repo_id=REPO)
    edited = scene.write("edited", scene.bytes(1, 2_500_000)[:2_000_000] + b"end")
    scene.api.upload_file(path_or_fileobj=edited, path_in_repo="1.bin", repo_id=REPO)


@step
def upload_folder(scene: Scene) -> None:
    scene.api.upload_folder(repo_id=REPO, folder_path=scene.folder, ignore_patterns="edited")
    scene.api.upload_folder(repo_id=REPO, folder_path=scene.folder / "weights", path_in_repo="weights")


@step
def busy_token_route(scene: Scene) -> None:
    hub = scene.stage.hub
    hub.hooks.append(lambda r: Answer(503) if len(hub.seen("GET", "xet-")) < 3 and "xet-" in r.path else None)
    scene.api.upload_file(path_or_fileobj=scene.bytes(5, 100_000), path_in_repo="5.bin", repo_id=REPO)


@step
def refused_token(scene: Scene) -> None:
    scene.stage.hub.hooks.append(lambda r: Answer(403, b"{}") if "xet-" in r.path else None)
    for _ in range(2):
        try:
            scene.api.upload_file(path_or_fileobj=scene.bytes(6, 100_000), path_in_repo="6.bin", repo_id=REPO)
        except OSError:
            continue
        raise AssertionError("an upload without a token went through")


@step
def download(scene: Scene) -> None:
    for name in ("1.bin", "config.json", "empty", "weights/deep/ä 3.bin", "1.bin"):
        scene.lib.hf_hub_download(REPO, name)
    scene.lib.hf_hub_download(REPO, "1.bin", local_dir=scene.out("local"))
    scene.lib.hf_hub_download(DATASET, "object", repo_type="dataset", force_download=True)


@threaded_step
def snapshot(scene: Scene) -> None:
    scene.api.upload_file(path_or_fileobj=b"new", path_in_repo="new", repo_id=REPO)
    scene.lib.snapshot_download(REPO, cache_dir=scene.out("cache"))
    scene.lib.snapshot_download(REPO, cache_dir=scene.out("cache"))


@step
def file_system(scene: Scene) -> None:
    with scene.fs.open(f"{REPO}/fs.bin", "wb") as stream:
        stream.write(scene.bytes(7, 500_000))
    with scene.fs.open(f"{REPO}/fs.bin", "rb", block_size=2**16) as stream:
        stream.seek(250_000)
        stream.read(1000)
        stream.seek(10)
        stream.read(100)
    scene.fs.cat_file(f"{REPO}/fs.bin")
    scene.fs.get_file(f"{REPO}/fs.bin", str(scene.stage.folder / "fs.bin"))


@step
def bucket(scene: Scene) -> None:
    files = [(scene.folder / "weights/1.bin", "a/1.bin"), (scene.folder / "empty", "empty"), (b"\0few", "few")]
    scene.api.batch_bucket_files(BUCKET, add=files)
    list(scene.api.list_bucket_tree(BUCKET, recursive=True))
    scene.api.download_bucket_files(BUCKET, [(path, scene.out(path)) for _, path in files])
    for path in ("a/1.bin", "empty"):
        scene.fs.get_file(f"buckets/{BUCKET}/{path}", str(scene.stage.folder / "from-bucket"))


@step
def sync(scene: Scene) -> None:
    there = f"hf://buckets/{BUCKET}/sync"
    scene.api.sync_bucket(str(scene.folder), there, quiet=True)
    scene.api.sync_bucket(there, str(scene.out("synced")), quiet=True)
    scene.write("weights/2.bin", scene.bytes(8, 41_000))
    scene.api.sync_bucket(str(scene.folder), there, quiet=True)


_ids: dict[str, str] = {}


def _numbered(text: str) -> str:
    """Commits are made at some time, so their ids differ from run to run."""
    text = re.sub(r"/lfs/[^/]+$", "/lfs/<id>", text)
    return re.sub(r"\b[0-9a-f]{40}\b", lambda m: _ids.setdefault(m[0], f"<commit {len(_ids)}>"), text)


def _header(name: str, value: str) -> str:
    match name:
        case "authorization":
            return "Bearer <token>" if value == f"Bearer {os.environ['HF_TOKEN']}" else value
        case "user-agent":
            return re.sub(r"/[0-9][^;\s]*", "/<version>", value)
        case "x-xet-session-id":
            return "<id>"
    return value


def _body(request: Request) -> object:
    if "json" not in request.headers.get("content-type", ""):
        whole = hashlib.sha256(request.body).hexdigest()
        return {"sha256": whole, "size": len(request.body)} if request.method == "PUT" else request.body.decode()
    lines = [{k: "<time>" if k == "mtime" else v for k, v in line.items()} for line in request.lines()]
    return json.loads(_numbered(json.dumps(lines)))


def _told(request: Request) -> dict:
    told = {"method": request.method, "path": _numbered(request.path), "status": request.status}
    if request.query:
        told["query"] = request.query
    told["headers"] = {name: _header(name, request.headers[name]) for name in HEADERS if name in request.headers}
    if request.body:
        told["body"] = _body(request)
    return told


def record() -> dict:
    steps = {}
    with Stage() as stage:
        scene = Scene(stage)
        scene.lib.utils.disable_progress_bars()
        for name, is_threaded, function in _STEPS:
            stage.hub.tell_the_truth()
            function(scene)
            told = list(map(_told, stage.hub.requests))
            steps[name] = sorted(told, key=lambda t: json.dumps(t, sort_keys=True)) if is_threaded else told
        ends = {}
        for kind, name in (("model", REPO), ("dataset", DATASET), ("bucket", BUCKET)):
            files = stage.server.files(name, kind)
            ends[f"{kind} {name}"] = {path: [f.size, f.oid, f.xet_hash] for path, f in sorted(files.items())}
    return {"with": versions(), "steps": steps, "files": ends}


def compare(paths: list[Path]) -> int:
    records = [json.loads(path.read_text()) for path in paths]
    told = [told["with"] for told in records]
    print(f"{told[0]}\n{told[1]}")
    if len({re.search(r"huggingface_hub \S+", text)[0] for text in told}) != 1:
        print("records of different versions of huggingface_hub cannot be compared", file=sys.stderr)
        return 2
    texts = []
    for one in records:
        del one["with"]
        texts.append(json.dumps(one, indent=1, ensure_ascii=False).splitlines())
    difference = list(difflib.unified_diff(*texts, *map(str, paths), lineterm="", n=12))
    print("\n".join(difference) or f"the same {sum(map(len, records[0]['steps'].values()))} requests")
    return 1 if difference else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--record", type=Path, metavar="FILE")
    what.add_argument("--compare", type=Path, nargs=2, metavar=("A", "B"))
    options = parser.parse_args()
    if options.compare:
        return compare(options.compare)
    options.record.write_text(json.dumps(record(), indent=1, ensure_ascii=False) + "\n")
    print(f"recorded with {versions()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
