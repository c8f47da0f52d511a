#!/usr/bin/env python3
"""Speed and memory of `xet` against the released hf-xet, both with a store in a directory. Prints Markdown.

Both sides do the same on the same files, in turn within one run, and who begins changes each time. Ours is the
whole process, start-up included. Theirs is timed inside a Python process after the import, so the interpreter's
start costs it nothing; its peak memory includes the interpreter, whose share is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

PEER = "hf-xet==1.8.0"
NEEDED_BYTES = 8 << 30
N_SMALL = 2000

# Runs in the peer's interpreter: does one call, prints wall and CPU seconds of it, and what it returned.
CHILD = """
import json, resource, sys, time
import hf_xet

def hash_files(paths):
    return [info.hash for info in hf_xet.hash_files(paths)]

def upload(store, paths):
    with hf_xet.XetSession().new_upload_commit(endpoint="local://" + store) as commit:
        handles = [commit.start_upload_file(path) for path in paths]
    return [[h.result().xet_info.hash, h.result().xet_info.file_size] for h in handles]

def download(store, files):
    with hf_xet.XetSession().new_file_download_group(endpoint="local://" + store) as group:
        for file_hash, size, path in files:
            group.start_download_file(hf_xet.XetFileInfo(file_hash, size), path)

def nothing():
    pass

def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime

job = json.load(sys.stdin)
call = globals()[job.pop("call")]
cpu_before, before = cpu(), time.perf_counter()
result = call(**job)
print(json.dumps({"wall_s": time.perf_counter() - before, "cpu_s": cpu() - cpu_before, "result": result}))
"""


@dataclass
class Measured:
    wall_s: float
    cpu_s: float
    rss_mb: float


@dataclass
class Series:
    """The runs of one case on one side."""

    n_bytes: int
    runs: list[Measured] = field(default_factory=list)

    def wall(self) -> str:
        times = [run.wall_s for run in self.runs]
        return f"{statistics.median(times):.3f} ({min(times):.3f}–{max(times):.3f})"

    def median(self, name: str) -> float:
        return statistics.median(getattr(run, name) for run in self.runs)


@dataclass
class DataSet:
    name: str
    paths: list[Path]

    @property
    def n_bytes(self) -> int:
        return sum(path.stat().st_size for path in self.paths)


def run_child(command: list[str], stdin: str = "", **options: object) -> tuple[str, os.struct_rusage, float]:
    """Runs to the end; (stdout, resources of that process alone, wall seconds)."""
    before = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as inp:
        inp.write(stdin)
        inp.seek(0)
        process = subprocess.Popen(command, stdin=inp, stdout=out, **options)
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - before
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            sys.exit(f"peer: {' '.join(command[:3])} … ended with {process.returncode}")
        out.seek(0)
        return out.read(), usage, wall_s


class Ours:
    name = "libxet"

    def __init__(self, program: Path, work: Path) -> None:
        self.program, self.work = str(program), work / "ours"

    def fresh(self) -> None:
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir()

    def _run(self, *arguments: str) -> tuple[str, Measured]:
        out, usage, wall_s = run_child([self.program, *arguments])
        return out, Measured(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6)

    def hash_files(self, data: DataSet) -> tuple[list[str], Measured]:
        out, measured = self._run("hash", *map(str, data.paths))
        return [line.split(" ", 1)[0] for line in out.splitlines()], measured

    def upload(self, data: DataSet) -> Measured:
        store = f"local:{self.work}/store"
        out, measured = self._run("upload", "-q", "--json", "-e", store, *map(str, data.paths))
        (self.work / "manifest").write_text(out)
        return measured

    def download(self, data: DataSet) -> Measured:
        out = self.work / "out"
        store = f"local:{self.work}/store"
        return self._run("download", "-q", "-e", store, "--manifest", str(self.work / "manifest"), "-d", str(out))[1]

    def downloaded(self, path: Path, _index: int) -> Path:
        return self.work / "out" / path.relative_to("/")


class Theirs:
    name = PEER

    def __init__(self, work: Path) -> None:
        self.venv, self.work = work / "venv", work / "theirs"
        subprocess.run([sys.executable, "-m", "venv", self.venv], check=True)
        pip = [self.venv / "bin/pip", "install", "--quiet", "--disable-pip-version-check", PEER]
        if subprocess.run(pip).returncode != 0:
            sys.exit(f"peer: no package index gave {PEER}")
        self.infos: list = []

    def fresh(self) -> None:
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir()

    def _run(self, call: str, **arguments: object) -> tuple[object, Measured]:
        environment = os.environ | {"HF_XET_CACHE": str(self.work / "cache"), "HF_HUB_DISABLE_TELEMETRY": "1"}
        command = [str(self.venv / "bin/python"), "-c", CHILD]
        out, usage, _ = run_child(command, json.dumps({"call": call, **arguments}), env=environment)
        told = json.loads(out)
        return told["result"], Measured(told["wall_s"], told["cpu_s"], usage.ru_maxrss * 1024 / 1e6)

    def idle_mb(self) -> float:
        return self._run("nothing")[1].rss_mb

    def hash_files(self, data: DataSet) -> tuple[list[str], Measured]:
        return self._run("hash_files", paths=list(map(str, data.paths)))

    def upload(self, data: DataSet) -> Measured:
        self.infos, measured = self._run("upload", store=str(self.work / "store"), paths=list(map(str, data.paths)))
        return measured

    def download(self, data: DataSet) -> Measured:
        files = [[*info, str(self.work / "out" / str(i))] for i, info in enumerate(self.infos)]
        return self._run("download", store=str(self.work / "store"), files=files)[1]

    def downloaded(self, _path: Path, index: int) -> Path:
        return self.work / "out" / str(index)


def make_data(work: Path, generator: Path, scale: float) -> dict[str, DataSet]:
    folder = work / "data"
    folder.mkdir()
    source = random.Random(5)
    large, medium = int((1 << 30) * scale), int((512 << 20) * scale)
    named = {"random": [("random", large)], "bf16": [("weights", medium)], "text": [("text", medium)]}
    # 1 KB to 1 MB, as many around 10 KB as around 100 KB.
    kinds = ("random", "weights", "text")
    named["small"] = [(kinds[i % 3], int(1000 ** (1 + source.random()))) for i in range(max(10, int(N_SMALL * scale)))]
    lines, sets = [], {}
    for name, files in named.items():
        paths = [folder / f"{name}-{i}" for i in range(len(files))]
        lines += [f"{kind} {size} {hash_seed(name, i)} {paths[i]}\n" for i, (kind, size) in enumerate(files)]
        title = f"{len(files)} small files" if name == "small" else name
        sets[name] = DataSet(title, paths)
    subprocess.run([generator], input="".join(lines), text=True, check=True)
    return sets


def hash_seed(name: str, index: int) -> int:
    return 1000 * len(name) + 7919 * index + sum(map(ord, name))


def work_folder() -> tuple[Path, str]:
    """Where the data goes, and what to say of it."""
    shm = Path("/dev/shm")
    if chosen := os.environ.get("BENCH_DIR"):
        base, why = Path(chosen), "BENCH_DIR"
    elif shm.is_dir() and shutil.disk_usage(shm).free >= NEEDED_BYTES:
        base, why = shm, "memory, so no disk is measured; BENCH_DIR chooses another place"
    else:
        base, why = Path(tempfile.gettempdir()), "/dev/shm has too little room"
    base.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="xet-peer-", dir=base)), f"{base} ({why})"


def check_same(side: Ours | Theirs, data: DataSet) -> None:
    for i, path in enumerate(data.paths):
        if subprocess.run(["cmp", "--silent", path, side.downloaded(path, i)]).returncode != 0:
            sys.exit(f"peer: {side.name} gave back another {path.name}")


def compare(sides: list[Ours | Theirs], data: dict[str, DataSet], repeats: int) -> dict[str, dict[str, Series]]:
    """Case -> side -> runs."""
    results: dict[str, dict[str, Series]] = {}

    def note(case: str, side: Ours | Theirs, n_bytes: int, measured: Measured) -> None:
        results.setdefault(case, {}).setdefault(side.name, Series(n_bytes)).runs.append(measured)

    def in_turn(step: Callable[[Ours | Theirs, int], None]) -> None:
        for i in range(repeats):
            for side in sides if i % 2 == 0 else reversed(sides):
                side.fresh()
                step(side, i)

    for name in ("random", "small"):
        data_set = data[name]
        hashes: dict[str, list[str]] = {}

        def hash_once(side: Ours | Theirs, _: int, data_set: DataSet = data_set, hashes: dict = hashes) -> None:
            hashes[side.name], measured = side.hash_files(data_set)
            note(f"hash {data_set.name}", side, data_set.n_bytes, measured)

        in_turn(hash_once)
        if len({tuple(found) for found in hashes.values()}) != 1:
            sys.exit(f"peer: the two sides disagree on the hashes of {data_set.name}")

    for data_set in data.values():

        def round_trip(side: Ours | Theirs, i: int, data_set: DataSet = data_set) -> None:
            note(f"upload {data_set.name}", side, data_set.n_bytes, side.upload(data_set))
            note(f"upload {data_set.name} again", side, data_set.n_bytes, side.upload(data_set))
            note(f"download {data_set.name}", side, data_set.n_bytes, side.download(data_set))
            if i == 0:
                check_same(side, data_set)
            side.fresh()

        in_turn(round_trip)
    return results


def print_table(results: dict[str, dict[str, Series]]) -> None:
    print(
        "| | seconds, libxet | seconds, hf-xet | ratio | GB/s, libxet | CPU s/GB | CPU s/GB, hf-xet | MB | MB, hf-xet |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for case, sides in results.items():
        ours, theirs = sides[Ours.name], sides[Theirs.name]
        gb = ours.n_bytes / 1e9
        ratio = theirs.median("wall_s") / ours.median("wall_s")
        cells = [
            f"{case}, {gb:.2f} GB",
            ours.wall(),
            theirs.wall(),
            f"{ratio:.2f}×",
            f"{gb / ours.median('wall_s'):.2f}",
            f"{ours.median('cpu_s') / gb:.2f}",
            f"{theirs.median('cpu_s') / gb:.2f}",
            f"{ours.median('rss_mb'):.0f}",
            f"{theirs.median('rss_mb'):.0f}",
        ]
        print("| " + " | ".join(cells) + " |")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--xet", type=Path, required=True, help="the program")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="size of the data sets; 1 is 1 GiB of random bytes")
    args = parser.parse_args()

    work, where = work_folder()
    try:
        sides = [Ours(args.xet.resolve(), work), Theirs(work)]
        data = make_data(work, args.xet.resolve().with_name("e2e_generate"), args.scale)
        for side in sides:
            side.fresh()
        idle_mb = sides[1].idle_mb()
        results = compare(sides, data, args.repeats)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(f"libxet against {PEER}; medians of {args.repeats} runs in turn, least and most in parentheses.")
    print(f"Data and stores in {where}; {os.cpu_count()} cores. ratio: their time to ours.")
    print(f"CPU: user and system seconds per GB. MB: peak resident memory; Python with hf-xet idle has {idle_mb:.0f}.")
    print()
    print_table(results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
