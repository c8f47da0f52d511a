"""What one module uploads the other downloads, over HTTP. XET_OTHER_PYTHON is an interpreter that has the other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import HERE, environment, random_bytes

HOWS = ("session", "stream", "legacy")


@pytest.fixture(scope="module")
def other() -> str:
    """The interpreter of the other module."""
    path = os.environ.get("XET_OTHER_PYTHON")
    if not path:
        pytest.fail("XET_OTHER_PYTHON is not set: it names the interpreter that has the other hf_xet")
    return path


@pytest.fixture(params=["this uploads", "the other uploads"])
def pair(request, other) -> tuple[str, str]:
    """The interpreter that uploads, and the one that downloads."""
    return (sys.executable, other) if request.param == "this uploads" else (other, sys.executable)


def ask(interpreter: str, folder: Path, **what: object) -> list[list]:
    done = subprocess.run(
        [interpreter, str(HERE / "other.py")],
        input=json.dumps(what),
        capture_output=True,
        text=True,
        # Each with a cache of its own: nothing may come from there.
        env=environment(folder, HF_HUB_DISABLE_TELEMETRY="1"),
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def contents() -> list[bytes]:
    """A file of each kind: nothing, a little, a few chunks, several terms, repeats, and what hardly compresses."""
    base = random_bytes(3_000_000, seed=51)
    edited = base[:1_000_000] + b"an edit" + base[1_500_000:]
    return [b"", b"a", random_bytes(200_000, seed=52), base, edited, b"0123456789" * 300_000, bytes(1_000_000)]


def written(folder: Path, files: list[bytes]) -> list[str]:
    """Paths of files with these contents."""
    paths = [folder / f"source-{i}" for i in range(len(files))]
    for path, data in zip(paths, files, strict=True):
        path.write_bytes(data)
    return list(map(str, paths))


@pytest.mark.parametrize("uploads", HOWS)
@pytest.mark.parametrize("downloads", HOWS)
def test_files_go_from_one_to_the_other(pair, http_store, tmp_path, uploads, downloads):
    sources = written(tmp_path, contents())
    copies = [str(tmp_path / f"copy-{i}") for i in range(len(sources))]
    infos = ask(pair[0], tmp_path / "a", action="upload", how=uploads, access=http_store.access, paths=sources)
    ask(pair[1], tmp_path / "b", action="download", how=downloads, access=http_store.access, infos=infos, paths=copies)
    assert [Path(path).read_bytes() for path in copies] == contents()


@pytest.mark.parametrize("how", HOWS)
def test_both_tell_the_same_of_a_file(other, http_store, tmp_path, how):
    """All but the SHA-256 of the empty file, which test_upload.py looks at."""
    sources = written(tmp_path, contents()[1:])
    told = [
        ask(interpreter, tmp_path / str(i), action="upload", how=how, access=http_store.access, paths=sources)
        for i, interpreter in enumerate((sys.executable, other))
    ]
    assert told[0] == told[1]
    assert all(sha256 for _, _, sha256 in told[0])
