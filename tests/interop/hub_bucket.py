"""A bucket through the library: everything that people do with one."""

from __future__ import annotations

import shutil
from pathlib import Path

import hub_tensors
from hub_client import HubClient
from hub_data import below, binary, digests, in_json, many, sha256_of, sha256_of_each, write
from hub_file_system import file_system
from hub_scene import Scene, assert_same_files
from support import sha256

MODEL = hub_tensors.NAME
N_MANY = 300


def bucket(scene: Scene, seed: int, scale: float) -> None:
    with scene.cell("create"):
        told = scene.client.call("bucket.create", bucket=scene.name)
        assert told["made"] == told["again"] == scene.name, told
        assert scene.name in told["listed"], told
        assert told["files"] == 0, told
    model = hub_tensors.written(scene, seed, scale)
    _upload_batch(scene, model, seed + 100)
    with scene.cell("a stranger's upload is refused"):
        before = scene.hub.paths(scene.place)
        scene.assert_refused("bucket.upload", bucket=scene.name, add={"stranger.bin": str(model)}, add_bytes={})
        assert scene.hub.paths(scene.place) == before, "it is there all the same"
    hub_tensors.edits(scene, model, lambda client, path: _upload(client, scene, {MODEL: str(path)}))
    _sync(scene, seed + 200)
    _copy(scene, seed + 300)
    with scene.cell("delete files"):
        before = scene.hub.digests(scene.place)
        gone = ["copies/model", "memory.bin"]
        scene.client.call("bucket.delete", bucket=scene.name, names=gone)
        scene.assert_holds({name: digest for name, digest in before.items() if name not in gone})
    _lists(scene)
    _download(scene)
    file_system(scene, seed + 400)


def _upload(client: HubClient, scene: Scene, add: dict[str, str], add_bytes: dict[str, bytes] | None = None) -> None:
    client.call("bucket.upload", bucket=scene.name, add=add, add_bytes=in_json(add_bytes or {}))


def _upload_batch(scene: Scene, model: Path, seed: int) -> None:
    with scene.cell("upload a batch") as cell:
        in_memory = {"memory.bin": binary(seed, 500_000), "empty": b"", "texts/small.txt": b"small\n"}
        with scene.counted() as wire:
            _upload(scene.client, scene, {MODEL: str(model)}, in_memory)
        cell.note = str(wire.sent)
        wire.assert_xet(used=True)
        scene.assert_holds({MODEL: sha256(model)} | sha256_of_each(in_memory))


def _sync(scene: Scene, seed: int) -> None:
    """To the bucket and from it, unchanged, and again after changes."""
    there = f"{scene.place.uri}/synced"
    source, target = scene.folder / "source", scene.folder / "target"
    before = scene.hub.digests(scene.place)

    def sync(a: str, b: str, delete: bool = False) -> dict:
        return scene.client.call("bucket.sync", source=a, target=b, delete=delete)

    def same_there() -> None:
        scene.assert_holds(before | below("synced", digests(source)))

    with scene.cell("sync to it") as cell:
        many(source, N_MANY, seed)
        told = sync(str(source), there)
        cell.note = f"{N_MANY} files"
        assert told["uploads"] == N_MANY, told
        same_there()
    with scene.cell("sync from it"):
        told = sync(there, str(target))
        assert told["downloads"] == N_MANY, told
        assert_same_files(digests(target), digests(source))
    with scene.cell("sync again, unchanged"):
        with scene.counted() as wire:
            for told in (sync(str(source), there), sync(there, str(target))):
                assert (told["skips"], told["uploads"], told["downloads"]) == (N_MANY, 0, 0), told
        wire.assert_xet(used=False)
    with scene.cell("sync changes and deletions both ways"):
        write(source, {"new/file.bin": binary(seed + N_MANY, 90_000), "0/0007.bin": binary(seed + N_MANY + 1, 70_000)})
        shutil.rmtree(source / "3")
        for told in (sync(str(source), there, delete=True), sync(there, str(target), delete=True)):
            assert told["uploads"] + told["downloads"] == 2, told
            assert told["deletes"] > N_MANY // 8, told
        same_there()
        assert_same_files(digests(target), digests(source))


def _copy(scene: Scene, seed: int) -> None:
    """The server copies; nothing but names is sent."""
    with scene.cell("copy within it and from a repository") as cell:
        repo = f"{scene.name}-source"
        data = binary(seed, 1_000_000)
        path = write(scene.folder / "of-repository", {"data.bin": data}) / "data.bin"
        scene.client.call("repository.create", repo=repo)
        scene.client.call("repository.upload_file", repo=repo, path=path, name="data.bin")
        before = scene.hub.digests(scene.place)
        with scene.counted() as wire:
            scene.client.call(
                "bucket.copy",
                bucket=scene.name,
                repo=repo,
                names={"copies/model": MODEL},
                from_repo={"copies/data.bin": "data.bin"},
            )
        cell.note = str(wire.sent)
        assert wire.requests("xorb", "shard v1", "shard v2") == 0, wire.seen
        scene.assert_holds(before | {"copies/model": before[MODEL], "copies/data.bin": sha256_of(data)})


def _lists(scene: Scene) -> None:
    with scene.cell("list and stat") as cell:
        asked = [MODEL, "copies/data.bin", "not/there"]
        told = scene.client.call("bucket.lists", bucket=scene.name, names=asked)
        holds = scene.hub.paths(scene.place)
        cell.note = f"{told['files']} files, {told['bytes']:,} bytes"
        assert told["tree"].keys() == holds, "the client lists other files"
        assert told["files"] == len(holds), told["files"]
        assert told["bytes"] == sum(told["tree"].values()), told["bytes"]
        assert told["paths"] == {name: told["tree"][name] for name in asked[:2]}, told["paths"]
        assert set(told["top"]) == {name.split("/")[0] for name in holds}, told["top"]


def _download(scene: Scene) -> None:
    with scene.cell("download") as cell, scene.elsewhere() as newcomer, scene.fresh() as out:
        names = [MODEL, "copies/data.bin", "empty", "texts/small.txt"]
        with scene.counted() as wire:
            newcomer.call("bucket.download", bucket=scene.name, files={name: str(out / name) for name in names})
        cell.note = f"{wire.received:,} bytes received"
        wire.assert_xet(used=True)
        assert_same_files(digests(out), {name: scene.hub.digest(scene.place, name) for name in names})
