"""The files of the matrix. Everything follows from fixed seeds."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

from clients import Piece, Stored
from support import Spec, generate, log_uniform, sha256, tool

MIB = 1 << 20
N_SMALL = 2000
# How many of the small files are downloaded by a client that needs a process for each, and from a server that reads
# a whole xorb for each request.
N_SMALL_SLOWLY = 200
# Around the window, the least, the mean and the largest chunk, and a xorb's worth of chunks' first edge.
EDGE_SIZES = (1, 2, 63, 64, 65, 8191, 8192, 8193, 65536, 131071, 131072, 131073, 1048576)


@dataclass
class DataSet:
    """Files below `root` by name; their digests are computed once."""

    root: Path
    names: list[str] = field(default_factory=list)
    _digests: dict[str, str] = field(default_factory=dict)

    @property
    def paths(self) -> list[Path]:
        return [self.root / name for name in self.names]

    @property
    def n_bytes(self) -> int:
        return sum(path.stat().st_size for path in self.paths)

    def check(self, out: Path, names: list[str]) -> None:
        """Every one of these files below `out` is equal to ours, byte for byte."""
        for name in names:
            if not (out / name).is_file():
                raise AssertionError(f"{name} was not written")
            if name not in self._digests:
                self._digests[name] = sha256(self.root / name)
            if sha256(out / name) != self._digests[name]:
                sizes = [(folder / name).stat().st_size for folder in (self.root, out)]
                raise AssertionError(f"{name} came back different ({sizes[0]} bytes before, {sizes[1]} after)")

    def bytes_of(self, name: str, begin: int, end: int) -> bytes:
        with (self.root / name).open("rb") as file:
            file.seek(begin)
            return file.read(end - begin)


def insert(data: bytes, at: int, what: bytes) -> bytes:
    return data[:at] + what + data[at:]


def change_tensors(data: bytes, n: int, size: int, source: random.Random) -> bytes:
    """Small steps in `n` stretches of `size` bytes, as a short training leaves them."""
    out = bytearray(data)
    for i in range(n):
        begin = (len(data) * (2 * i + 1) // (2 * n)) & ~1
        for at in range(begin, begin + size, 16):
            out[at] ^= 1 + source.getrandbits(3)
    return bytes(out)


def generated(folder: Path, files: dict[str, tuple[str, int, int]]) -> list[str]:
    """Makes name -> (kind, size, seed) below a folder."""
    lines = []
    for name, (kind, size, seed) in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        lines.append(f"{kind} {size} {seed} {folder / name}\n")
    tool("e2e_generate", stdin="".join(lines))
    return list(files)


def everything(root: Path, scale: float) -> DataSet:
    """The data of the round trips: 300 MB in one file, 2000 small files, edits, copies, empty files, edges."""
    source = random.Random(1)
    size = int(16 * MIB * scale)
    n_small = max(20, int(N_SMALL * scale))
    kinds = ("random", "text", "weights")
    files = {f"{kind}.bin": (kind, size, 10 + i) for i, kind in enumerate(kinds)}
    files |= {f"edge-{n}.bin": ("random", n, 100 + n) for n in EDGE_SIZES}
    files |= {"constant.bin": ("constant", size // 4, 7), "repetitive.bin": ("repetitive", size // 4, 8)}
    files |= {"large.bin": ("weights", int(300_000_000 * scale), 9)}
    small = {f"small/{i:04}": (kinds[i % 3], log_uniform(source, 1, 100_000), 1000 + i) for i in range(n_small)}
    names = generated(root, files | small)

    def write(name: str, data: bytes) -> None:
        (root / name).write_bytes(data)
        names.append(name)

    write("empty-1.bin", b"")
    write("empty-2.bin", b"")
    random_bytes, text, weights = ((root / f"{kind}.bin").read_bytes() for kind in kinds)
    write("random-copy.bin", random_bytes)
    write("random-front.bin", insert(random_bytes, 0, source.randbytes(1000)))
    write("random-middle.bin", insert(random_bytes, size // 2, source.randbytes(77)))
    write("text-cut.bin", text[: size // 3] + text[size // 3 + 5000 :])
    write("weights-trained.bin", change_tensors(weights, 3, size // 32, source))
    return DataSet(root, names)


def pieces(data: DataSet, stored: dict[str, Stored]) -> list[Piece]:
    """Ranges of some files: first and last bytes, across chunks, one byte, the whole."""
    out = []
    for name in ("large.bin", "random-front.bin", "weights-trained.bin", "text.bin", "edge-1.bin"):
        file = stored[name]
        n = file.size
        spans = {(0, 1), (0, n), (n - 1, n), (n // 3, min(n, n // 3 + 1_000_000)), (n // 2, n // 2 + 1)}
        if n > 50_000_000:
            spans -= {(0, n)}
        out += [Piece(name, file, begin, end) for begin, end in sorted(spans) if begin < end]
    return out


@dataclass(frozen=True)
class Version:
    """A set of files to upload, and the bytes in it that a store with the version before does not have."""

    paths: list[Path]
    new_bytes: int
    # Each edit may take the chunks at its ends along.
    n_edits: int


def versions(root: Path, scale: float) -> dict[str, Version]:
    """What the traffic cells upload in turn: a first version and two independent edits of it."""
    source = random.Random(2)
    size = int(24 * MIB * scale)
    n_small = max(10, int(300 * scale))
    kinds = ("random", "text", "weights")
    files = {f"base/{kind}": (kind, size, 20 + i) for i, kind in enumerate(kinds)}
    files |= {f"base/small-{i:03}": ("random", log_uniform(source, 10, 100_000), 5000 + i) for i in range(n_small)}
    base = [root / name for name in generated(root, files)]
    unique = sum(path.stat().st_size for path in base)
    copy = root / "base/random-copy"
    copy.write_bytes((root / "base/random").read_bytes())
    random_bytes, text, weights = ((root / "base" / kind).read_bytes() for kind in kinds)
    tensor = size // 32

    def edited(name: str, where: int) -> Version:
        (root / name).mkdir()
        paths = [root / name / kind for kind in kinds]
        paths[0].write_bytes(insert(random_bytes, where, source.randbytes(1000)))
        paths[1].write_bytes(insert(text, size // 2, source.randbytes(500)))
        paths[2].write_bytes(change_tensors(weights, 3, tensor, source))
        return Version(paths, 1000 + 500 + 3 * tensor, 5)

    return {
        "base": Version([*base, copy], unique, 0),
        "front": edited("front", 0),
        # The first chunks stay as they were: it is them that a client without a cache asks the store for.
        "middle": edited("middle", size // 3),
    }


def one_of_each(root: Path) -> list[Path]:
    """A few megabytes of every kind, for cells about something else than the data."""
    root.mkdir(parents=True, exist_ok=True)
    kinds = ("random", "text", "weights", "constant", "repetitive")
    specs = [Spec(kind, n, 3 * n) for kind in kinds for n in (1, 5000, 300_000, 4_000_000)]
    empty = root / "empty"
    empty.write_bytes(b"")
    return [*generate(root, specs), empty]
