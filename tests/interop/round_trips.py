"""Each client's uploads come back through every client, byte for byte, whole and in ranges."""

from __future__ import annotations

from pathlib import Path

from clients import Access, Client, Stored
from data import N_SMALL_SLOWLY, DataSet, everything, pieces
from matrix import SLOW_SERVERS, Matrix
from report import Report
from servers import Server


def run(matrix: Matrix, report: Report) -> None:
    data = everything(matrix.folder / "everything", matrix.scale)
    print(f"round trips of {len(data.names)} files, {data.n_bytes:,} bytes\n", flush=True)
    hashes: dict[str, str] = {}
    for server_name in matrix.server_names:
        for uploader in matrix.chosen():
            # The outermost cell is the server's own life: it starts, and ends as it should.
            served = report.cell("server", server_name, f"with uploads of {uploader.name}")
            with served, matrix.server(server_name) as server:
                stored = _upload(matrix, report, server, server_name, uploader, data, hashes)
                for client in matrix.chosen():
                    names = ("round trip", server_name, f"{uploader.name} → {client.name}")
                    if stored is None:
                        report.not_reached("the upload failed", *names)
                        continue
                    with report.cell(*names) as cell, matrix.fresh() as out:
                        cell.note = _download(matrix, server, server_name, client, data, stored, out)


def _upload(
    matrix: Matrix,
    report: Report,
    server: Server,
    server_name: str,
    client: Client,
    data: DataSet,
    hashes: dict[str, str],
) -> dict[str, Stored] | None:
    """What was stored by name, or nothing when that failed. All clients must give a file the same hash."""
    with report.cell("upload", server_name, client.name), matrix.fresh() as cache:
        found = client.upload(Access(server.url), data.paths, cache)
        by_name = dict(zip(data.names, found, strict=True))
        for name, file in by_name.items():
            size = (data.root / name).stat().st_size
            if file.size != size:
                raise AssertionError(f"{name} has {size} bytes, the client says {file.size}")
            if hashes.setdefault(name, file.hash) != file.hash:
                raise AssertionError(f"{name} is {hashes[name]} to the first client and {file.hash} to this one")
        return by_name
    return None


def _download(
    matrix: Matrix,
    server: Server,
    server_name: str,
    client: Client,
    data: DataSet,
    stored: dict[str, Stored],
    out: Path,
) -> str:
    names = data.names
    note = ""
    if client.downloads_singly or server_name in SLOW_SERVERS:
        small = [name for name in names if name.startswith("small/")]
        kept = set(small[:: max(1, len(small) // N_SMALL_SLOWLY)])
        names = [name for name in names if name in kept or not name.startswith("small/")]
        if len(kept) < len(small):
            note = f"{len(kept)} of the {len(small)} small files"
    access = Access(server.url)
    with matrix.fresh() as cache:
        client.download(access, {name: stored[name] for name in names}, out, cache)
    data.check(out, names)
    wanted = pieces(data, stored)
    with matrix.fresh() as cache, matrix.fresh() as ranges:
        client.read(access, wanted, ranges, cache)
        for i, piece in enumerate(wanted):
            expected = data.bytes_of(piece.name, piece.begin, piece.end)
            if (ranges / str(i)).read_bytes() != expected:
                raise AssertionError(f"bytes {piece.begin} to {piece.end} of {piece.name} came back different")
    return note
