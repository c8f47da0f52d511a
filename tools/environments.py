"""Virtual environments with our Python module or the genuine one, for tests/python and tests/interop.

pip finds its index as it is configured on the machine.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "python"


class InstallError(Exception):
    """What could not be installed or built; the message has the tool's last lines."""


@dataclass(frozen=True)
class Environment:
    """A directory with an interpreter of its own, these packages and, where a wheel is given, our module."""

    directory: Path
    packages: tuple[str, ...]

    @property
    def python(self) -> Path:
        return self.directory / "bin" / "python"

    def make(self, interpreter: str, wheel: Path | None) -> None:
        """Only what is missing or another one is installed; the wheel always, since its name stays the same."""
        stamp = self.directory / "installed"
        wanted = repr((interpreter, self.packages, wheel is not None))
        is_current = stamp.exists() and stamp.read_text() == wanted
        if not is_current:
            run(interpreter, "-m", "venv", "--clear", self.directory)
        pip = (self.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        if wheel is not None:
            run(*pip, "--force-reinstall", "--no-deps", wheel)
        if not is_current:
            run(*pip, *self.packages)
            stamp.write_text(wanted)


def run(*command: str | Path) -> None:
    done = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-12:])
        raise InstallError(f"`{' '.join(map(str, command[:4]))} …` ended with {done.returncode}:\n{said}")


def build_wheel(interpreter: str) -> Path:
    """`pip wheel` of the tree; what did not change since the last time is not compiled again."""
    # In an environment, because Debian's own interpreter has no pip.
    builder = BUILD / "builder"
    run(interpreter, "-m", "venv", "--clear", builder)
    target = BUILD / "wheel"
    target.mkdir(parents=True, exist_ok=True)
    for old in target.glob("*.whl"):
        old.unlink()
    # The compiler and flags of the release build, so that the compiler's cache serves both.
    as_release = {"XET_WERROR": "ON", "CMAKE_C_COMPILER": "cc", "CMAKE_CXX_COMPILER": "c++"}
    defines = [
        part for name, value in as_release.items() for part in ("--config-settings", f"cmake.define.{name}={value}")
    ]
    run(
        *(builder / "bin" / "python", "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"),
        *(*defines, "--wheel-dir", target, ROOT),
    )
    return next(target.glob("*.whl"))
