"""Fixtures. The module under test is whatever `import hf_xet` finds."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

# The module reads its environment when it is imported, and must not write into anybody's home.
_HOME = tempfile.TemporaryDirectory(prefix="xet-python-")
for _name in [n for n in os.environ if n.startswith(("HF_", "RUST_LOG", "TOKIO_"))]:
    del os.environ[_name]
os.environ["HOME"] = _HOME.name
os.environ["HF_XET_CACHE"] = str(Path(_HOME.name) / "cache")
# Requests that nobody asked for would be in the way of counting those that a test is about.
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

import hf_xet  # noqa: E402
import pytest  # noqa: E402
from differences import OURS  # noqa: E402
from scripted import Scripted  # noqa: E402
from servers import XetServe  # noqa: E402
from support import ROOT, Store  # noqa: E402


def pytest_report_header() -> str:
    return f"hf_xet: {'ours' if OURS else 'genuine'}, {hf_xet.__file__}"


def pytest_unconfigure() -> None:
    _HOME.cleanup()


@pytest.fixture(scope="session")
def program() -> Path:
    """The `xet` program, for a server. Without it the tests that need one fail."""
    path = Path(os.environ.get("XET_PROGRAM", ROOT / "build/release/bin/xet"))
    if not path.is_file():
        pytest.fail(f"there is no program {path}: build it with `make build`, or say in XET_PROGRAM where it is")
    return path


@pytest.fixture(scope="session")
def server(program, tmp_path_factory) -> XetServe:
    """`xet serve` with tokens, for all tests."""
    with XetServe(tmp_path_factory.mktemp("server"), program, auth=True) as running:
        yield running


@pytest.fixture(scope="session")
def http_store(server) -> Store:
    return Store("http", server.url, server.token("write"))


@pytest.fixture
def local_store(tmp_path) -> Store:
    return Store("local", f"local://{tmp_path / 'store'}")


@pytest.fixture(params=["local", "http"])
def store(request) -> Store:
    """A store in a directory, and one behind a server."""
    return request.getfixturevalue(f"{request.param}_store")


@pytest.fixture(scope="session")
def config() -> hf_xet.XetConfig:
    """Settings with which a failure shows soon."""
    return hf_xet.XetConfig().with_config({"client.retry_max_attempts": 1, "client.retry_base_delay": "1ms"})


@pytest.fixture(scope="session")
def session(config) -> hf_xet.XetSession:
    """One session for the tests that do not end theirs."""
    return hf_xet.XetSession(config)


@pytest.fixture
def scripted():
    """Starts servers that answer as a test says."""
    running = []

    def start(*arguments: object, **options: object) -> Scripted:
        running.append(Scripted(*arguments, **options))
        return running[-1]

    yield start
    for one in running:
        one.close()
