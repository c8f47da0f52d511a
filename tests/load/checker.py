"""Whether the server has what it acknowledged, all of it and nothing else, byte for byte."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from connection import Connection
from content import Content, Contents
from errors import Wrong
from figures import Figures
from hub import Site
from journal import Attempt, Journal, Repository, State
from transfers import Reader, XetProgram

N_READERS = 8
# After a restart: of the newest acknowledged commits, and of any, in each repository.
_N_NEWEST, _N_ANY = 3, 2
# In the end: revisions of which all is compared that is listed, commits of which all files are read.
_N_REVISIONS, _N_COMMITS = 5, 30

Tree = dict[str, Content]


class Branch:
    """The history of `main` as it is listed, compared with what was asked for. Position 0 is the first commit."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.oids = [journal.first]
        self.attempts: list[Attempt | None] = [None]
        self.positions = {journal.first: 0}
        self._titles: set[str] = set()

    def read_on(self, connection: Connection) -> None:
        """Takes in what has come since the last time. What was there then has to be there still."""
        newer = []
        for page in connection.pages("commits", f"{self._journal.repository.api}/commits/main"):
            for commit in page:
                if commit["id"] == self.oids[-1]:
                    for each in reversed(newer):
                        self._add(each["id"], each["title"])
                    return
                newer.append(commit)
        raise Wrong(f"{self}: the commit {self.oids[-1]} was in the history and no longer is")

    def check_all_there(self, acknowledged: Iterable[Attempt]) -> None:
        for attempt in acknowledged:
            if attempt.oid not in self.positions:
                raise Wrong(f"{self}: the commit {attempt.oid} ('{attempt.title}') was acknowledged and is lost")

    def check_refused(self, refused: Iterable[Attempt]) -> None:
        for attempt in refused:
            if attempt.parent == self.oids[-1]:
                raise Wrong(f"{self}: '{attempt.title}' was refused, though its parent {attempt.parent} is the head")

    def tree(self, position: int) -> Tree:
        """What the repository holds after that commit, besides what it began with."""
        out: Tree = {}
        for attempt in self.attempts[1 : position + 1]:
            for path, content in attempt.changes.items():
                if content is None:
                    out.pop(path, None)
                else:
                    out[path] = content
        return out

    def _add(self, oid: str, title: str) -> None:
        attempt = self._journal.find(title)
        if attempt is None:
            raise Wrong(f"{self}: nobody asked for the commit {oid}, '{title}'")
        if attempt.state is State.REFUSED:
            raise Wrong(f"{self}: '{title}' was {attempt.state.value}, and {oid} is in the history all the same")
        if attempt.state is State.ACKNOWLEDGED and attempt.oid != oid:
            raise Wrong(f"{self}: '{title}' was acknowledged as {attempt.oid} and is in the history as {oid}")
        if oid in self.positions or title in self._titles:
            raise Wrong(f"{self}: '{title}' ({oid}) is in the history twice")
        if attempt.parent is not None and attempt.parent != self.oids[-1]:
            raise Wrong(f"{self}: '{title}' was to follow {attempt.parent} only, and follows {self.oids[-1]}")
        if attempt.after not in self.positions:
            raise Wrong(f"{self}: '{title}' stands before {attempt.after}, which was acknowledged earlier")
        self.positions[oid] = len(self.oids)
        self.oids.append(oid)
        self.attempts.append(attempt)
        self._titles.add(title)

    def __str__(self) -> str:
        return self._journal.repository.name


@dataclass(frozen=True)
class _File:
    repository: Repository
    revision: str
    path: str
    content: Content | None


class Checker:
    def __init__(
        self, site: Site, token: str, journals: list[Journal], contents: Contents, seed: int, folder: Path
    ) -> None:
        self._site = site
        self._token = token
        self._journals = journals
        self._contents = contents
        self._random = random.Random(f"checker {seed}")
        self._programs = [XetProgram(site, folder / f"checker-{i}") for i in range(N_READERS)]
        self._branches = [Branch(journal) for journal in journals]

    def after_restart(self, figures: Figures) -> None:
        """What was acknowledged is in the history, and some of it is read, while clients go on."""
        connection = Connection(self._site, self._token, figures)
        try:
            reader = Reader(self._contents, self._programs[0], self._random)
            for journal, branch in zip(self._journals, self._branches, strict=True):
                acknowledged = journal.acknowledged()
                branch.read_on(connection)
                branch.check_all_there(acknowledged)
                some = acknowledged[-_N_NEWEST:] + self._sample(acknowledged, _N_ANY)
                for file in _files(journal.repository, some):
                    _check(connection, reader, file)
        finally:
            connection.close()

    def everything(self, figures: Figures) -> str:
        """While nobody else does anything. Says what was looked at."""
        branches = [Branch(journal) for journal in self._journals]
        n_revisions = n_lost = n_landed = 0
        files: list[_File] = []

        def check_branch(connection: Connection, _: Reader, branch: Branch, journal: Journal) -> None:
            branch.read_on(connection)
            branch.check_all_there(journal.acknowledged())
            branch.check_refused(journal.in_state(State.REFUSED))

        self._all(figures, check_branch, list(zip(branches, self._journals, strict=True)))
        trees = []
        for branch, journal in zip(branches, self._journals, strict=True):
            lost = journal.in_state(State.LOST)
            landed = []
            for oid, attempt in zip(branch.oids[1:], branch.attempts[1:], strict=True):
                if attempt.state is State.LOST:
                    attempt.oid = oid
                    landed.append(attempt)
            n_lost, n_landed = n_lost + len(lost), n_landed + len(landed)
            last = len(branch.oids) - 1
            for position in {last, *self._sample(range(last), _N_REVISIONS)}:
                trees.append((journal, branch.oids[position], branch.tree(position)))
            sampled = self._sample(journal.acknowledged(), _N_COMMITS)
            files += _files(journal.repository, [*landed, *sampled])
            files += [
                _File(journal.repository, branch.oids[last], path, content)
                for path, content in branch.tree(last).items()
            ]
        n_revisions = len(trees)
        self._all(figures, self._check_tree, trees)
        self._all(figures, _check, [(file,) for file in files])
        # From here on only what comes is looked at after a restart.
        self._branches = branches
        n_commits = sum(len(branch.oids) - 1 for branch in branches)
        lost_text = f", {n_landed} of {n_lost} without an answer among them" if n_lost else ""
        n_bytes = sum(file.content.size for file in files if file.content)
        return (
            f"{n_commits} commits are there{lost_text}; {n_revisions} revisions are what they should be; "
            f"{len(files)} files, {n_bytes / 1e6:.0f} MB, read back"
        )

    def _check_tree(self, connection: Connection, _: Reader, journal: Journal, revision: str, tree: Tree) -> None:
        """Names, sizes and ids."""
        found = {}
        for page in connection.pages("tree", f"{journal.repository.api}/tree/{revision}?recursive=true"):
            for entry in page:
                if entry["type"] == "file":
                    found[entry["path"]] = (entry["size"], entry.get("lfs", entry)["oid"])
        wanted = journal.given | {path: (content.size, self._contents.id(content)) for path, content in tree.items()}
        if found == wanted:
            return
        for path in sorted(found.keys() | wanted.keys()):
            if found.get(path) != wanted.get(path):
                told = f"{path} is {found.get(path)}, not {wanted.get(path)}"
                raise Wrong(f"{journal.repository.name} at {revision}: {told}")

    def _sample(self, of: list | range, n: int) -> list:
        return self._random.sample(of, min(n, len(of)))

    def _all(self, figures: Figures, work: Callable, items: list[tuple]) -> None:
        """In a few threads, each with a connection and a program of its own."""

        def some(number: int) -> None:
            connection = Connection(self._site, self._token, figures)
            reader = Reader(self._contents, self._programs[number], random.Random(number))
            try:
                for item in items[number::N_READERS]:
                    work(connection, reader, *item)
            finally:
                connection.close()

        with ThreadPoolExecutor(N_READERS) as pool:
            for done in [pool.submit(some, number) for number in range(N_READERS)]:
                done.result()


def _files(repository: Repository, attempts: list[Attempt]) -> list[_File]:
    return [
        _File(repository, attempt.oid, path, content)
        for attempt in attempts
        for path, content in attempt.changes.items()
    ]


def _check(connection: Connection, reader: Reader, file: _File) -> None:
    reader.check_any(connection, file.repository, file.revision, file.path, (file.content,))
