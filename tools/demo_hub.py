"""The second half of the demo: the same model through `hf`, the command of huggingface_hub, which knows nothing of
us. The server is its Hub; what it says on the screen are the commands that a user would type."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from environments import Environment, InstallError
from servers import XetServe

HUB = "huggingface_hub==2.4.0"
USER = "alice"
REPOSITORY = f"{USER}/minilm"


class DemoFailed(Exception):
    """A command that ended with an error; the message has its last lines."""


def install(folder: Path) -> Path | None:
    """The command `hf`, with what pip brings along; None, and why, when there is no package index."""
    environment = Environment(folder / "venv", (HUB,))
    try:
        environment.make(sys.executable, wheel=None)
    except InstallError as error:
        print(f"hub: the half with `hf` is left out, because {HUB} cannot be installed: {error}")
        return None
    return environment.directory / "bin/hf"


def size_of(store: Path) -> int:
    """Of the objects; the database is a constant beside them."""
    return sum(path.stat().st_size for name in "xs" for path in (store / name).rglob("*") if path.is_file())


class Shell:
    """Shows a command, runs it, and keeps its words to itself unless it fails."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = os.environ | environment

    def __call__(self, program: Path, *arguments: str | Path, cwd: Path | None = None) -> str:
        print(f"  $ {program.name} {' '.join(map(str, arguments))}", flush=True)
        done = subprocess.run(
            [program, *arguments], env=self._environment, cwd=cwd, capture_output=True, text=True, timeout=600
        )
        if done.returncode != 0:
            said = "\n".join((done.stderr + done.stdout).strip().splitlines()[-15:])
            raise DemoFailed(f"`{program.name} {arguments[0]}` ended with {done.returncode}:\n{said}")
        return done.stdout.strip()


def run(hf: Path, xet: Path, model: Path, edit: Callable[[Path, Path], str], folder: Path) -> None:
    """`model` is the folder of one, `folder` an empty place to work in. Raises DemoFailed."""
    work = folder / "minilm"
    shutil.copytree(model, work)
    with XetServe(folder / "hub", xet, auth=True) as server:
        print(f"\nthe same through `hf` of {HUB}, with this server as its Hub\n")
        quiet = {f"HF_HUB_DISABLE_{what}": "1" for what in ("PROGRESS_BARS", "TELEMETRY", "UPDATE_CHECK")}
        settings = {"HF_HOME": str(folder / "home"), "HF_ENDPOINT": server.url, **quiet}
        shell = Shell(settings)
        shell(xet, "admin", "user", "add", USER, "--data", server.data)
        token = shell(xet, "admin", "token", "create", "--user", USER, "--role", "write", "--data", server.data)
        shell = Shell(settings | {"HF_TOKEN": token})
        logical, stored = [], [0]
        for nth in range(2):
            if nth:
                edited = folder / "edited"
                print(f"    edit: {edit(work / 'model.safetensors', edited)}")
                edited.replace(work / "model.safetensors")
            shell(hf, "upload", REPOSITORY, "minilm", ".", cwd=folder)
            logical.append(sum(path.stat().st_size for path in work.rglob("*") if path.is_file()))
            stored.append(size_of(server.data))
            print(f"    {logical[nth]:,} bytes of files, {stored[nth + 1] - stored[nth]:,} bytes more in the store")
        shell(hf, "download", REPOSITORY, "--local-dir", "copy", cwd=folder)
        for path in work.rglob("*"):
            copy = folder / "copy" / path.relative_to(work)
            if path.is_file() and path.read_bytes() != copy.read_bytes():
                raise DemoFailed(f"{copy.name} came back different")
        saved = 1 - (stored[2] - stored[1]) / logical[1]
        print(f"\nevery file came back as it was; the second upload saved {saved:.0%} of its bytes")
