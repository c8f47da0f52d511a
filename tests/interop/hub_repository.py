"""A repository through the library: everything that people do with one."""

from __future__ import annotations

from pathlib import Path

import hub_tensors
from hub_client import HubClient
from hub_data import below, binary, digests, in_json, many, mixed, sha256_of_each
from hub_file_system import file_system
from hub_scene import Scene, assert_same_files
from support import sha256

MODEL = hub_tensors.NAME
N_MANY = 100


def repository(scene: Scene, seed: int, scale: float) -> None:
    with scene.cell("create"):
        told = scene.client.call("repository.create", repo=scene.name)
        assert told["made"] == told["again"] == scene.name, told
        assert told["exists"], told
        assert scene.name in told["listed"], told
    model = hub_tensors.written(scene, seed, scale)
    first = _upload_file(scene, model)
    with scene.cell("a stranger's upload is refused"):
        scene.assert_refused("repository.upload_file", repo=scene.name, path=model, name="stranger.bin")
        scene.assert_holds({MODEL: sha256(model)})
    _download_file(scene, model)
    hub_tensors.edits(scene, model, lambda client, path: _upload(client, scene, path, MODEL))
    with scene.cell("download the revision before the edits"), scene.elsewhere() as newcomer:
        path = newcomer.call("repository.download_file", repo=scene.name, name=MODEL, revision=first)
        assert sha256(Path(path)) == sha256(model), "another content"
    _without_xet(scene, seed + 100)
    _folders(scene, seed + 200)
    _many_kinds(scene, seed + 300)
    _delete(scene)
    _branch_and_tag(scene, first)
    _lists(scene)
    with scene.cell("snapshot"), scene.elsewhere() as newcomer:
        folder = Path(newcomer.call("repository.snapshot", repo=scene.name))
        assert_same_files(digests(folder), scene.hub.digests(scene.place))
    file_system(scene, seed + 400)


def _upload(client: HubClient, scene: Scene, path: Path, name: str) -> str:
    """The commit."""
    return client.call("repository.upload_file", repo=scene.name, path=path, name=name)


def _upload_file(scene: Scene, model: Path) -> str:
    """The commit, empty when there is none."""
    commit = ""
    with scene.cell("upload a file") as cell:
        with scene.counted() as wire:
            commit = _upload(scene.client, scene, model, MODEL)
        cell.note = str(wire.sent)
        wire.assert_xet(used=True)
        scene.assert_holds({MODEL: sha256(model)})
    return commit


def _download_file(scene: Scene, model: Path) -> None:
    for has_xet in (True, False):
        with scene.cell(f"download it {'with' if has_xet else 'without'} Xet") as cell, scene.elsewhere() as newcomer:
            reader = newcomer if has_xet else newcomer.without_xet()
            with scene.counted() as wire:
                path = reader.call("repository.download_file", repo=scene.name, name=MODEL)
            cell.note = f"{wire.received:,} bytes received"
            wire.assert_xet(used=has_xet)
            assert sha256(Path(path)) == sha256(model), "another content"


def _without_xet(scene: Scene, seed: int) -> None:
    """A file that git lfs' transfer brings is a Xet file as any other afterwards."""
    path = scene.folder / "plain.bin"
    path.write_bytes(binary(seed, 5_000_000))
    with scene.cell("upload without Xet") as cell:
        with scene.counted() as wire:
            _upload(scene.client.without_xet(), scene, path, path.name)
        cell.note = str(wire.sent)
        wire.assert_xet(used=False)
        assert wire.sent_as("lfs") == path.stat().st_size, wire.seen
        scene.assert_has(path.name, sha256(path))
    with scene.cell("download with Xet what came without"), scene.elsewhere() as newcomer:
        with scene.counted() as wire:
            found = newcomer.call("repository.download_file", repo=scene.name, name=path.name)
        wire.assert_xet(used=True)
        assert sha256(Path(found)) == sha256(path), "another content"


def _folders(scene: Scene, seed: int) -> None:
    with scene.cell("upload a folder"):
        folder = mixed(scene.folder / "mixed", seed)
        before = scene.hub.digests(scene.place)
        scene.client.call("repository.upload_folder", repo=scene.name, folder=folder, name="a folder")
        scene.assert_holds(before | below("a folder", digests(folder)))
    large = scene.client.call("repository.has_large_folders")
    with scene.cell("upload_large_folder" if large else "upload_folder with many files") as cell:
        folder = many(scene.folder / "many", N_MANY, seed + 1)
        before = scene.hub.digests(scene.place)
        if large:
            scene.client.call("repository.upload_large_folder", repo=scene.name, folder=folder)
        else:
            scene.client.call("repository.upload_folder", repo=scene.name, folder=folder, name=".")
        cell.note = f"{N_MANY} files"
        scene.assert_holds(before | digests(folder))


def _many_kinds(scene: Scene, seed: int) -> None:
    with scene.cell("one commit of regular and Xet files, copies and a deletion"):
        of_disk = scene.folder / "of-disk.bin"
        of_disk.write_bytes(binary(seed, 2_000_000))
        in_memory = {"kinds/memory.bin": binary(seed + 1, 300_000), "kinds/small.txt": b"small\n"}
        before = scene.hub.digests(scene.place)
        scene.client.call(
            "repository.commit",
            repo=scene.name,
            add={"kinds/disk.bin": str(of_disk)},
            add_bytes=in_json(in_memory),
            delete=["plain.bin"],
            copy={"kinds/copy.bin": MODEL, "kinds/copy.json": "a folder/config.json"},
        )
        copies = {"kinds/copy.bin": before[MODEL], "kinds/copy.json": before["a folder/config.json"]}
        after = before | {"kinds/disk.bin": sha256(of_disk)} | sha256_of_each(in_memory) | copies
        del after["plain.bin"]
        scene.assert_holds(after)


def _delete(scene: Scene) -> None:
    with scene.cell("delete a file and a folder"):
        before = scene.hub.digests(scene.place)
        file = "kinds/copy.bin"
        told = scene.client.call("repository.delete", repo=scene.name, file=file, folder="a folder")
        kept = {name: d for name, d in before.items() if name != file and not name.startswith("a folder/")}
        assert len(kept) < len(before) - 1, "nothing of the folder was there"
        scene.assert_holds(kept)
        assert not told["file"], f"{file} still exists for the client"
        assert set(told["files"]) - {".gitattributes"} == kept.keys(), "the client lists other files"


def _branch_and_tag(scene: Scene, revision: str) -> None:
    with scene.cell("branch and tag"):
        path = scene.folder / "of-disk.bin"
        told = scene.client.call(
            "repository.branch_and_tag", repo=scene.name, path=path, name="branched.bin", revision=revision
        )
        assert told["on branch"], "the branch has not what was uploaded to it"
        assert not told["on main"], "main has what was uploaded to a branch"
        assert told["during"]["refs/tags/v1"] == revision, told
        assert told["during"]["refs/heads/experiment"] not in (revision, told["during"]["refs/heads/main"]), told
        assert "refs/heads/experiment" not in told["after"], told


def _lists(scene: Scene) -> None:
    with scene.cell("list commits, tree and tensors") as cell:
        told = scene.client.call("repository.lists", repo=scene.name)
        holds = scene.hub.paths(scene.place)
        cell.note = f"{len(told['commits'])} commits, {len(holds)} files"
        assert told["commits"][0] == told["head"], told["commits"]
        assert len(set(told["commits"])) == len(told["commits"]) > 7, told["commits"]
        files = {path for path, size in told["tree"].items() if size is not None} - {".gitattributes"}
        assert files == holds, "the client lists other files"
        assert {"kinds", MODEL} <= set(told["top"]) and not any("/" in path for path in told["top"]), told["top"]
        assert told["tensors"] == hub_tensors.N_TENSORS, told["tensors"]
