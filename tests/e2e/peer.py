"""The genuine hf-xet wheel as a peer, run in the project's virtual environment by peer_child.py.

A test that cannot get the wheel fails and says so. XET_E2E_OFFLINE=1 turns that into a skip whose reason names
what was not run.
"""

from __future__ import annotations

import json
import os
import subprocess
import unittest
from functools import cache
from pathlib import Path

from support import ROOT

_PYTHON = ROOT / ".venv/bin/python"


@cache
def _why_missing() -> str:
    """Empty when the wheel is there, after installing it when it was not."""
    installed = subprocess.run([ROOT / "tools/venv.sh", "test"], capture_output=True, text=True)
    if installed.returncode != 0:
        return installed.stderr.strip() or "tools/venv.sh failed"
    imported = subprocess.run([_PYTHON, "-c", "import hf_xet"], capture_output=True, text=True)
    return imported.stderr.strip()


class PeerTest(unittest.TestCase):
    """Mix-in for tests that need the wheel."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        reason = _why_missing()
        if not reason:
            return
        message = f"{cls.__name__} needs the genuine hf-xet wheel, and it could not be installed:\n{reason}"
        if os.environ.get("XET_E2E_OFFLINE") == "1":
            raise unittest.SkipTest(f"NOT RUN, because XET_E2E_OFFLINE=1: {message}")
        raise AssertionError(f"{message}\n(XET_E2E_OFFLINE=1 leaves these tests out.)")


def child_command(python: Path, call: str) -> list[str]:
    """What runs a function of peer_child.py in an interpreter that has the module."""
    return [str(python), str(Path(__file__).with_name("peer_child.py")), call]


def peer(cache_dir: Path, call: str, **arguments: object) -> object:
    """Calls a function of peer_child.py in a process of its own; returns its result."""
    environment = os.environ | {"HF_XET_CACHE": str(cache_dir), "HF_HUB_DISABLE_TELEMETRY": "1"}
    command = child_command(_PYTHON, call)
    done = subprocess.run(command, input=json.dumps(arguments), env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"the genuine client failed in {call}: {done.stderr}")
    return json.loads(done.stdout)["result"]
