"""The installed library, program and headers, as somebody else's build sees them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

BUILD = Path(sys.argv.pop(1))
CONSUMER = Path(__file__).parent / "consumer"


def run(*command: str | Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, env={**os.environ, **(env or {})}
    )
    if done.returncode != 0:
        raise AssertionError(f"{command} gave {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done.stdout


class Installed(unittest.TestCase):
    def setUp(self) -> None:
        self.temp = tempfile.TemporaryDirectory()
        self.addCleanup(self.temp.cleanup)
        self.root = Path(self.temp.name)
        self.prefix = self.root / "prefix"
        run("cmake", "--install", BUILD, "--prefix", self.prefix)
        self.library = next(self.prefix.rglob("libxet.so"))

    def check(self, program: Path) -> None:
        out = run(program, self.root / "store", env={"LD_LIBRARY_PATH": str(self.library.parent)})
        self.assertRegex(out, r"^[0-9a-f]{64}\n$")

    def test_find_package(self) -> None:
        run("cmake", "-S", CONSUMER, "-B", self.root / "build", f"-DCMAKE_PREFIX_PATH={self.prefix}")
        run("cmake", "--build", self.root / "build")
        self.check(self.root / "build" / "consumer")

    def test_pkg_config(self) -> None:
        pc = next(self.prefix.rglob("xet.pc"))
        flags = run("pkg-config", "--cflags", "--libs", "xet", env={"PKG_CONFIG_PATH": str(pc.parent)})
        program = self.root / "by_pkg_config"
        run("c++", CONSUMER / "consumer.cc", "-o", program, *flags.split())
        self.check(program)

    def test_program_runs_and_only_public_symbols_show(self) -> None:
        self.assertIn("upload", run(self.prefix / "bin" / "xet", "--help"))
        symbols = run("nm", "-DC", "--defined-only", self.library).splitlines()
        ours = [line for line in symbols if " xet::" in line]
        self.assertTrue(any("xet::UploadSession::commit" in line for line in ours))
        inner = [line for line in ours if "xet::session::" in line or "xet::store::" in line]
        self.assertEqual(inner, [])
        self.assertFalse([line for line in symbols if "blake3" in line or "sqlite3" in line])


if __name__ == "__main__":
    unittest.main()
