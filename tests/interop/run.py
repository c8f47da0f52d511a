#!/usr/bin/env python3
"""Every genuine peer in both directions: clients × servers, uploaded with one and downloaded with every other.

    tests/interop/run.py                                              everything, as `make interop` does
    tests/interop/run.py --clients xet,hf_xet-1.8.0 --servers xet-serve --parts traffic --scale 0.1

The peers come from tools/peers.py; without them nothing is tried and the exit code is 1. One line per cell, and a
closing line. Exit code 0 only if every cell passed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests/e2e")]

import hub  # noqa: E402
import hub_suite  # noqa: E402
import objects  # noqa: E402
import peers  # noqa: E402
import plain  # noqa: E402
import round_trips  # noqa: E402
import tokens  # noqa: E402
import traffic  # noqa: E402
import variants  # noqa: E402
from matrix import CLIENTS, SERVERS, Matrix  # noqa: E402
from report import Report  # noqa: E402
from servers import end_as_by_interrupt  # noqa: E402
from support import PROGRAM, TOOLS  # noqa: E402

PARTS = {
    "round-trips": round_trips.run,
    "traffic": traffic.run,
    "variants": variants.run,
    "tokens": tokens.run,
    "objects": objects.run,
    "plain": plain.run_part,
    "hub": hub.run_part,
    "their-tests": hub_suite.run_part,
}


def choice(all_of_them: tuple[str, ...]) -> Callable[[str], list[str]]:
    def parse(text: str) -> list[str]:
        chosen = text.split(",")
        if unknown := [name for name in chosen if name not in all_of_them]:
            raise argparse.ArgumentTypeError(f"there is no {', '.join(unknown)}; there are {', '.join(all_of_them)}")
        # In our order, which decides who uploads first.
        return [name for name in all_of_them if name in chosen]

    return parse


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=choice(CLIENTS), default=list(CLIENTS), help=f"of {','.join(CLIENTS)}")
    parser.add_argument("--servers", type=choice(SERVERS), default=list(SERVERS), help=f"of {','.join(SERVERS)}")
    parser.add_argument("--parts", type=choice(tuple(PARTS)), default=list(PARTS), help=f"of {','.join(PARTS)}")
    parser.add_argument("--scale", type=float, default=1.0, help="size of the data; 1 has a file of 300 MB")
    parser.add_argument("--keep", action="store_true", help="leave the files in place, and say where")
    args = parser.parse_args()

    for program in (PROGRAM, TOOLS / "e2e_generate"):
        if not program.exists():
            print(f"interop: {program} is not built; `make interop` builds it", file=sys.stderr)
            return 1
    try:
        found = peers.ensure()
    except peers.PeersError as error:
        print(f"interop: nothing was tried, because the genuine peers are missing. {error}", file=sys.stderr)
        return 1

    end_as_by_interrupt()
    left_out = []
    for name, chosen, all_of_them in (
        ("clients", args.clients, CLIENTS),
        ("servers", args.servers, SERVERS),
        ("parts", args.parts, PARTS),
    ):
        if len(chosen) < len(all_of_them):
            left_out.append(f"{name} {', '.join(chosen)} only")
    if args.scale != 1:
        left_out.append(f"data scaled by {args.scale:g}")

    folder = Path(tempfile.mkdtemp(prefix="xet-interop-", dir=os.environ.get("XET_E2E_DIR")))
    report = Report()
    try:
        matrix = Matrix(PROGRAM, found, folder, args.scale, args.clients, args.servers)
        for part in args.parts:
            PARTS[part](matrix, report)
    finally:
        if args.keep:
            print(f"interop: files are in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return report.close("; ".join(left_out))


if __name__ == "__main__":
    sys.exit(main())
