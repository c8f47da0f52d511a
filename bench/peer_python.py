"""The two Python modules in the same interpreter: import, hashing, and the calls of before 1.5."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from pathlib import Path

from measuring import ROOT, DataSet, InPython, Measured, Series, check_same, give_up, header, row
from peer_http import SERVE, Servers

sys.path.insert(0, str(ROOT / "tests/python"))

import run as python_tests

NAME = "libxet"
IMPORTS = 21
Results = dict[str, dict[str, Series]]


def environment(interpreter: str) -> Path:
    """The interpreter of an environment with our module, built from the tree."""
    made = python_tests.Tested("ours", python_tests.NEWEST).environment
    made.make(interpreter, python_tests.build_wheel(interpreter))
    return made.python


def compare(sides: list[InPython], servers: Servers, data: dict[str, DataSet], repeats: int) -> Results:
    """Case -> side -> runs."""
    results: Results = {}

    def note(case: str, side: InPython, n_bytes: int, measured: Measured) -> None:
        results.setdefault(case, {}).setdefault(side.name, Series(n_bytes)).runs.append(measured)

    def in_turn(step: Callable[[InPython, int], None]) -> None:
        for i in range(repeats):
            for side in sides if i % 2 == 0 else reversed(sides):
                side.fresh()
                step(side, i)

    def round_trip(side: InPython, i: int, data_set: DataSet, where: str) -> None:
        n_bytes = data_set.n_bytes
        note(f"upload_files {data_set.name}, {where}", side, n_bytes, side.upload(data_set, "upload_files"))
        note(f"download_files {data_set.name}, {where}", side, n_bytes, side.download(data_set, "download_files"))
        if i == 0:
            check_same(side, data_set)

    for data_set in (data["random"], data["small"]):
        hashes: dict[str, list[str]] = {}

        def hash_once(side: InPython, _: int, data_set: DataSet = data_set, hashes: dict = hashes) -> None:
            hashes[side.name], measured = side.hash_files(data_set)
            note(f"hash_files {data_set.name}", side, data_set.n_bytes, measured)

        def in_a_directory(side: InPython, i: int, data_set: DataSet = data_set) -> None:
            side.url = ""
            round_trip(side, i, data_set, "local://")

        def over_http(side: InPython, i: int, data_set: DataSet = data_set) -> None:
            with servers.fresh(SERVE) as server:
                side.url = server.url
                round_trip(side, i, data_set, SERVE)

        in_turn(hash_once)
        if len({tuple(found) for found in hashes.values()}) != 1:
            give_up(f"the two modules disagree on the hashes of {data_set.name}")
        in_turn(in_a_directory)
        in_turn(over_http)
    return results


def run(sides: list[InPython], servers: Servers, data: dict[str, DataSet], repeats: int) -> None:
    ours, theirs = sides
    results = compare(sides, servers, data, repeats)
    header("", "seconds, libxet", "seconds, hf-xet", "ratio", "CPU s/GB", "CPU s/GB, hf-xet", "MB", "MB, hf-xet")
    for case, by_side in results.items():
        mine, other = by_side[ours.name], by_side[theirs.name]
        row(
            f"{case}, {mine.gb:.2f} GB",
            mine.wall(),
            other.wall(),
            f"{other.median('wall_s') / mine.median('wall_s'):.2f}×",
            mine.per_gb("cpu_s"),
            other.per_gb("cpu_s"),
            f"{mine.median('rss_mb'):.0f}",
            f"{other.median('rss_mb'):.0f}",
        )
    imports: dict[str, list[float]] = {ours.name: [], theirs.name: []}
    for i in range(IMPORTS):
        for side in sides if i % 2 == 0 else reversed(sides):
            imports[side.name].append(side.import_s())
    told = {name: f"{statistics.median(runs) * 1000:.0f} ms" for name, runs in imports.items()}
    print(f"\n`import hf_xet`, median of {IMPORTS}: {told[ours.name]}, hf-xet {told[theirs.name]}.")
