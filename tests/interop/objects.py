"""Xorbs and shards as objects: the genuine ones hold under `xet inspect --verify`, ours under the genuine code."""

from __future__ import annotations

import subprocess
import urllib.request
from pathlib import Path

from clients import Access
from data import one_of_each
from matrix import GENUINE, Matrix
from report import Report
from support import sha256


def run(matrix: Matrix, report: Report) -> None:
    paths = one_of_each(matrix.folder / "objects")
    print("\nxorbs and shards as objects\n", flush=True)
    if "cas-disk" in matrix.server_names:
        _genuine_objects(matrix, report, paths)
    if "xet" in matrix.client_names:
        _our_objects(matrix, report, paths)
    if "xet-serve" in matrix.server_names:
        _our_dedup_answers(matrix, report, paths)


def _inspect(matrix: Matrix, objects: list[Path]) -> None:
    if not objects:
        raise AssertionError("there are none")
    for path in objects:
        done = subprocess.run([matrix.program, "inspect", "-q", "--verify", path], capture_output=True, text=True)
        if done.returncode != 0:
            raise AssertionError(f"{path.name}: {done.returncode}, {done.stderr.strip()}")


def _xorbs(data: Path) -> list[Path]:
    """Those in the folder of a genuine server."""
    return sorted(path for path in data.rglob("default.*") if path.suffix not in (".tagset", ".gctag"))


def _genuine_objects(matrix: Matrix, report: Report, paths: list[Path]) -> None:
    for name in matrix.client_names:
        client = matrix.clients[name]
        served = report.cell("server", "cas-disk", f"for the objects of {name}")
        with served, matrix.server("cas-disk") as server, matrix.fresh() as cache:
            with report.cell("inspect --verify", "cas-disk", f"xorbs that {name} sent") as cell:
                client.upload(Access(server.url), paths, cache)
                xorbs = _xorbs(server.data)
                cell.note = f"{len(xorbs)} xorbs"
                _inspect(matrix, xorbs)
            with report.cell("inspect --verify", "cas-disk", f"shards that {name} sent") as cell:
                shards = sorted(server.data.rglob("*.mdb"))
                cell.note = f"{len(shards)} shards"
                _inspect(matrix, shards)
            if name in GENUINE:
                with report.cell("inspect --verify", f"shards that {name} caches") as cell:
                    shards = sorted(cache.rglob("*.mdb"))
                    cell.note = f"{len(shards)} shards"
                    _inspect(matrix, shards)


def _post(url: str, body: bytes) -> None:
    with urllib.request.urlopen(urllib.request.Request(url, data=body, method="POST"), timeout=60) as answer:
        answer.read()


def _our_objects(matrix: Matrix, report: Report, paths: list[Path]) -> None:
    """The objects of a store of ours, with our footers, go to the genuine server as they are: it keeps xorbs that have
    a footer unchanged, and reads them by it."""
    reader = matrix.clients["hf_xet-1.8.0"]
    with (
        report.cell("our store's objects", "cas-memory and cas-disk read them by our footers") as cell,
        matrix.fresh() as folder,
    ):
        store = folder / "store"
        stored = matrix.clients["xet"].upload(Access(f"local:{store}"), paths, folder / "cache")
        objects = [path for path in sorted(store.rglob("*")) if path.is_file() and "shard-cache" not in path.parts]
        xorbs = [path for path in objects if _is_xorb(path.read_bytes())]
        shards = [path for path in objects if path.read_bytes().startswith(b"HFRepoMetaData")]
        cell.note = f"{len(xorbs)} xorbs, {len(shards)} shards"
        if not xorbs or not shards:
            raise AssertionError("our store has none")
        for name in ("cas-memory", "cas-disk"):
            with matrix.server(name) as server, matrix.fresh() as cache, matrix.fresh() as out:
                for xorb in xorbs:
                    _post(f"{server.url}/v1/xorbs/default/{xorb.name[:64]}", xorb.read_bytes())
                    if name == "cas-disk":
                        kept = server.data / "xorbs" / f"default.{xorb.name[:64]}"
                        if kept.read_bytes() != xorb.read_bytes():
                            raise AssertionError("the genuine server did not keep our xorb as it was")
                for shard in shards:
                    _post(f"{server.url}/v1/shards", shard.read_bytes())
                files = {path.name: file for path, file in zip(paths, stored, strict=True)}
                reader.download(Access(server.url), files, out, cache)
                for path in paths:
                    if sha256(out / path.name) != sha256(path):
                        raise AssertionError(f"{path.name} came back different from {name}")


def _is_xorb(content: bytes) -> bool:
    """Ends with a footer, whose length stands in the last four bytes."""
    footer = int.from_bytes(content[-4:], "little") + 4
    return content[-footer:].startswith(b"XETBLOB")


def _our_dedup_answers(matrix: Matrix, report: Report, paths: list[Path]) -> None:
    """Answers of `xet serve` to dedup queries, as the genuine client keeps them."""
    client = matrix.clients["hf_xet-1.8.0"]
    served = report.cell("server", "xet-serve", "for its dedup answers")
    kept = report.cell("inspect --verify", "xet-serve", "dedup answers in the genuine client's cache")
    with served, matrix.server("xet-serve") as server, kept as cell:
        with matrix.fresh() as cache:
            client.upload(Access(server.url), paths, cache)
        with matrix.fresh() as cache:
            client.upload(Access(server.url), paths, cache)
            shards = sorted(cache.rglob("*.mdb"))
            cell.note = f"{len(shards)} shards"
            _inspect(matrix, shards)
