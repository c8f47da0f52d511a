#!/usr/bin/env python3
"""Runs clang-tidy-19 over the files of a configured build directory, several at a time.

A file that passed is remembered, with everything that its result depends on (its text, the headers of ours it
includes, its compile command, the .clang-tidy files), in BUILD_DIR/tidy-passed; it is looked at again only when one of
those changed. With --since only files changed after a revision are looked at: sources, and for a changed
header one source that includes it. With --budget no new file is begun after that many seconds, and what was
left out is said.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from source_tree import ROOT, closure, cxx_files

TIDY = "clang-tidy-19"
CONFIGS = (Path(".clang-tidy"), Path("bench/.clang-tidy"), Path("tests/.clang-tidy"))


def changed_since(revision: str) -> set[Path] | None:
    """Files changed after the revision, uncommitted ones too; None when the history does not go back so far."""
    known = subprocess.run(
        ["git", "rev-parse", "--verify", "--quiet", revision + "^{commit}"], cwd=ROOT, capture_output=True
    )
    if known.returncode != 0:
        return None
    diff = ["git", "diff", "--name-only", "--diff-filter=d", revision]
    new = ["git", "ls-files", "--others", "--exclude-standard"]
    out = [subprocess.run(c, cwd=ROOT, check=True, capture_output=True, text=True).stdout for c in (diff, new)]
    return {Path(name) for name in "".join(out).splitlines()}


def select(sources: list[Path], changed: set[Path]) -> list[Path]:
    """The changed sources, and for each changed header the source that includes it and stands nearest."""
    chosen = [source for source in sources if source in changed]
    covered: set[Path] = set().union(*(closure(source) for source in chosen)) if chosen else set()
    for header in sorted(path for path in changed if path.suffix == ".h" and path not in covered):
        users = [source for source in sources if header in closure(source)]
        if users:
            nearest = min(users, key=lambda user: (user.stem != header.stem, user.parent != header.parent, str(user)))
            chosen.append(nearest)
            covered |= closure(nearest)
    return sorted(set(chosen))


class Passed:
    """The keys of results that were clean, one empty file each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.config = b"".join((ROOT / path).read_bytes() for path in CONFIGS)

    def key(self, source: Path, command: str) -> Path:
        digest = hashlib.sha256(self.config + command.encode())
        for path in sorted(closure(source)):
            digest.update(str(path).encode() + b"\0" + (ROOT / path).read_bytes() + b"\0")
        return self.folder / digest.hexdigest()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build-dir", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--since", help="look only at files changed after this revision")
    parser.add_argument("--budget", type=float, default=float("inf"), help="seconds")
    args = parser.parse_args()

    database = json.loads((args.build_dir / "compile_commands.json").read_text())
    commands = {Path(entry["file"]): entry["command"] for entry in database}
    sources = [path for path in cxx_files("*.cc") if ROOT / path in commands]
    changed = changed_since(args.since) if args.since else None
    if changed is not None and Path(".clang-tidy") not in changed:
        sources = select(sources, changed)

    passed = Passed(args.build_dir / "tidy-passed")
    keys = {source: passed.key(source, commands[ROOT / source]) for source in sources}
    to_do = [source for source in sources if not keys[source].exists()]
    # Newest first, so that a budget is spent on what is being worked on.
    to_do.sort(key=lambda source: (ROOT / source).stat().st_mtime, reverse=True)
    end = time.monotonic() + args.budget

    def check(source: Path) -> tuple[Path, subprocess.CompletedProcess[str] | None]:
        if time.monotonic() > end:
            return source, None
        command = [TIDY, "--quiet", "-p", str(args.build_dir), str(ROOT / source)]
        return source, subprocess.run(command, capture_output=True, text=True)

    failed, skipped = [], []
    with ThreadPoolExecutor(args.jobs) as pool:
        for done in as_completed([pool.submit(check, source) for source in to_do]):
            source, result = done.result()
            if result is None:
                skipped.append(source)
            elif result.returncode == 0:
                keys[source].touch()
            else:
                failed.append(source)
                print(result.stdout + result.stderr, flush=True)

    if skipped:
        names = ", ".join(str(path) for path in skipped)
        print(f"tidy: {len(skipped)} files were left out after {args.budget:.0f} s (`make tidy` takes all): {names}")
    n_looked_at = len(to_do) - len(skipped)
    n_known = len(sources) - len(to_do)
    print(f"tidy: {n_looked_at} files looked at, {n_known} known to be clean, {len(failed)} with findings")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
