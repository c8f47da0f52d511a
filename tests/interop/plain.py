"""Clients that know nothing of Xet against the Hub that `xet serve` is: curl, wget, git lfs."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

from hub_server import USER, Hub, run
from matrix import Matrix
from report import Report

REPOSITORY = f"{USER}/plain"
LARGE = 20_000_000


def commit(hub: Hub, path: str, oid: str) -> None:
    lines = ({"key": "header", "value": {"summary": path}}, {"key": "lfsFile", "value": {"path": path, "oid": oid}})
    hub.call("POST", f"/api/models/{REPOSITORY}/commit/main", "\n".join(map(json.dumps, lines)).encode())


def git_lfs(hub: Hub, folder: Path, data: bytes) -> None:
    """Pushes to a bare repository, the large file to the Hub; clones and pulls it."""
    home = {"HOME": str(folder), "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1"}
    with_token = hub.url.replace("http://", f"http://any:{hub.token}@")

    def git(*arguments: str | Path, cwd: Path = folder) -> None:
        run("git", *arguments, cwd=cwd, env=home)

    git("config", "--global", "user.name", "a")
    git("config", "--global", "user.email", "a@localhost")
    git("config", "--global", "lfs.url", f"{with_token}/{REPOSITORY}.git/info/lfs")
    git("lfs", "install", "--skip-repo")
    git("init", "--quiet", "--bare", "bare")
    git("clone", "--quiet", "bare", "one")
    git("lfs", "track", "*.bin", cwd=folder / "one")
    (folder / "one/large.bin").write_bytes(data)
    git("add", "-A", cwd=folder / "one")
    git("commit", "--quiet", "-m", "large", cwd=folder / "one")
    git("push", "--quiet", "origin", "HEAD", cwd=folder / "one")
    git("clone", "--quiet", "bare", "two")
    assert (folder / "two/large.bin").read_bytes() == data, "another content after git lfs pull"


def resumed(hub: Hub, folder: Path, data: bytes, *command: str) -> None:
    """The rest of a file of which the first part is there."""
    path = folder / f"{command[0]}-part"
    path.write_bytes(data[: LARGE // 3])
    url = f"{hub.url}/{REPOSITORY}/resolve/main/large.bin"
    run(*(word.format(url=url, path=path) for word in command))
    assert path.read_bytes() == data, f"another content after {command[0]} went on"


def run_part(matrix: Matrix, report: Report) -> None:
    print("\nclients without Xet\n", flush=True)
    data = random.Random(5).randbytes(LARGE)
    oid = hashlib.sha256(data).hexdigest()
    here = report.cell("server", "xet-serve", "as a Hub")
    with here, matrix.server("xet-serve", auth=True) as server, matrix.fresh() as folder:
        hub = Hub(server, matrix.program)
        hub.call("POST", "/api/repos/create", json.dumps({"name": REPOSITORY}).encode())
        with report.cell("git lfs", "pushes and pulls"):
            git_lfs(hub, folder, data)
            commit(hub, "large.bin", oid)
        url = f"{hub.url}/{REPOSITORY}/resolve/main/large.bin"
        with report.cell("curl", "whole"):
            run("curl", "-fsSL", url, "-o", folder / "whole")
            assert (folder / "whole").read_bytes() == data, "another content"
        with report.cell("curl", "resumed"):
            resumed(hub, folder, data, "curl", "-fsSL", "-C", "-", "{url}", "-o", "{path}")
        with report.cell("curl", "a range, with the token as a password"):
            range_ = ("-r", "1000000-1999999", "-u", f"any:{hub.token}")
            run("curl", "-fsSL", *range_, url, "-o", folder / "range")
            assert (folder / "range").read_bytes() == data[1_000_000:2_000_000], "another content"
        with report.cell("wget", "resumed"):
            resumed(hub, folder, data, "wget", "-q", "-c", "{url}", "-O", "{path}")
