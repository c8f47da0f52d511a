#!/usr/bin/env python3
"""Makes the wheels of hf_xet that are given away, and tries them with every CPython of this machine.

One abi3 wheel serves CPython 3.12 and later; 3.10, 3.11 and free-threaded builds have one each. Interpreters are looked
for on PATH, in /usr/bin and among those of pyenv; --python names others. For each wheel:

    1. build it with static libraries (tools/static_deps.sh), so that it needs the C library alone;
    2. move the debug symbols to hf_xet-*.dbg, collected in dbg-symbols.zip; add the licences of what is linked in;
    3. `auditwheel repair` to manylinux_2_36, which must find nothing to add; put it into dist/;
    4. look at it: what it exports, what it needs, how large it is;
    5. install it in bare environments of every interpreter that it is for, import it, store a file and fetch it;
    6. compare the time of an import with that of the genuine hf-xet, in alternating runs.

Ends with a table, and with 1 when anything that could be tried failed.
"""

from __future__ import annotations

import argparse
import base64
import csv
import hashlib
import io
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv/bin"
GENUINE = "hf-xet==1.8.0"
OLDEST = (3, 10)
FIRST_ABI3 = (3, 12)
EXPECTED = ("3.10", "3.11", "3.12", "3.13", "3.14", "3.13t", "3.14t")
MACHINE = platform.machine()
PLATFORM = f"manylinux_2_36_{MACHINE}"
MOST_BYTES = 4_000_000
# glibc 2.36 is the first that understands packed relocations; they save a tenth of a megabyte.
LINKER_FLAGS = "-Wl,--gc-sections,--as-needed,-O1,-z,relro,-z,now,-z,pack-relative-relocs"
GLIBC = re.compile(r"(lib(c|m|dl|pthread|rt)|ld-linux-[a-z0-9-]+)\.so\.\d+")
IMPORT_RUNS = 31
# One compiler for all: each Python would name the one that it was built with.
BUILD_DEFAULTS = {"CC": "cc", "CXX": "c++", "CMAKE_BUILD_PARALLEL_LEVEL": str(os.cpu_count() or 2)}

# Compiled or linked into the module. Each Debian package has its licence in /usr/share/doc.
LICENCES = {
    "curl": "libcurl4-openssl-dev",
    "sqlite3": "libsqlite3-dev",
    "openssl": "libssl-dev",
    "lz4": "liblz4-dev",
    "fmt": "libfmt-dev",
    "nlohmann-json": "nlohmann-json3-dev",
    "expected": "libexpected-dev",
    "blake3": "librust-blake3-dev",
    "libstdc++": "libstdc++6",
}

PROBE = """
import json, os, platform, sys, sysconfig
include = sysconfig.get_path("include")
print(json.dumps({
    "kind": platform.python_implementation(),
    "version": list(sys.version_info[:3]),
    "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    "path": os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable),
    "has_headers": os.path.exists(os.path.join(include, "Python.h")),
}))
"""

TRY = """
import importlib.metadata, os, pathlib, sys, tempfile
import hf_xet
where = pathlib.Path(hf_xet.__file__).resolve()
assert where.is_relative_to(pathlib.Path(sys.prefix).resolve()), where
if getattr(sys, "_is_gil_enabled", lambda: True)() is False:
    print("without GIL", end="")
data = os.urandom(3_000_000)
with tempfile.TemporaryDirectory() as folder:
    store = "local://" + os.path.join(folder, "store")
    out = os.path.join(folder, "out")
    session = hf_xet.XetSession()
    with session.new_upload_commit(store) as commit:
        upload = commit.start_upload_bytes(data, name="data")
    info = upload.result().xet_info
    with session.new_file_download_group(store) as group:
        group.start_download_file(info, out)
    assert pathlib.Path(out).read_bytes() == data
assert importlib.metadata.version("hf-xet") == sys.argv[1]
"""

IMPORT = "import time; t = time.perf_counter(); import hf_xet; print(time.perf_counter() - t)"


class WheelError(Exception):
    """One sentence: what is wrong with a wheel, or why it cannot be made."""


@dataclass(frozen=True)
class Interpreter:
    version: tuple[int, int, int]
    free_threaded: bool
    path: Path
    has_headers: bool

    @property
    def minor(self) -> str:
        return f"{self.version[0]}.{self.version[1]}" + ("t" if self.free_threaded else "")

    @property
    def name(self) -> str:
        return ".".join(map(str, self.version)) + ("t" if self.free_threaded else "")

    @property
    def wheel(self) -> str:
        """Which wheel it takes: python tag and ABI tag."""
        if self.version[:2] >= FIRST_ABI3 and not self.free_threaded:
            return "cp{}{}-abi3".format(*FIRST_ABI3)
        python = "cp{}{}".format(*self.version)
        return f"{python}-{python}" + ("t" if self.free_threaded else "")


@dataclass
class Row:
    """A line of the closing table."""

    python: str
    wheel: str = "-"
    built: str = "-"
    tested: str = "-"
    path: str = ""


@dataclass
class Report:
    rows: list[Row] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def run(command: Sequence[str | Path], **options) -> str:
    """Its output; a WheelError with the last lines when it fails."""
    done = subprocess.run(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
    )
    if done.returncode != 0:
        tail = "\n".join(done.stdout.splitlines()[-25:])
        raise WheelError(f"`{' '.join(map(str, command[:6]))}` failed:\n{tail}")
    return done.stdout


def bare_environment() -> dict[str, str]:
    """Nothing that leads Python to other modules, or the module to other settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "HF_", "XET_"))}


# --- Interpreters


def candidates(named: Sequence[Path]) -> list[Path]:
    folders = [Path(entry) for entry in os.environ.get("PATH", "").split(os.pathsep) if entry]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    folders += sorted(pyenv.glob("versions/*/bin"))
    folders += [Path("/usr/local/bin"), Path("/usr/bin")]
    pattern = re.compile(r"python3(\.\d+)?t?")
    found = [program for folder in folders if folder.is_dir() for program in sorted(folder.iterdir())]
    return [*named, *(program for program in found if pattern.fullmatch(program.name))]


def find_interpreters(named: Sequence[Path]) -> list[Interpreter]:
    found: dict[Path, Interpreter] = {}
    for program in candidates(named):
        try:
            answer = subprocess.run(
                [program, "-I", "-c", PROBE], capture_output=True, text=True, timeout=60, cwd="/", check=True
            )
            facts = json.loads(answer.stdout)
        except (OSError, subprocess.SubprocessError, ValueError):
            if program in named:
                raise WheelError(f"{program} is no Python that can be run") from None
            continue  # such as the stand-ins that pyenv has for versions that are not chosen
        path = Path(facts["path"])
        if facts["kind"] == "CPython" and tuple(facts["version"][:2]) >= OLDEST:
            found[path] = Interpreter(tuple(facts["version"]), facts["free_threaded"], path, facts["has_headers"])
    return sorted(found.values(), key=lambda one: (one.free_threaded, one.version, str(one.path)))


# --- Building


def make_venv(interpreter: Interpreter, folder: Path) -> Path:
    """Its python. An environment that is there already is made anew: it may be of another interpreter."""
    run([interpreter.path, "-I", "-m", "venv", "--clear", folder], env=bare_environment())
    return folder / "bin/python"


PIP = ("-I", "-m", "pip", "--disable-pip-version-check", "--quiet")


def build(interpreter: Interpreter, work: Path, static: Path, version: str) -> Path:
    """The wheel as it comes out of CMake, with its debug symbols."""
    python = make_venv(interpreter, work / "venv")
    requirements = ROOT / "tools/requirements-wheel.txt"
    run([python, *PIP, "install", "--constraint", requirements, "nanobind", "scikit-build-core"])
    # Folders of this machine are in no message and no symbol. The same for all, so that ccache has the library after
    # the first.
    flags = (
        f"-ffunction-sections -fdata-sections -ffile-prefix-map={Path.home()}=/home -ffile-prefix-map={ROOT}=/libxet"
    )
    settings = {
        "build-dir": str(work / "cmake"),
        "cmake.define.XET_STATIC_DEPS": str(static),
        "cmake.define.CMAKE_CXX_FLAGS": flags,
        "cmake.define.CMAKE_C_FLAGS": flags,
        "cmake.define.CMAKE_MODULE_LINKER_FLAGS": LINKER_FLAGS,
    }
    raw = work / "raw"
    shutil.rmtree(raw, ignore_errors=True)
    run(
        [
            *(python, *PIP, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", raw),
            *(f"--config-settings={name}={value}" for name, value in settings.items()),
            ROOT,
        ],
        env=BUILD_DEFAULTS | os.environ | {"CCACHE_NOHASHDIR": "1"},
    )
    made = list(raw.glob(f"hf_xet-{version}-{interpreter.wheel}-*.whl"))
    if len(made) != 1:
        raise WheelError(f"no wheel {version} for {interpreter.wheel} came out; pip made {list(raw.iterdir())}")
    return made[0]


def unpack(wheel: Path, folder: Path) -> Path:
    """Its shared library; there is one."""
    shutil.rmtree(folder, ignore_errors=True)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    libraries = [path for path in folder.rglob("*.so*") if path.is_file()]
    if len(libraries) != 1:
        raise WheelError(f"{wheel.name} holds {len(libraries)} shared libraries instead of one: {libraries}")
    return libraries[0]


def pack(folder: Path, wheel: Path) -> None:
    """The folder as a wheel, with a fresh RECORD. Same files, same bytes: times are fixed."""
    record = next(folder.glob("*.dist-info")) / "RECORD"
    record.unlink()
    lines = io.StringIO()
    table = csv.writer(lines, lineterminator="\n")
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:

        def add(path: Path, data: bytes) -> None:
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix())
            entry.external_attr = (0o100755 if ".so" in path.suffixes else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)

        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            data = path.read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            table.writerow([path.relative_to(folder).as_posix(), f"sha256={digest}", len(data)])
            add(path, data)
        table.writerow([record.relative_to(folder).as_posix(), "", ""])
        add(record, lines.getvalue().encode())


def split_symbols(library: Path, symbols: Path) -> None:
    run(["objcopy", "--only-keep-debug", "--compress-debug-sections=none", library, symbols])
    run(["strip", "--strip-all", library])
    run(["objcopy", f"--add-gnu-debuglink={symbols.name}", library], cwd=symbols.parent)


def add_licences(folder: Path, build_venv: Path) -> None:
    licences = next(folder.glob("*.dist-info")) / "licenses/linked-in"
    licences.mkdir(parents=True)
    sources = {name: Path("/usr/share/doc") / package / "copyright" for name, package in LICENCES.items()}
    sources["nanobind"] = next(build_venv.rglob("nanobind-*.dist-info/licenses/LICENSE"), Path("nanobind's LICENSE"))
    for name, source in sources.items():
        if not source.exists():
            raise WheelError(f"the licence of {name}, which is linked in, is not to be found: {source}")
        shutil.copyfile(source, licences / f"{name}.txt")


def finish(raw: Path, work: Path, out: Path) -> tuple[Path, Path]:
    """The repaired wheel in `out`, and its symbols."""
    folder = work / "unpacked"
    library = unpack(raw, folder)
    version, python, abi = raw.stem.split("-")[1:4]
    symbols = work / f"hf_xet-{version}-{python}-{abi}-{PLATFORM}.dbg"
    split_symbols(library, symbols)
    add_licences(folder, work / "venv")
    stripped = work / raw.name
    pack(folder, stripped)
    repaired = work / "repaired"
    shutil.rmtree(repaired, ignore_errors=True)
    run(
        [VENV / "auditwheel", "repair", "--plat", PLATFORM, "--only-plat", "--wheel-dir", repaired, stripped],
        env=os.environ | {"PATH": f"{VENV}{os.pathsep}{os.environ.get('PATH', '')}"},
    )
    wheel = next(repaired.glob("*.whl"))
    final = out / wheel.name
    shutil.copyfile(wheel, final)
    return final, symbols


def look_at(wheel: Path, work: Path) -> str:
    """A short description, or a WheelError."""
    library = unpack(wheel, work / "final")
    exported = re.findall(r"^\S+ \S (\S+)$", run(["nm", "-D", "--defined-only", library]), re.MULTILINE)
    if exported != ["PyInit_hf_xet"]:
        raise WheelError(f"{wheel.name} exports {', '.join(exported[:5])}, not PyInit_hf_xet alone")
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", run(["readelf", "--dynamic", "--wide", library]))
    if foreign := [name for name in needed if not GLIBC.fullmatch(name)]:
        raise WheelError(f"{wheel.name} needs {', '.join(foreign)}, which is not of glibc")
    content = library.read_bytes()
    for folder in (ROOT, Path.home()):
        if f"{folder}/".encode() in content:
            raise WheelError(f"{wheel.name} names a folder of this machine, {folder}")
    size = wheel.stat().st_size
    if size > MOST_BYTES:
        raise WheelError(f"{wheel.name} has {size:,} bytes, more than {MOST_BYTES:,}")
    return f"{size / 1e6:.2f} MB, {library.stat().st_size / 1e6:.1f} MB unpacked; needs {' '.join(needed)}"


# --- Trying


def try_with(interpreter: Interpreter, version: str, out: Path, folder: Path) -> tuple[Path, str]:
    """Python of an environment with the wheel that pip takes for it, and what else is worth a word."""
    python = make_venv(interpreter, folder)
    elsewhere = {"cwd": "/", "env": bare_environment()}
    run([python, *PIP, "install", "--no-index", "--no-deps", "--find-links", out, f"hf-xet=={version}"], **elsewhere)
    return python, run([python, "-I", "-c", TRY, version], **elsewhere)


def import_times(interpreter: Interpreter, ours: Path, folder: Path) -> str:
    try:
        genuine = make_venv(interpreter, folder)
        run([genuine, *PIP, "install", GENUINE], env=bare_environment())
    except WheelError:
        return f"import time not compared: the package index did not give {GENUINE}"
    times: dict[Path, list[float]] = {ours: [], genuine: []}
    for turn in range(IMPORT_RUNS + 2):
        for python in (ours, genuine) if turn % 2 else (genuine, ours):
            took = float(run([python, "-I", "-c", IMPORT], cwd="/", env=bare_environment())) * 1e3
            if turn >= 2:  # the first ones read from the disk, and write bytecode
                times[python].append(took)

    def shown(python: Path) -> str:
        low, middle, high = statistics.quantiles(times[python], n=4)
        return f"{middle:.2f} ms (quartiles {low:.2f} to {high:.2f})"

    verdict = "" if statistics.median(times[ours]) <= statistics.median(times[genuine]) else "; OURS IS SLOWER"
    return (
        f"import with {interpreter.name}, {IMPORT_RUNS} runs in turns: ours {shown(ours)}, "
        f"{GENUINE} {shown(genuine)}{verdict}"
    )


# --- The whole


def make_wheels(interpreters: Sequence[Interpreter], arguments: argparse.Namespace, version: str) -> Report:
    report = Report()
    work: Path = arguments.work
    out: Path = arguments.out
    for left in (*out.glob("hf_xet-*-manylinux_*.whl"), *out.glob("dbg-symbols.zip")):
        left.unlink()
    states: dict[str, str] = {}
    symbols: list[Path] = []
    for tag in dict.fromkeys(one.wheel for one in interpreters):
        # An abi3 wheel is built with the oldest that it is for: whatever that has, later ones have.
        able = [one for one in interpreters if one.wheel == tag and one.has_headers]
        if not able:
            states[tag] = "no headers"
            report.failures.append(f"{tag}: no interpreter for it has Python.h (python3-dev)")
            continue
        print(f"wheel: building {tag} with {able[0].name}", flush=True)
        try:
            raw = build(able[0], work / tag, arguments.static, version)
            wheel, symbol = finish(raw, work / tag, out)
            print(f"wheel: {wheel.name}: {look_at(wheel, work / tag)}", flush=True)
            symbols.append(symbol)
            states[tag] = f"with {able[0].name}"
        except WheelError as error:
            states[tag] = "FAILED"
            report.failures.append(f"{tag}: {error}")
    if symbols:
        with zipfile.ZipFile(out / "dbg-symbols.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for symbol in symbols:
                archive.write(symbol, symbol.name)

    for number, one in enumerate(interpreters):
        row = Row(one.name, one.wheel, states[one.wheel], path=str(one.path))
        report.rows.append(row)
        if not row.built.startswith("with"):
            continue
        print(f"wheel: trying {one.wheel} with {one.path}", flush=True)
        try:
            python, remark = try_with(one, version, out, work / f"try-{number}")
            row.tested = f"yes {remark}".strip()
            if not arguments.no_import_times:
                print(f"wheel: {import_times(one, python, work / f'genuine-{number}')}", flush=True)
        except WheelError as error:
            row.tested = "FAILED"
            report.failures.append(f"{one.path}: {error}")
    here = {one.minor for one in interpreters}
    report.rows += [Row(minor, path="not found on this machine") for minor in EXPECTED if minor not in here]
    return report


def print_table(rows: Sequence[Row]) -> None:
    head = Row("CPython", "wheel", "built", "tested", "where")
    cells = [[row.python, row.wheel, row.built, row.tested, row.path] for row in (head, *rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    print()
    for line in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", type=Path, action="append", default=[], help="an interpreter besides those found")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="where the wheels go (default dist)")
    parser.add_argument("--work", type=Path, default=ROOT / "build/wheel", help="scratch (default build/wheel)")
    parser.add_argument("--static", type=Path, default=ROOT / "build/static", help="prefix of tools/static_deps.sh")
    parser.add_argument("--no-import-times", action="store_true", help="leave the comparison of imports out")
    arguments = parser.parse_args()
    for name in ("out", "work", "static"):
        setattr(arguments, name, getattr(arguments, name).resolve())
    return arguments


def main() -> int:
    arguments = parse_arguments()
    version = re.search(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE).group(1)
    try:
        interpreters = find_interpreters(arguments.python)
        if not interpreters:
            raise WheelError("there is no CPython of version 3.10 or later on this machine")
        subprocess.run([ROOT / "tools/static_deps.sh", arguments.static], check=True)
        subprocess.run([ROOT / "tools/venv.sh", "wheel"], check=True)
    except (WheelError, subprocess.CalledProcessError) as error:
        print(f"wheel: {error}", file=sys.stderr)
        return 1
    arguments.out.mkdir(parents=True, exist_ok=True)
    arguments.work.mkdir(parents=True, exist_ok=True)
    report = make_wheels(interpreters, arguments, version)
    print_table(report.rows)
    for failure in report.failures:
        print(f"wheel: {failure}", file=sys.stderr)
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
