#!/usr/bin/env python3
"""Many clients on one `xet serve`, first undisturbed, then while it is killed and started again.

    tests/load/run.py --xet build/release/bin/xet                            ten minutes, then 50 kills
    tests/load/run.py --xet build/release/bin/xet --seconds 60 --kills 5     as CI does

Exit code 0 only if everything held; otherwise the last line says what did not, and the seed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[1:1] = [str(ROOT / "tools"), str(ROOT / "tests/e2e")]

from checker import Checker  # noqa: E402
from client import Client  # noqa: E402
from connection import Connection  # noqa: E402
from content import Contents  # noqa: E402
from errors import Wrong  # noqa: E402
from figures import Figures  # noqa: E402
from hub import Site, Taken, Watch  # noqa: E402
from journal import Journal, Repository  # noqa: E402
from servers import ServerError, end_as_by_interrupt  # noqa: E402

SHARED = "team"
REPOSITORIES = [
    *(Repository("models", f"{SHARED}/model-{i}") for i in range(6)),
    Repository("datasets", f"{SHARED}/data"),
    Repository("datasets", f"{SHARED}/secret", private=True),
]
N_USERS = 8
# Several times what is measured (README.md), so that only a leak gets there.
MAX_RSS_MB = 512
MAX_MORE_THREADS = 8
# Each thread of the server may have a connection of its own to the database, which has two files.
DATABASES_PER_THREAD = 2
SETTLE_LIMIT_S = 30
MAX_UNTIL_KILL_S = 5.0
CHECK_STORE_EVERY = 10
KILL_TWICE_EVERY = 5
# With fewer clients it may be that none gets in the way of another, or of a kill.
MANY = 8
# What a server may write to stderr.
EXPECTED_NOTES = ("note: a token for everything is in ", "note: requests that had not ended after 10 seconds")


class Crowd:
    """All clients at once, while the body runs. The first thing that goes wrong for one of them ends it."""

    def __init__(self, clients: list[Client], figures: Figures) -> None:
        self._figures = figures
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._failed: BaseException | None = None
        self._threads = [threading.Thread(target=self._run, args=(client,), name=client.name) for client in clients]

    def __enter__(self) -> Crowd:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        self._stop.set()
        self._figures.stop()
        for thread in self._threads:
            thread.join()
        if kind is None and self._failed:
            raise self._failed

    def wait(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise self._failed

    def _run(self, client: Client) -> None:
        try:
            client.run(self._figures, self._stop)
        except BaseException as failed:
            with self._lock:
                self._failed = self._failed or failed
            self._stop.set()


class Run:
    """One run on one server."""

    def __init__(self, site: Site, folder: Path, n_clients: int, seed: int) -> None:
        self._site = site
        self._random = random.Random(f"kills {seed}")
        tokens = [self._add_user(f"user{i}") for i in range(min(N_USERS, n_clients))]
        journals = self._create_repositories(tokens[0])
        contents = Contents(seed)
        self._clients = [
            Client(f"c{i:03}", site, tokens[i % len(tokens)], journals, contents, seed, folder)
            for i in range(n_clients)
        ]
        self._checker = Checker(site, tokens[0], journals, contents, seed, folder)
        self._most = Taken()

    def load(self, seconds: float) -> None:
        before = self._site.taken()
        print(f"the server takes {before} at first", flush=True)
        figures = Figures()
        with Watch(self._site) as watch, Crowd(self._clients, figures) as crowd:
            crowd.wait(seconds)
        print(f"{len(self._clients)} clients: {figures.summary()}\n{figures.table()}", flush=True)
        after = self._settled(before)
        print(f"the server took at most {watch.most}, and takes {after} afterwards", flush=True)
        self._check_taken(watch.most)
        if len(self._clients) >= MANY and not figures["412"]:
            raise Wrong("no commit got in the way of another one, so that was not tried")
        print(self._checker.everything(Figures()), flush=True)

    def kill(self, n_kills: int) -> None:
        figures = Figures()
        slowest_s = 0.0
        with Watch(self._site) as watch, Crowd(self._clients, figures) as crowd:
            for number in range(1, n_kills + 1):
                crowd.wait(self._random.uniform(0, MAX_UNTIL_KILL_S))
                deep = number == n_kills or number % CHECK_STORE_EVERY == 0
                with self._site.killed(twice=number % KILL_TWICE_EVERY == 0):
                    if deep:
                        print(f"kill {number}: {self._site.check_store()}", flush=True)
                    began = time.monotonic()
                slowest_s = max(slowest_s, time.monotonic() - began)
                self._checker.after_restart(figures)
            crowd.wait(MAX_UNTIL_KILL_S)
        told = f"{figures['interrupted']} times a client had to begin again, the slowest start took {slowest_s:.2f} s"
        print(f"{n_kills} kills: {figures.summary()}; {told}", flush=True)
        print(f"the servers took at most {watch.most}", flush=True)
        self._check_taken(watch.most)
        if len(self._clients) >= MANY and not figures["interrupted"]:
            raise Wrong("no client noticed a kill, so that was not tried")
        print(self._checker.everything(Figures()), flush=True)

    def close(self) -> None:
        """Stops the server as its owner would."""
        self._site.stop()
        print(f"stopped: {self._site.check_store()}", flush=True)
        if unexpected := [note for note in self._site.notes() if not note.startswith(EXPECTED_NOTES)]:
            raise Wrong(f"the server noted {len(unexpected)} unexpected things, the first is: {unexpected[0]}")

    def summary(self) -> str:
        return f"at most {self._most}"

    def _add_user(self, name: str) -> str:
        self._site.admin("user", "add", name)
        words = ("token", "create", "--user", name, "--role", "write", "--namespace", SHARED)
        return self._site.admin(*words).strip()

    def _create_repositories(self, token: str) -> list[Journal]:
        figures = Figures()
        journals = []
        with contextlib.closing(Connection(self._site, token, figures)) as connection:
            for repository in REPOSITORIES:
                wanted = {"name": repository.name, "type": repository.kind[:-1], "private": repository.private}
                connection.ask("create", "POST", "/api/repos/create", wanted)
                [first] = connection.ask("commits", "GET", f"{repository.api}/commits/main").json()
                files = connection.ask("tree", "GET", f"{repository.api}/tree/main").json()
                given = {file["path"]: (file["size"], file["oid"]) for file in files}
                journals.append(Journal(repository, first["id"], given))
        with contextlib.closing(Connection(self._site, "", figures)) as connection:
            for repository in REPOSITORIES:
                # Who says nothing about himself sees what is public, and changes nothing.
                connection.ask("refs", "GET", f"{repository.api}/refs", expect=(404 if repository.private else 200,))
                connection.ask("commit", "POST", f"{repository.api}/commit/main", {}, expect=(401,))
        return journals

    def _settled(self, before: Taken) -> Taken:
        """What it takes when nobody asks for anything any more."""
        deadline = time.monotonic() + SETTLE_LIMIT_S
        while True:
            now = self._site.taken()
            if (
                now.descriptors <= before.descriptors
                and now.threads <= before.threads + MAX_MORE_THREADS
                and now.databases <= before.databases + DATABASES_PER_THREAD * now.threads
            ):
                return now
            if time.monotonic() > deadline:
                raise Wrong(f"{SETTLE_LIMIT_S} s after the load the server takes {now}, before it {before}")
            time.sleep(0.1)

    def _check_taken(self, most: Taken) -> None:
        self._most.grow(most)
        if most.rss_mb > MAX_RSS_MB:
            raise Wrong(f"the server took {most.rss_mb:.0f} MB of memory; {MAX_RSS_MB} MB are the bound")


def positive(text: str) -> int:
    if (number := int(text)) <= 0:
        raise argparse.ArgumentTypeError("has to be more than 0")
    return number


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--xet", type=Path, required=True, help="the program")
    parser.add_argument("--seconds", type=positive, default=600, help="of load without kills (600)")
    parser.add_argument("--clients", type=positive, default=64, help="(64)")
    parser.add_argument("--kills", type=int, default=50, help="while the load goes on (50)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(31), help="(random)")
    parser.add_argument("--keep", action="store_true", help="leave the files in place, and say where")
    args = parser.parse_args()
    if not args.xet.exists():
        print(f"load: there is no {args.xet}; `make load` builds it", file=sys.stderr)
        return 1

    end_as_by_interrupt()
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="xet-load-", dir=os.environ.get("XET_E2E_DIR")))
    print(f"seed {args.seed}", flush=True)
    site = Site(folder / "server", args.xet.resolve())
    try:
        with site:
            run = Run(site, folder / "clients", args.clients, args.seed)
            run.load(args.seconds)
            if args.kills > 0:
                run.kill(args.kills)
            run.close()
    except (Wrong, ServerError) as failed:
        print("\n".join(site.notes()[-20:]), flush=True)
        print(f"load: FAILED with --seed {args.seed}: {' / '.join(str(failed).splitlines())}")
        return 1
    except Exception:
        traceback.print_exc()
        print(f"load: FAILED with --seed {args.seed}: the test itself, see above")
        return 1
    finally:
        if args.keep:
            print(f"files are in {folder}", flush=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    took_s = time.monotonic() - started
    told = f"{args.clients} clients, {args.seconds} s and {args.kills} kills; {run.summary()}"
    print(f"load: everything held: {told}; took {took_s:.0f} s, seed {args.seed}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
