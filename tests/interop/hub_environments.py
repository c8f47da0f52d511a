"""What runs the genuine huggingface_hub: each of its generations, on the genuine module and on ours."""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass
from pathlib import Path

from environments import ROOT, Environment, build_wheel
from matrix import REFERENCE
from report import Report

HUBS = ("1.29.0", "2.4.0")
OURS = "xet"
# As the matrix names those clients, and what pip takes.
MODULES = {REFERENCE: "hf-xet==1.8.0", OURS: ""}
# What loads models and tables from a Hub. Without torch, which transformers does not need for the rest.
_LIBRARIES = ("safetensors", "numpy", "tokenizers", "transformers", "fsspec", "pyarrow")
# What huggingface_hub's own tests need.
_OF_TESTS = ("pytest", "pytest-mock", "jinja2")
FOLDER = ROOT / "build/interop"


@dataclass(frozen=True)
class Stack:
    """A generation of the library on one of the modules."""

    hub: str
    module: str

    @property
    def name(self) -> str:
        return f"huggingface_hub {self.hub} on {'our hf_xet' if self.module == OURS else self.module}"

    @property
    def short(self) -> str:
        """For names of repositories."""
        return f"{self.hub}-{self.module}".replace("_", "-")

    @property
    def environment(self) -> Environment:
        module = (MODULES[self.module],) if MODULES[self.module] else ()
        return Environment(
            FOLDER / f"hub-{self.short}", (*module, f"huggingface_hub=={self.hub}", *_LIBRARIES, *_OF_TESTS)
        )


def stacks(modules: list[str]) -> list[Stack]:
    return [Stack(hub, module) for module in modules for hub in HUBS]


def our_wheel(report: Report) -> Path | None:
    with report.cell("build", "our hf_xet"):
        return _wheel()
    return None


@functools.cache
def _wheel() -> Path:
    return build_wheel(sys.executable)


def install(report: Report, stack: Stack, wheel: Path | None) -> bool:
    """Whether it can be used. One that cannot be had is a cell that failed."""
    if stack.module == OURS and wheel is None:
        report.not_reached("our module was not built", "install", stack.name)
        return False
    with report.cell("install", stack.name) as cell:
        stack.environment.make(sys.executable, wheel if stack.module == OURS else None)
    return not cell.failure
