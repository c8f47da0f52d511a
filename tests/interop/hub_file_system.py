"""HfFileSystem over a repository, and in the same words over a bucket."""

from __future__ import annotations

from hub_data import binary, sha256_of
from hub_scene import Scene
from support import sha256

# Begin and size, forwards and backwards.
PIECES = [(0, 10), (1_000_000, 300_000), (999_990, 20), (5, 1_400_000)]


def file_system(scene: Scene, seed: int) -> None:
    root = scene.place.uri.removeprefix("hf://")
    data = binary(seed, 3_000_000)
    path = scene.folder / "written.bin"
    path.write_bytes(data)
    with scene.cell("HfFileSystem writes"):
        listed = scene.client.call("filesystem.write", folder=f"{root}/fs", name="data", source=path, block=700_000)
        assert listed == [f"{root}/fs/data", f"{root}/fs/note.txt"], listed
        scene.assert_has("fs/data", sha256_of(data))
        scene.assert_has("fs/note.txt", sha256_of(b"written\n"))
    with scene.cell("HfFileSystem reads, seeks and gets"), scene.fresh() as folder:
        found = scene.client.call("filesystem.read", path=f"{root}/fs/data", pieces=PIECES)
        assert found["size"] == len(data), found
        assert found["whole"] == sha256_of(data), "another content"
        wanted = [sha256_of(data[begin : begin + size]) for begin, size in PIECES] + [sha256_of(data[-100:])]
        assert found["pieces"] == wanted, f"of {PIECES} and the end: {found['pieces']}, not {wanted}"
        scene.client.call("filesystem.get", path=f"{root}/fs/data", to=folder / "got")
        assert sha256(folder / "got") == sha256_of(data), "another content after get_file"
    with scene.cell("HfFileSystem removes"):
        assert not scene.client.call("filesystem.remove", path=f"{root}/fs/data"), "it is still there for the client"
        assert "fs/data" not in scene.hub.paths(scene.place), "it is still there"
