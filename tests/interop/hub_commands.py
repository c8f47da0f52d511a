"""The command `hf`: repositories and buckets, what they hold, and files both ways."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from hub_data import below, binary, digests, many, mixed, sha256_of, write
from hub_scene import Scene, assert_same_files
from hub_server import USER, Place
from support import sha256

N_MANY = 40
# There may be more than the thirty that the first of these shows by itself.
REPOSITORIES = ("repos", "list", "--limit", "1000")
BUCKETS = ("buckets", "list")


def repository_commands(scene: Scene, seed: int) -> None:
    with scene.cell("hf auth whoami, hf repos create"):
        assert USER in scene.client.hf("auth", "whoami"), "it names somebody else"
        scene.client.hf("repos", "create", scene.name)
        scene.assert_holds({})
    folder = mixed(scene.folder / "mixed", seed)
    _upload(scene, folder, seed)
    _download(scene)
    _list(scene)
    _copy(scene, seed + 20)
    _revisions(scene)
    with scene.cell("hf repos delete-files"):
        before = scene.hub.digests(scene.place)
        scene.client.hf("repos", "delete-files", scene.name, "weights/*", "large.bin")
        kept = {n: d for n, d in before.items() if n != "large.bin" and not n.startswith("weights/")}
        assert len(kept) < len(before) - 3, "there was nothing to delete"
        scene.assert_holds(kept)
    _move_and_delete(scene)


def _upload(scene: Scene, folder: Path, seed: int) -> None:
    with scene.cell("hf upload of a file and of a folder"):
        large = binary(seed + 10, 3_000_000)
        path = write(scene.folder / "one", {"file": large}) / "file"
        scene.client.hf("upload", scene.name, path, "large.bin")
        scene.client.hf("upload", scene.name, folder, ".")
        scene.assert_holds(digests(folder) | {"large.bin": sha256_of(large)})
    if "upload-large-folder" in scene.client.hf("--help"):
        with scene.cell("hf upload-large-folder"):
            before = scene.hub.digests(scene.place)
            lot = many(scene.folder / "many", N_MANY, seed + 11)
            scene.client.hf("upload-large-folder", scene.name, lot, "--type", "model", "--no-bars", "--no-report")
            scene.assert_holds(before | digests(lot))


def _download(scene: Scene) -> None:
    with scene.cell("hf download of a file and of everything"), scene.elsewhere() as newcomer, scene.fresh() as out:
        wanted = scene.hub.digests(scene.place)
        newcomer.hf("download", scene.name, "large.bin", "--local-dir", out / "one")
        assert_same_files(digests(out / "one"), {"large.bin": wanted["large.bin"]})
        newcomer.hf("download", scene.name, "--local-dir", out / "all")
        assert_same_files(digests(out / "all"), wanted)
        newcomer.hf("cache", "verify", scene.name, "--local-dir", out / "all", "--fail-on-missing-files")


def _list(scene: Scene) -> None:
    with scene.cell("hf repos list, hf models list and info"):
        assert scene.name in _names(scene, *REPOSITORIES), "it is not listed"
        listed = scene.client.hf("models", "list", scene.name, "--recursive", "--format", "json")
        assert all(path in listed for path in ("large.bin", "weights/copy.bin")), listed
        told = scene.client.hf("models", "info", scene.name)
        assert scene.name in told, told


def _copy(scene: Scene, seed: int) -> None:
    with scene.cell("hf cp to it, from it and to another repository"), scene.fresh() as out:
        data = binary(seed, 800_000)
        path = write(scene.folder / "copied", {"data.bin": data}) / "data.bin"
        other = Place("model", f"{scene.name}-other")
        scene.client.hf("cp", path, f"{scene.place.uri}/copied/data.bin")
        scene.assert_has("copied/data.bin", sha256_of(data))
        scene.client.hf("cp", f"{scene.place.uri}/copied/data.bin", out / "back")
        assert sha256(out / "back") == sha256_of(data), "another content"
        scene.client.hf("repos", "create", other.name)
        scene.client.hf("cp", f"{scene.place.uri}/copied/data.bin", f"{other.uri}/data.bin")
        scene.at(other).assert_holds({"data.bin": sha256_of(data)})


def _revisions(scene: Scene) -> None:
    with scene.cell("hf repos branch and tag"), scene.elsewhere() as newcomer, scene.fresh() as out:
        scene.client.hf("repos", "branch", "create", scene.name, "dev")
        scene.client.hf("repos", "tag", "create", scene.name, "v1")
        assert "v1" in scene.client.hf("repos", "tag", "list", scene.name), "the tag is not listed"
        path = write(scene.folder / "on-branch", {"config.json": b'{"layers": 24}\n'}) / "config.json"
        scene.client.hf("upload", scene.name, path, "config.json", "--revision", "dev")
        for revision, digest in (("dev", sha256(path)), ("v1", scene.hub.digest(scene.place, "config.json"))):
            to = out / revision
            newcomer.hf("download", scene.name, "config.json", "--revision", revision, "--local-dir", to)
            assert sha256(to / "config.json") == digest, f"{revision} has another content"
        scene.client.hf("repos", "tag", "delete", scene.name, "v1", "--yes")
        scene.client.hf("repos", "branch", "delete", scene.name, "dev")
        assert "v1" not in scene.client.hf("repos", "tag", "list", scene.name), "the tag is still listed"


def _move_and_delete(scene: Scene) -> None:
    with scene.cell("hf repos settings, move and delete"):
        held = scene.hub.digests(scene.place)
        scene.client.hf("repos", "settings", scene.name, "--private")
        scene.client.hf("repos", "move", scene.name, f"{scene.name}-moved")
        moved = scene.at(replace(scene.place, name=f"{scene.name}-moved"))
        moved.assert_holds(held)
        assert scene.hub.is_private(moved.place), "it is public"
        scene.client.hf("repos", "delete", moved.name, "--yes")
        assert not {moved.name, scene.name} & _names(scene, *REPOSITORIES), "it is still listed"


def _names(scene: Scene, *command: str) -> set[str]:
    """What the command lists as the user's."""
    return {entry["id"] for entry in json.loads(scene.client.hf(*command, "--format", "json"))}


def bucket_commands(scene: Scene, seed: int) -> None:
    uri = scene.place.uri
    with scene.cell("hf buckets create, list and info"):
        scene.client.hf("buckets", "create", scene.name)
        assert scene.name in _names(scene, *BUCKETS), "it is not listed"
        told = scene.client.hf("buckets", "info", scene.name)
        assert scene.name in told, told
    with scene.cell("hf buckets cp to it and from it"), scene.elsewhere() as newcomer, scene.fresh() as out:
        data = binary(seed, 2_000_000)
        path = write(scene.folder / "one", {"file": data}) / "file"
        scene.client.hf("buckets", "cp", path, f"{uri}/one/data.bin")
        scene.assert_holds({"one/data.bin": sha256_of(data)})
        newcomer.hf("buckets", "cp", f"{uri}/one/data.bin", out / "back")
        assert sha256(out / "back") == sha256_of(data), "another content"
    _sync_command(scene, seed + 10)
    with scene.cell("hf cp from bucket to bucket"):
        other = Place("bucket", f"{scene.name}-other")
        scene.client.hf("buckets", "create", other.name)
        scene.client.hf("cp", f"{uri}/one/data.bin", f"{other.uri}/data.bin")
        scene.at(other).assert_holds({"data.bin": scene.hub.digest(scene.place, "one/data.bin")})
    with scene.cell("hf buckets rm"):
        kept = {n: d for n, d in scene.hub.digests(scene.place).items() if n.startswith("one/")}
        listed = scene.client.hf("buckets", "list", scene.name, "--recursive", "--format", "json")
        assert "synced/0/0007.bin" in listed, listed
        scene.client.hf("buckets", "rm", f"{scene.name}/synced", "--recursive", "--yes")
        scene.assert_holds(kept)
    with scene.cell("hf buckets settings, move and delete"):
        scene.client.hf("buckets", "settings", scene.name, "--private")
        kept = scene.hub.digests(scene.place)
        scene.client.hf("buckets", "move", scene.name, f"{scene.name}-moved")
        moved = scene.at(replace(scene.place, name=f"{scene.name}-moved"))
        moved.assert_holds(kept)
        assert scene.hub.is_private(moved.place), "it is public"
        scene.client.hf("buckets", "delete", moved.name, "--yes")
        assert not {moved.name, scene.name} & _names(scene, *BUCKETS), "it is still listed"


def _sync_command(scene: Scene, seed: int) -> None:
    with scene.cell("hf sync both ways"), scene.elsewhere() as newcomer, scene.fresh() as out:
        there = f"{scene.place.uri}/synced"
        folder = many(scene.folder / "synced", N_MANY, seed)
        before = scene.hub.digests(scene.place)
        scene.client.hf("sync", folder, there)
        scene.assert_holds(before | below("synced", digests(folder)))
        newcomer.hf("buckets", "sync", there, out)
        assert_same_files(digests(out), digests(folder))
        (folder / "0/0000.txt").unlink()
        write(folder, {"1/0001.bin": binary(seed + N_MANY, 50_000)})
        scene.client.hf("sync", folder, there, "--delete")
        newcomer.hf("sync", there, out, "--delete")
        scene.assert_holds(before | below("synced", digests(folder)))
        assert_same_files(digests(out), digests(folder))
