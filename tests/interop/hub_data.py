"""Folders that are uploaded to the Hub. Everything follows from a seed, so that no two environments have the same."""

from __future__ import annotations

import base64
import hashlib
import random
from pathlib import Path

from support import sha256

CARD = b"---\nlicense: apache-2.0\n---\n# A model\n"
# What a client keeps in a folder for itself, and what a repository begins with.
_NOT_OURS = {".cache", ".gitattributes"}


def binary(seed: int, size: int) -> bytes:
    """Random, so that it is new to the store; binary, so that the Hub wants it in Xet."""
    return b"\0" + random.Random(seed).randbytes(size - 1)


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def in_json(files: dict[str, bytes]) -> dict[str, str]:
    """As calls in another process take bytes."""
    return {name: base64.b64encode(data).decode() for name, data in files.items()}


def sha256_of_each(files: dict[str, bytes]) -> dict[str, str]:
    return {name: sha256_of(data) for name, data in files.items()}


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 by path below the folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    by_name = {path.relative_to(folder): path for path in files}
    return {str(name): sha256(path) for name, path in by_name.items() if not _NOT_OURS & set(name.parts)}


def below(prefix: str, found: dict[str, str]) -> dict[str, str]:
    return {f"{prefix}/{name}": digest for name, digest in found.items()}


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def mixed(folder: Path, seed: int) -> Path:
    """Texts and weights, an empty file, twice the same, names with blanks and letters."""
    shard = binary(seed, 1_500_000)
    files = {
        "README.md": CARD,
        "config.json": b'{"layers": 12}\n',
        "empty.txt": b"",
        "weights/1 of 2.safetensors": shard,
        "weights/2 of 2.safetensors": binary(seed + 1, 400_000),
        "weights/copy.bin": shard,
        "größe/ä.bin": binary(seed + 2, 70_000),
    }
    return write(folder, files)


def many(folder: Path, n: int, seed: int) -> Path:
    """Small files in several folders, every third of them text."""
    source = random.Random(seed)
    files = {}
    for i in range(n):
        size = source.randrange(100, 60_000)
        text = i % 3 == 0
        data = f"file {i} of {seed}\n".encode() * (size // 50 + 1) if text else binary(seed + i, size)
        files[f"{i % 7}/{i:04}.{'txt' if text else 'bin'}"] = data
    return write(folder, files)
