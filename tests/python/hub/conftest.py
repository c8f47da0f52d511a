"""One Hub for all tests of this folder, made before `huggingface_hub` is imported."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from stage import Stage, versions

_CAN_RUN = all(map(importlib.util.find_spec, ("huggingface_hub", "hf_xet")))
collect_ignore = [] if _CAN_RUN else ["test_hub.py"]
_stage = Stage() if _CAN_RUN else None


def pytest_configure() -> None:
    if _stage:
        _stage.__enter__()


def pytest_unconfigure() -> None:
    if _stage:
        _stage.__exit__()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(f"with {versions()}")


@pytest.fixture
def stage() -> Stage:
    """The surroundings, with an empty record and without what an earlier test changed."""
    _stage.hub.tell_the_truth()
    return _stage


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """An id for a repository or bucket that no other test has."""
    return "tester/" + re.sub(r"[^A-Za-z0-9]+", "-", request.node.nodeid.partition("::")[2]).strip("-")[:90]
