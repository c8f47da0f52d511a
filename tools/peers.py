#!/usr/bin/env python3
"""Brings the genuine Xet programs, with which ours must get along: tools/peers.py [NAME…], default all of them.

    hf-xet-1.6.0, hf-xet-1.8.0    the Python module of that release, from PyPI, in an environment of its own
    local_cas_server, xtool       1.8.0, built by cargo from the published crates

They go to a folder outside the tree, XET_PEERS_DIR (default ~/.cache/libxet-peers), and stay there: the second
run takes a fraction of a second. Any number of these may run at once. Prints a line NAME PATH for each, where
PATH is the program, or the Python interpreter that has the module. pip and cargo find their registries as they are
configured on the machine; where they cannot, this says so and ends with 1.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

RELEASE = "1.8.0"
ALL = ("hf-xet-1.6.0", "hf-xet-1.8.0", "local_cas_server", "xtool")


class PeersError(Exception):
    """A peer that cannot be had; the message says which, and what to do."""


def folder() -> Path:
    if chosen := os.environ.get("XET_PEERS_DIR"):
        return Path(chosen).resolve()
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache).resolve() / "libxet-peers"


@dataclass(frozen=True)
class Wheel:
    """The genuine module with the library that people use it through."""

    version: str

    @property
    def name(self) -> str:
        return f"hf-xet-{self.version}"

    @property
    def requirements(self) -> list[str]:
        return [f"hf-xet=={self.version}", *(["huggingface_hub==2.4.0"] if self.version == RELEASE else [])]

    @property
    def recipe(self) -> str:
        """Changes when what is installed must change."""
        return " ".join(self.requirements)

    def path(self) -> Path:
        return folder() / self.name / "bin/python"

    def install(self) -> None:
        venv = folder() / self.name
        _run(self.name, [sys.executable, "-m", "venv", "--clear", venv])
        pip = [venv / "bin/pip", "install", "--quiet", "--disable-pip-version-check", *self.requirements]
        _run(self.name, pip)
        _run(self.name, [self.path(), "-c", "import hf_xet"])


@dataclass(frozen=True)
class Crate:
    """A program of a published crate. The crates share most of their dependencies, hence one target folder."""

    name: str
    crate: str
    feature: str

    @property
    def recipe(self) -> str:
        return f"{self.crate} {RELEASE} {self.feature}"

    def path(self) -> Path:
        return folder() / "cargo/bin" / self.name

    def install(self) -> None:
        cargo = shutil.which("cargo")
        if cargo is None:
            raise PeersError(
                f"{self.name} is built by cargo, which is not on PATH; `tools/setup.sh interop` installs it"
            )
        # Half the build time of the crates' own release profile, at a few percent of speed.
        environment = os.environ | {
            "CARGO_TARGET_DIR": str(folder() / "target"),
            "CARGO_PROFILE_RELEASE_LTO": "false",
            "CARGO_PROFILE_RELEASE_DEBUG": "0",
        }
        command = [cargo, "install", "--quiet", self.crate, "--version", RELEASE, "--features", self.feature]
        _run(self.name, [*command, "--bin", self.name, "--locked", "--root", folder() / "cargo"], environment)


PEERS = {
    peer.name: peer
    for peer in (
        Wheel("1.6.0"),
        Wheel(RELEASE),
        Crate("local_cas_server", "xet-client", "simulation"),
        Crate("xtool", "hf-xet", "internal-tools"),
    )
}


def _run(name: str, command: list[str | Path], environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode == 0:
        return
    last_lines = "\n".join((done.stderr or done.stdout).strip().splitlines()[-12:])
    raise PeersError(
        f"cannot get {name}: `{' '.join(map(str, command[:3]))} …` ended with {done.returncode}. The peers come from "
        f"PyPI and cargo's registry, and need a network once. Its last lines:\n{last_lines}"
    )


def _is_current(peer: Wheel | Crate) -> bool:
    stamp = folder() / f"{peer.name}.installed"
    return peer.path().exists() and stamp.exists() and stamp.read_text() == peer.recipe


def ensure(names: Iterable[str] = ALL) -> dict[str, Path]:
    """Installs what is missing of these, and gives the path of each. Raises PeersError."""
    wanted = [PEERS[name] for name in names]
    if not all(map(_is_current, wanted)):
        folder().mkdir(parents=True, exist_ok=True)
        with (folder() / "lock").open("w") as lock:
            # Another run may have been installing meanwhile.
            fcntl.flock(lock, fcntl.LOCK_EX)
            for peer in wanted:
                if not _is_current(peer):
                    print(f"peers: installing {peer.name} into {folder()}", file=sys.stderr, flush=True)
                    peer.install()
                    (folder() / f"{peer.name}.installed").write_text(peer.recipe)
            if all(_is_current(peer) for peer in PEERS.values()):
                shutil.rmtree(folder() / "target", ignore_errors=True)
    return {peer.name: peer.path() for peer in wanted}


def main() -> int:
    names = sys.argv[1:] or list(ALL)
    if unknown := [name for name in names if name not in PEERS]:
        print(f"peers: there is no {', '.join(unknown)}; there are {', '.join(ALL)}", file=sys.stderr)
        return 2
    try:
        paths = ensure(names)
    except PeersError as error:
        print(f"peers: {error}", file=sys.stderr)
        return 1
    for name, path in paths.items():
        print(name, path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
