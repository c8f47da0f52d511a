"""One of the many clients: it uploads, commits and reads, in a mixture that its seed decides."""

from __future__ import annotations

import base64
import json
import random
import threading
from pathlib import Path

from connection import Connection
from content import Content, Contents
from errors import Interrupted, Wrong
from figures import Figures
from hub import Site
from journal import Attempt, Journal
from transfers import Reader, XetProgram, upload_by_lfs

# Names of a client's own files in each repository; each is written over and over.
N_TEXTS, N_XET, N_LFS = 4, 2, 2
# Files that all clients write.
N_CONTESTED = 8
# Contents that clients may have in common.
N_COMMON = 200

_WRITES = 0.45
_ONTO_HEAD = 0.3
_LARGE_BYTES = 20_000_000


class Client:
    def __init__(
        self, name: str, site: Site, token: str, journals: list[Journal], contents: Contents, seed: int, folder: Path
    ) -> None:
        self.name = name
        self._site = site
        self._token = token
        self._journals = journals
        self._contents = contents
        self._seed = seed
        self._random = random.Random(f"{seed} {name}")
        self._program = XetProgram(site, folder / name)
        self._reader = Reader(contents, self._program, self._random)
        # What a path of our own holds now. Several, when an answer was lost: one of them.
        self._own: dict[tuple[Journal, str], tuple[Content | None, ...]] = {}
        self._n_attempts = 0

    def run(self, figures: Figures, stop: threading.Event) -> None:
        connection = Connection(self._site, self._token, figures)
        try:
            while not stop.is_set():
                step = self._write if self._random.random() < _WRITES else self._read
                step(connection, stop)
        finally:
            connection.close()

    # --- Writing

    def _write(self, connection: Connection, stop: threading.Event) -> None:
        journal = self._random.choice(self._journals)
        changes = self._choose_changes(journal)
        data = {path: self._contents.data(content) for path, content in changes.items() if content}
        while True:
            try:
                head = self._preupload(connection, journal, changes, data)
                self._upload(connection, journal, changes, data)
                self._commit(connection, journal, changes, data, head)
                return
            except Interrupted:
                connection.figures.count("interrupted")
                self._site.wait_until_up()
                if stop.is_set():
                    return
                # What a lost commit has deleted cannot be deleted again.
                changes = {path: content for path, content in changes.items() if content}

    def _choose_changes(self, journal: Journal) -> dict[str, Content | None]:
        source = self._random
        names = [f"{self.name}/text/{source.randrange(N_TEXTS)}.json" for _ in range(source.randint(0, 2))]
        if source.random() < 0.3:
            names.append(f"contested/{source.randrange(N_CONTESTED)}.json")
        if source.random() < 0.3:
            names += [f"{self.name}/xet/{source.randrange(N_XET)}.bin" for _ in range(source.randint(1, 2))]
        if source.random() < 0.3:
            names.append(f"{self.name}/lfs/{source.randrange(N_LFS)}.bin")
        changes: dict[str, Content | None] = {name: self._choose_content(name) for name in names}
        if source.random() < 0.1:
            there = [path for (of, path), held in self._own.items() if of is journal and len(held) == 1 and held[0]]
            if there and (path := source.choice(there)) not in changes:
                changes[path] = None
        return changes

    def _choose_content(self, path: str) -> Content:
        source = self._random
        if path.endswith(".json"):
            return Content(source.getrandbits(48), _log_uniform(source, 1_000, 60_000), is_text=True)
        if source.random() < 0.15:
            # Also its size follows from the seed, so that those who choose it have the same file.
            seed = source.randrange(N_COMMON)
            return Content(seed, _log_uniform(random.Random(f"{self._seed} {seed}"), 1_000, 2_000_000), is_text=False)
        size = _LARGE_BYTES if source.random() < 0.015 else _log_uniform(source, 1_000, 2_000_000)
        return Content(source.getrandbits(48), size, is_text=False)

    def _preupload(
        self, connection: Connection, journal: Journal, changes: dict[str, Content | None], data: dict[str, bytes]
    ) -> str:
        """The head of the branch, as it is told together with how to upload what."""
        files = [
            {"path": path, "size": len(bytes_), "sample": base64.b64encode(bytes_[:512]).decode()}
            for path, bytes_ in data.items()
        ]
        told = connection.ask("preupload", "POST", f"{journal.repository.api}/preupload/main", {"files": files}).json()
        modes = {answer["path"]: answer["uploadMode"] for answer in told["files"]}
        wanted = {path: "regular" if content.is_text else "lfs" for path, content in changes.items() if content}
        if modes != wanted:
            raise Wrong(f"preupload was answered with {modes}, not with {wanted}")
        return told["commitOid"]

    def _upload(
        self, connection: Connection, journal: Journal, changes: dict[str, Content | None], data: dict[str, bytes]
    ) -> None:
        by_xet, by_lfs = {}, {}
        for path, content in changes.items():
            if content and not content.is_text:
                (by_xet if "/xet/" in path else by_lfs)[self._contents.id(content)] = data[path]
        if by_xet:
            self._program.upload(connection, journal.repository, by_xet)
        if by_lfs:
            upload_by_lfs(connection, journal.repository, by_lfs)

    def _commit(
        self,
        connection: Connection,
        journal: Journal,
        changes: dict[str, Content | None],
        data: dict[str, bytes],
        head: str,
    ) -> None:
        """Onto whatever is there, or onto the head only; then, when it has moved, onto the new one."""
        onto_head = self._random.random() < _ONTO_HEAD
        while True:
            attempt = self._begin(journal, changes, head if onto_head else None)
            answer = self._send(connection, journal, attempt, data)
            if answer is not None:
                break
            connection.figures.count("412")
            head = _head(connection, journal)
        journal.acknowledge(attempt, answer)
        connection.figures.count("commits")
        self._learn(journal, attempt)

    def _begin(self, journal: Journal, changes: dict[str, Content | None], parent: str | None) -> Attempt:
        """With a file that no other attempt has: so each changes something, and makes a commit."""
        self._n_attempts += 1
        title = f"{self.name} {self._n_attempts}"
        note = Content(random.Random(f"{self._seed} {title}").getrandbits(48), 1_000, is_text=True)
        return journal.begin(title, {**changes, f"{self.name}/note.json": note}, parent)

    def _send(self, connection: Connection, journal: Journal, attempt: Attempt, data: dict[str, bytes]) -> str | None:
        """The id of the commit; None when the head has moved. When the answer does not come, that is noted."""
        header = {"summary": attempt.title, "description": ""}
        if attempt.parent:
            header["parentCommit"] = attempt.parent
        lines = [{"key": "header", "value": header}]
        lines += [self._line(path, content, data) for path, content in attempt.changes.items()]
        body = b"\n".join(json.dumps(line).encode() for line in lines)
        try:
            answer = connection.ask(
                "commit",
                "POST",
                f"{journal.repository.api}/commit/main",
                body,
                headers={"Content-Type": "application/x-ndjson"},
                expect=(200, 412) if attempt.parent else (200,),
            )
        except Interrupted:
            journal.lose(attempt)
            for path, content in attempt.changes.items():
                if path.startswith(f"{self.name}/"):
                    held = self._own.get((journal, path), (None,))
                    self._own[journal, path] = (*held, content)
            raise
        if answer.status == 412:
            journal.refuse(attempt)
            return None
        told = answer.json()
        oid = told["commitOid"]
        if told["success"] is not True or not told["commitUrl"].endswith(f"{journal.repository.name}/commit/{oid}"):
            raise Wrong(f"a commit was answered with {told}")
        return oid

    def _line(self, path: str, content: Content | None, data: dict[str, bytes]) -> dict:
        if content is None:
            return {"key": "deletedFile", "value": {"path": path}}
        if content.is_text:
            text = base64.b64encode(data[path] if path in data else self._contents.data(content)).decode()
            return {"key": "file", "value": {"path": path, "content": text, "encoding": "base64"}}
        value = {"path": path, "algo": "sha256", "oid": self._contents.id(content), "size": content.size}
        return {"key": "lfsFile", "value": value}

    def _learn(self, journal: Journal, attempt: Attempt) -> None:
        for path, content in attempt.changes.items():
            if path.startswith(f"{self.name}/"):
                self._own[journal, path] = (content,)

    # --- Reading

    def _read(self, connection: Connection, stop: threading.Event) -> None:
        while True:
            try:
                return self._read_once(connection)
            except Interrupted:
                connection.figures.count("interrupted")
                self._site.wait_until_up()
                if stop.is_set():
                    return None

    def _read_once(self, connection: Connection) -> None:
        if self._own and self._random.random() < 0.3:
            # We have written it last, and nobody else does: also the branch has to have it.
            (journal, path), possible = self._random.choice(list(self._own.items()))
            self._reader.check_any(connection, journal.repository, "main", path, possible)
            return
        journal = self._random.choice(self._journals)
        attempt = journal.choose(self._random)
        if attempt is None:
            return
        path, content = self._random.choice(list(attempt.changes.items()))
        if content is None:
            self._reader.check_any(connection, journal.repository, attempt.oid, path, (None,))
            return
        ways = [self._reader.check, self._reader.check_range]
        if not content.is_text:
            ways.append(self._reader.check_by_xet)
        self._random.choice(ways)(connection, journal.repository, attempt.oid, path, content)


def _head(connection: Connection, journal: Journal) -> str:
    told = connection.ask("refs", "GET", f"{journal.repository.api}/refs").json()
    [head] = [branch["targetCommit"] for branch in told["branches"] if branch["name"] == "main"]
    return head


def _log_uniform(source: random.Random, low: float, high: float) -> int:
    """As many around 1 KB as around 1 MB."""
    return round(low * (high / low) ** source.random())
