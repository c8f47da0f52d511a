"""Nothing that `xet upload` acknowledged is lost when it is killed.

Kills uploads to one local: store at random moments (XET_E2E_KILLS of them, default 200). Every file whose line
was read before the kill must come back byte for byte, then and at the end; afterwards the store takes an
upload of everything.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import threading
import time
import unittest
from dataclasses import dataclass
from pathlib import Path

from support import KINDS, PROGRAM, FolderTest, Spec, generate, log_uniform, sha256, xet

N_KILLS = int(os.environ.get("XET_E2E_KILLS", "200"))
SEED = int(os.environ.get("XET_E2E_SEED", "271828"))
N_FILES = 60


@dataclass
class Killed:
    """An upload that was killed, or had ended by itself before."""

    acknowledged: list[dict]
    finished: bool


def upload_and_kill(store: Path, paths: list[Path], after_s: float) -> Killed:
    """Uploads and kills after this time. Only whole lines count as acknowledged."""
    command = [str(PROGRAM), "upload", "--json", "-q", "-e", f"local:{store}", *map(str, paths)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    output: list[bytes] = []
    reader = threading.Thread(target=lambda: output.extend(process.stdout))
    reader.start()
    try:
        process.wait(timeout=after_s)
    except subprocess.TimeoutExpired:
        process.kill()
    process.wait()
    reader.join()
    errors = process.stderr.read().decode()
    process.stdout.close()
    process.stderr.close()
    if process.returncode not in (0, -9):
        raise AssertionError(f"upload failed by itself with {process.returncode}: {errors}")
    events = [json.loads(line) for line in output if line.endswith(b"\n")]
    return Killed([e for e in events if e["event"] == "file"], process.returncode == 0)


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
        n_finished = n_with_some = 0
        usual_s = 0.1
        for _ in range(N_KILLS):
            chosen = self.random.sample(self.paths, self.random.randint(1, 10))
            # One small file of its own, so that no upload finds all of its content in the store.
            own = self.folder / "own"
            own.write_bytes(self.random.randbytes(log_uniform(self.random, 1, 2_000_000)))
            self.sums[str(own)] = sha256(own)
            started = time.monotonic()
            killed = upload_and_kill(self.store, [own, *chosen], self.random.uniform(0, 1.3 * usual_s))
            if killed.finished:
                usual_s = 0.8 * usual_s + 0.2 * (time.monotonic() - started)
            else:
                # Killed too early to learn how long it takes: look later the next times.
                usual_s *= 1.02
            n_finished += killed.finished
            n_with_some += bool(killed.acknowledged)
            self.assert_readable(killed.acknowledged)
            kept |= {e["path"]: e for e in killed.acknowledged if e["path"] != str(own)}
        print(f"{n_finished} of {N_KILLS} ended before the kill, {n_with_some} had acknowledged files")
        self.assertGreater(n_with_some, 0, "no upload lived long enough to acknowledge anything")
        self.assertGreater(N_KILLS - n_finished, N_KILLS // 5, "hardly any upload was killed")

        self.assert_readable(list(kept.values()))
        everything = self.assert_done(xet("upload", "--json", "-q", "-e", f"local:{self.store}", *self.paths))
        self.assertEqual(len(everything.of("file")), len(self.paths))
        self.assert_readable(everything.of("file"))


if __name__ == "__main__":
    unittest.main()
