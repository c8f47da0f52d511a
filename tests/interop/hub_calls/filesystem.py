"""HfFileSystem: files of repositories and buckets as of a disk."""

import hashlib
import io
from pathlib import Path

from huggingface_hub import HfFileSystem


def write(folder: str, name: str, source: str, block: int) -> list[str]:
    """Writes a file in blocks and a text; what is in the folder then."""
    fs = HfFileSystem(skip_instance_cache=True)
    with Path(source).open("rb") as given, fs.open(f"{folder}/{name}", "wb") as out:
        while data := given.read(block):
            out.write(data)
    with fs.open(f"{folder}/note.txt", "w") as out:
        out.write("written\n")
    return sorted(path.removeprefix("hf://") for path in fs.ls(folder, detail=False))


def read(path: str, pieces: list[tuple[int, int]]) -> dict:
    """Digests of the whole, of each piece after a seek to its begin, and of the last 100 bytes."""
    fs = HfFileSystem(skip_instance_cache=True)
    with fs.open(path, "rb", block_size=1 << 20) as stream:
        found = []
        for begin, size in pieces:
            stream.seek(begin)
            found.append(_digest(stream.read(size)))
        stream.seek(-100, io.SEEK_END)
        found.append(_digest(stream.read()))
    return {"size": fs.info(path)["size"], "whole": _digest(fs.cat_file(path)), "pieces": found}


def get(path: str, to: str) -> None:
    HfFileSystem(skip_instance_cache=True).get_file(path, to)


def remove(path: str) -> bool:
    """Whether it is there afterwards."""
    fs = HfFileSystem(skip_instance_cache=True)
    fs.rm(path)
    return fs.exists(path, refresh=True)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
