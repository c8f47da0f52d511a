"""What the checking scripts need to know of the tree: its C++ files and which of them include which."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def cxx_files(*patterns: str) -> list[Path]:
    """Tracked and new C++ files, relative to the root, sorted. Files that are ignored by git are left out."""
    command = ["git", "ls-files", "-co", "--exclude-standard", "--", *(patterns or ("*.cc", "*.h"))]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return sorted({Path(name) for name in listed.splitlines() if (ROOT / name).is_file()})


def includes_of(text: str) -> list[tuple[int, str]]:
    """(line, header as written) of each #include."""
    return [(text.count("\n", 0, m.start(2)) + 1, m.group(2)) for m in _INCLUDE.finditer(text)]


def resolve(header: str) -> Path | None:
    """The file of ours that an #include means, relative to the root; None for anything else."""
    for folder in ("include", "src", "tests", "."):
        candidate = Path(folder) / header
        if (ROOT / candidate).is_file():
            return candidate
    return None


@cache
def closure(path: Path) -> frozenset[Path]:
    """The file and every file of ours that it includes, directly or not."""
    seen: set[Path] = set()
    queue = [path]
    while queue:
        current = queue.pop()
        if current in seen:
            continue
        seen.add(current)
        text = (ROOT / current).read_text(encoding="utf-8")
        found = (resolve(header) or _sibling(current, header) for _, header in includes_of(text))
        queue += [file for file in found if file is not None]
    return frozenset(seen)


def _sibling(includer: Path, header: str) -> Path | None:
    candidate = includer.parent / header
    return candidate if (ROOT / candidate).is_file() else None
