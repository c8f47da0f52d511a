"""The parts of the protocol that clients use only when they are told to, or when a server has nothing newer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clients import Access, Client
from data import Version, versions
from matrix import Matrix
from proxy import CountingProxy, Tally
from report import Report
from support import sha256

# 1.6.0 knows only some of these settings.
CLIENTS = ("hf_xet-1.8.0", "xtool-1.8.0", "xet")


@dataclass(frozen=True)
class Variant:
    """Settings, and how the proxy sees that they had their effect."""

    name: str
    settings: dict[str, str]
    was_used: Callable[[dict[str, Tally]], bool]


VARIANTS = (
    Variant(
        "xorbs in one POST each",
        {"HF_XET_CLIENT_LEGACY_DIRECT_XORB_UPLOAD": "1"},
        lambda seen: "grant" not in seen and seen["xorb"].sent > 0,
    ),
    Variant(
        "version 1 of shards and reconstructions",
        {"HF_XET_CLIENT_RECONSTRUCTION_API_VERSION": "1", "HF_XET_CLIENT_SHARD_API_VERSION": "1"},
        lambda seen: "shard v1" in seen and "plan v1" in seen and "shard v2" not in seen and "plan v2" not in seen,
    ),
    Variant(
        "several ranges in one request",
        {"HF_XET_CLIENT_ENABLE_MULTIRANGE_FETCHING": "1"},
        lambda seen: seen["data"].multipart > 0,
    ),
)


def run(matrix: Matrix, report: Report) -> None:
    data = versions(matrix.folder / "variants", min(matrix.scale, 0.3))
    print("\nvariants of the protocol\n", flush=True)
    for server_name in matrix.server_names:
        for client_name in (name for name in CLIENTS if name in matrix.client_names):
            for variant in VARIANTS:
                with report.cell("variant", server_name, client_name, variant.name) as cell:
                    cell.note = _round_trip(matrix, server_name, matrix.clients[client_name], variant, data)


def _round_trip(matrix: Matrix, server_name: str, client: Client, variant: Variant, data: dict[str, Version]) -> str:
    """Uploads a version and an edit of it, and downloads the edit, which takes pieces of the xorbs of both."""
    with (
        matrix.server(server_name) as server,
        CountingProxy(server.url) as proxy,
        matrix.fresh() as cache,
        matrix.fresh() as out,
    ):
        access = Access(proxy.url, settings=variant.settings)
        client.upload(access, data["base"].paths, cache)
        paths: list[Path] = data["middle"].paths
        stored = client.upload(access, paths, cache)
        with matrix.fresh() as empty_cache:
            files = {path.name: file for path, file in zip(paths, stored, strict=True)}
            client.download(access, files, out, empty_cache)
        for path in paths:
            if sha256(out / path.name) != sha256(path):
                raise AssertionError(f"{path.name} came back different")
        seen = proxy.take()
        note = ", ".join(f"{tally.requests} {name}" for name, tally in sorted(seen.items()) if name != "telemetry")
        if not variant.was_used(seen):
            raise AssertionError(f"the setting had no effect: {note}")
        return note
