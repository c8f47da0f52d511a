"""What the comparisons with peers share: data, the two clients, running them, counting what they used."""

from __future__ import annotations

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests/e2e"), str(ROOT / "tests/interop")]

from peer import child_command  # noqa: E402

PEER = "hf-xet-1.8.0"
NEEDED_BYTES = 8 << 30
N_SMALL = 2000


def give_up(why: str) -> None:
    sys.exit(f"peer: {why}")


@dataclass
class Measured:
    """One call. The server's share is zero where there is none."""

    wall_s: float
    cpu_s: float
    rss_mb: float
    server_cpu_s: float = 0
    server_rss_mb: float = 0


@dataclass
class Series:
    """The runs of one case on one side."""

    n_bytes: int
    runs: list[Measured] = field(default_factory=list)

    @property
    def gb(self) -> float:
        return self.n_bytes / 1e9

    def wall(self) -> str:
        times = [run.wall_s for run in self.runs]
        return f"{statistics.median(times):.3f} ({min(times):.3f}–{max(times):.3f})"

    def median(self, name: str) -> float:
        return statistics.median(getattr(run, name) for run in self.runs)

    def per_gb(self, name: str) -> str:
        return f"{self.median(name) / self.gb:.2f}"


@dataclass
class DataSet:
    name: str
    paths: list[Path]

    @property
    def n_bytes(self) -> int:
        return sum(path.stat().st_size for path in self.paths)


def row(*cells: object) -> None:
    print("| " + " | ".join(map(str, cells)) + " |")


def header(*cells: str) -> None:
    row(*cells)
    print("|" + "---|" * len(cells))


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
            give_up(f"{' '.join(command[:3])} … ended with {process.returncode}")
        out.seek(0)
        return out.read(), usage, wall_s


def rss_mb(usage: os.struct_rusage) -> float:
    return usage.ru_maxrss * 1024 / 1e6


class Ours:
    """The whole process, start-up included."""

    name = "libxet"

    def __init__(self, program: Path, work: Path) -> None:
        self.program, self.work = str(program), work / "ours"
        # Empty: a store in a directory of its own.
        self.url = ""

    def fresh(self) -> None:
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir()

    def _run(self, *arguments: str) -> tuple[str, Measured]:
        environment = os.environ | {"HF_XET_CACHE": str(self.work / "cache")}
        out, usage, wall_s = run_child([self.program, *arguments], env=environment)
        return out, Measured(wall_s, usage.ru_utime + usage.ru_stime, rss_mb(usage))

    def _endpoint(self) -> str:
        return self.url or f"local:{self.work}/store"

    def hash_files(self, data: DataSet) -> tuple[list[str], Measured]:
        out, measured = self._run("hash", *map(str, data.paths))
        return [line.split(" ", 1)[0] for line in out.splitlines()], measured

    def upload(self, data: DataSet) -> Measured:
        out, measured = self._run("upload", "-q", "--json", "-e", self._endpoint(), *map(str, data.paths))
        (self.work / "manifest").write_text(out)
        return measured

    def download(self, data: DataSet) -> Measured:
        to = ["--manifest", str(self.work / "manifest"), "-d", str(self.work / "out")]
        return self._run("download", "-q", "-e", self._endpoint(), *to)[1]

    def downloaded(self, path: Path, _index: int) -> Path:
        return self.work / "out" / path.relative_to("/")


class InPython:
    """A Python module, timed within its interpreter after the import; the peak memory is that of the process."""

    def __init__(self, name: str, python: Path, work: Path) -> None:
        self.name, self.python, self.work = name, python, work / f"module-{name}"
        self.url = ""
        self.infos: list = []

    def fresh(self) -> None:
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir()

    def _run(self, call: str, **arguments: object) -> tuple[object, Measured]:
        environment = os.environ | {"HF_XET_CACHE": str(self.work / "cache"), "HF_HUB_DISABLE_TELEMETRY": "1"}
        out, usage, _ = run_child(child_command(self.python, call), json.dumps(arguments), env=environment)
        told = json.loads(out)
        return told["result"], Measured(told["wall_s"], told["cpu_s"], rss_mb(usage))

    def _endpoint(self) -> str:
        return self.url or f"local://{self.work}/store"

    def idle_mb(self) -> float:
        self.fresh()
        return self._run("nothing")[1].rss_mb

    def hash_files(self, data: DataSet) -> tuple[list[str], Measured]:
        found, measured = self._run("hash_files", paths=list(map(str, data.paths)))
        return [file_hash for file_hash, _ in found], measured

    def upload(self, data: DataSet, call: str = "upload") -> Measured:
        self.infos, measured = self._run(call, endpoint=self._endpoint(), paths=list(map(str, data.paths)))
        return measured

    def download(self, data: DataSet, call: str = "download") -> Measured:
        files = [[*info, str(self.work / "out" / str(i))] for i, info in enumerate(self.infos)]
        return self._run(call, endpoint=self._endpoint(), files=files)[1]

    def import_s(self) -> float:
        """One import in an interpreter of its own."""
        timed = "import time; t = time.perf_counter(); import hf_xet; print(time.perf_counter() - t)"
        out, _, _ = run_child(
            [str(self.python), "-c", timed], env=os.environ | {"HF_XET_CACHE": str(self.work / "cache")}
        )
        return float(out)

    def downloaded(self, _path: Path, index: int) -> Path:
        return self.work / "out" / str(index)


Side = Ours | InPython


def check_same(side: Side, data: DataSet) -> None:
    for i, path in enumerate(data.paths):
        if subprocess.run(["cmp", "--silent", path, side.downloaded(path, i)]).returncode != 0:
            give_up(f"{side.name} gave back another {path.name}")


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


def store_folder() -> tuple[Path, str]:
    """Where servers keep their stores: on a disk, so that being durable costs what it costs."""
    base = Path(os.environ.get("BENCH_STORE_DIR") or tempfile.gettempdir())
    base.mkdir(parents=True, exist_ok=True)
    kind = subprocess.run(["stat", "-f", "-c", "%T", base], capture_output=True, text=True).stdout.strip()
    return Path(tempfile.mkdtemp(prefix="xet-peer-store-", dir=base)), f"{base} ({kind}; BENCH_STORE_DIR chooses)"
