#!/usr/bin/env python3
"""Speed and memory of ours against the genuine programs. Prints Markdown.

    local    `xet` and hf-xet, each with a store in a directory
    http     each of them against `xet serve` and against local_cas_server, on disk and in memory
    python   both Python modules: import, hash_files, upload_files, download_files
    server   the servers alone: ingest, ranged GETs beside nginx, reconstructions

All sides do the same on the same files, in turn within one run, and who begins changes each time. Ours is the
whole process, start-up included. Theirs is timed inside a Python process after the import, so the interpreter's
start costs it nothing; its peak memory includes the interpreter, whose share is printed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import measuring
import peer_http
import peer_local
import peer_python
import peer_server
import peers
from measuring import PEER, InPython, Ours
from servers import end_as_by_interrupt

ROWS = ("local", "http", "python", "server")


def choice(all_of_them: tuple[str, ...]) -> Callable[[str], list[str]]:
    def parse(text: str) -> list[str]:
        if unknown := [name for name in text.split(",") if name not in all_of_them]:
            raise argparse.ArgumentTypeError(f"there is no {', '.join(unknown)}; there are {', '.join(all_of_them)}")
        return [name for name in all_of_them if name in text.split(",")]

    return parse


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--xet", type=Path, required=True, help="the program")
    parser.add_argument("--rows", type=choice(ROWS), default=list(ROWS), help=f"of {','.join(ROWS)}")
    parser.add_argument(
        "--servers", type=choice(peer_http.ALL), default=list(peer_http.ALL), help=f"of {','.join(peer_http.ALL)}"
    )
    parser.add_argument("--python", default=sys.executable, help="the interpreter to build our module for")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="size of the data sets; 1 is 1 GiB of random bytes")
    parser.add_argument("--seconds", type=int, default=8, help="how long wrk runs each time")
    parser.add_argument("--quick", action="store_true", help="one repeat, a twentieth of the data: only to try it out")
    args = parser.parse_args()
    if args.quick:
        args.repeats, args.scale, args.seconds = 1, 0.05, 2

    try:
        found = peers.ensure([PEER, "local_cas_server"] if {"http", "server"} & set(args.rows) else [PEER])
    except peers.PeersError as error:
        print(f"peer: {error}", file=sys.stderr)
        return 1
    end_as_by_interrupt()
    xet = args.xet.resolve()
    work, where = measuring.work_folder()
    stores, stores_where = measuring.store_folder()
    try:
        theirs = InPython(PEER, found[PEER], work)
        sides = [Ours(xet, work), theirs]
        data = measuring.make_data(work, xet.with_name("e2e_generate"), args.scale)
        print(f"libxet against {PEER}; medians of {args.repeats} runs in turn, least and most in parentheses.")
        print(f"Data in {where}; {os.cpu_count()} cores. ratio: their time to ours.")
        idle_mb = theirs.idle_mb()
        print(
            f"CPU: user and system seconds per GB. MB: peak resident memory; Python with hf-xet idle has {idle_mb:.0f}."
        )
        if "local" in args.rows:
            print("\n## A store in a directory, in the same place as the data\n", flush=True)
            peer_local.print_table(peer_local.compare(sides, data, args.repeats), PEER)
        if args.rows != ["local"]:
            servers = peer_http.Servers(args.servers, stores, xet, found.get("local_cas_server"))
            print(f"\nStores of the servers are in {stores_where}. `memory` keeps nothing on a disk.")
        if "http" in args.rows:
            results = peer_http.compare(sides, servers, data, args.repeats)
            print("\n## The clients, over HTTP\n")
            peer_http.print_clients(results, args.servers)
            print("\n## The servers, over HTTP\n", flush=True)
            peer_http.print_servers(results, args.servers)
        if "python" in args.rows:
            print("\n## Through Python\n", flush=True)
            ours = InPython(peer_python.NAME, peer_python.environment(args.python), work)
            peer_python.run([ours, theirs], servers, data, args.repeats)
        if "server" in args.rows:
            print("\n## The servers alone\n", flush=True)
            peer_server.run(work, stores, servers, theirs, data, args.repeats, args.seconds)
    finally:
        shutil.rmtree(work, ignore_errors=True)
        shutil.rmtree(stores, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
