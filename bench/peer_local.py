"""Both clients with a store in a directory: hashing, upload, upload again, download."""

from __future__ import annotations

from collections.abc import Callable

from measuring import DataSet, Measured, Ours, Series, Side, check_same, give_up, header, row

Results = dict[str, dict[str, Series]]


def compare(sides: list[Side], data: dict[str, DataSet], repeats: int) -> Results:
    """Case -> side -> runs."""
    results: Results = {}

    def note(case: str, side: Side, n_bytes: int, measured: Measured) -> None:
        results.setdefault(case, {}).setdefault(side.name, Series(n_bytes)).runs.append(measured)

    def in_turn(step: Callable[[Side, int], None]) -> None:
        for i in range(repeats):
            for side in sides if i % 2 == 0 else reversed(sides):
                side.fresh()
                step(side, i)

    for name in ("random", "small"):
        data_set = data[name]
        hashes: dict[str, list[str]] = {}

        def hash_once(side: Side, _: int, data_set: DataSet = data_set, hashes: dict = hashes) -> None:
            hashes[side.name], measured = side.hash_files(data_set)
            note(f"hash {data_set.name}", side, data_set.n_bytes, measured)

        in_turn(hash_once)
        if len({tuple(found) for found in hashes.values()}) != 1:
            give_up(f"the two sides disagree on the hashes of {data_set.name}")

    for data_set in data.values():

        def round_trip(side: Side, i: int, data_set: DataSet = data_set) -> None:
            note(f"upload {data_set.name}", side, data_set.n_bytes, side.upload(data_set))
            note(f"upload {data_set.name} again", side, data_set.n_bytes, side.upload(data_set))
            note(f"download {data_set.name}", side, data_set.n_bytes, side.download(data_set))
            if i == 0:
                check_same(side, data_set)
            side.fresh()

        in_turn(round_trip)
    return results


def print_table(results: Results, theirs_name: str) -> None:
    header(
        "",
        "seconds, libxet",
        "seconds, hf-xet",
        "ratio",
        "GB/s, libxet",
        "CPU s/GB",
        "CPU s/GB, hf-xet",
        "MB",
        "MB, hf-xet",
    )
    for case, sides in results.items():
        ours, theirs = sides[Ours.name], sides[theirs_name]
        row(
            f"{case}, {ours.gb:.2f} GB",
            ours.wall(),
            theirs.wall(),
            f"{theirs.median('wall_s') / ours.median('wall_s'):.2f}×",
            f"{ours.gb / ours.median('wall_s'):.2f}",
            ours.per_gb("cpu_s"),
            theirs.per_gb("cpu_s"),
            f"{ours.median('rss_mb'):.0f}",
            f"{theirs.median('rss_mb'):.0f}",
        )
