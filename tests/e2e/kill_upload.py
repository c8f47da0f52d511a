"""Nothing that `xet upload` acknowledged is lost when it is killed.

Kills uploads to one local: store at random moments (XET_E2E_KILLS of them, default 200). Every file whose line
was read before the kill must come back byte for byte, then and at the end; afterwards the store takes an
upload of everything.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import random
import signal
import subprocess
import threading
import time
import unittest
from pathlib import Path

from support import KINDS, PROGRAM, FolderTest, Spec, generate, log_uniform, sha256, xet

N_KILLS = int(os.environ.get("XET_E2E_KILLS", "200"))
SEED = int(os.environ.get("XET_E2E_SEED", "271828"))
N_FILES = 60


# The smallest pipe: a few lines fill it, and the program waits in the middle of its acknowledgements.
PIPE_BYTES = 4096


class Upload:
    """An upload under way, in a process of its own, with its output in a pipe that is nobody else's to read."""

    def __init__(self, store: Path, paths: list[Path]) -> None:
        command = [str(PROGRAM), "upload", "--json", "-q", "-e", f"local:{store}", *map(str, paths)]
        self._process = subprocess.Popen(command, bufsize=0, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self._output = b""
        fcntl.fcntl(self._process.stdout, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    def read(self, min_lines: float = float("inf")) -> None:
        """Reads until there are so many lines, or to the end."""
        while self._output.count(b"\n") < min_lines:
            piece = self._process.stdout.read(256)
            if not piece:
                return
            self._output += piece

    def read_for(self, seconds: float) -> None:
        """Reads for this time, or to the end."""
        reader = threading.Thread(target=self.read)
        reader.start()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=seconds)
        self._process.kill()
        reader.join()

    def kill(self) -> tuple[list[dict], bool]:
        """The acknowledged files, also those whose lines were written and not read before the kill; and whether
        the upload had ended by itself."""
        self._process.kill()
        self.read()
        code = self._process.wait()
        self._process.stdout.close()
        if code not in (0, -signal.SIGKILL):
            raise AssertionError(f"upload failed by itself with {code}; what it said stands above")
        events = [json.loads(line) for line in self._output.splitlines(keepends=True) if line.endswith(b"\n")]
        return [e for e in events if e["event"] == "file"], code == 0


class KillUpload(FolderTest):
    def setUp(self) -> None:
        super().setUp()
        print(f"seed {SEED}, {N_KILLS} kills")
        self.random = random.Random(SEED)
        self.store = self.folder / "store"
        sources = self.folder / "sources"
        sources.mkdir()
        specs = [
            Spec(self.random.choice(KINDS), log_uniform(self.random, 1, 12_000_000), self.random.getrandbits(32))
            for _ in range(N_FILES)
        ]
        self.paths = generate(sources, specs)
        # Copies with a piece put in, so that uploads deduplicate against each other and against what was killed.
        for i, path in enumerate(self.paths[: N_FILES // 2]):
            data = path.read_bytes()
            cut = self.random.randrange(len(data) + 1)
            edited = path.with_name(f"{path.name}-edited-{i}")
            edited.write_bytes(data[:cut] + self.random.randbytes(1000) + data[cut:])
            self.paths.append(edited)
        self.sums = {str(path): sha256(path) for path in self.paths}

    def assert_readable(self, events: list[dict]) -> None:
        """Each acknowledged file comes back as it was uploaded."""
        for event in events:
            out = self.folder / "read-back"
            self.assert_done(xet("download", "-q", "-e", f"local:{self.store}", event["xet_hash"], "-o", out))
            self.assertEqual(sha256(out), self.sums[event["path"]], event)
            out.unlink()

    def test_acknowledged_files_survive(self) -> None:
        kept: dict[str, dict] = {}
        n_finished = n_with_some = n_between = 0
        usual_s = 0.1
        for i in range(N_KILLS):
            amid_lines = i % 4 == 3
            n_chosen = self.random.randint(30, 60) if amid_lines else self.random.randint(1, 10)
            chosen = self.random.sample(self.paths, n_chosen)
            # One small file of its own, so that no upload finds all of its content in the store.
            own = self.folder / "own"
            own.write_bytes(self.random.randbytes(log_uniform(self.random, 1, 2_000_000)))
            self.sums[str(own)] = sha256(own)
            started = time.monotonic()
            upload = Upload(self.store, [own, *chosen])
            if amid_lines:
                upload.read(min_lines=self.random.randint(1, 10))
            else:
                upload.read_for(self.random.uniform(0, 1.3 * usual_s))
            acknowledged, finished = upload.kill()
            if finished:
                usual_s = 0.8 * usual_s + 0.2 * (time.monotonic() - started)
            elif not amid_lines:
                # Killed too early to learn how long it takes: look later the next times.
                usual_s *= 1.02
            n_finished += finished
            n_with_some += bool(acknowledged)
            n_between += bool(acknowledged) and not finished
            self.assert_readable(acknowledged)
            kept |= {e["path"]: e for e in acknowledged if e["path"] != str(own)}
        print(f"{n_finished} of {N_KILLS} ended before the kill; {n_with_some} had acknowledged files,")
        print(f"{n_between} of these were killed amid their acknowledgements")
        self.assertGreater(n_between, N_KILLS // 20, "hardly any upload was killed amid its acknowledgements")
        self.assertGreater(N_KILLS - n_finished, N_KILLS // 5, "hardly any upload was killed")

        self.assert_readable(list(kept.values()))
        everything = self.assert_done(xet("upload", "--json", "-q", "-e", f"local:{self.store}", *self.paths))
        self.assertEqual(len(everything.of("file")), len(self.paths))
        self.assert_readable(everything.of("file"))


if __name__ == "__main__":
    unittest.main()
