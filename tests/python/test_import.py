"""What `import hf_xet` does besides giving a module, and what the distribution says about itself."""

from __future__ import annotations

import importlib.metadata
import json
import re
import resource
from pathlib import Path

import hf_xet
import pytest
from differences import pick
from scripted import forward
from support import run_python

COUNTS = """
import json, os, resource, sys
def counts():
    return {
        "files": len(os.listdir("/proc/self/fd")),
        "threads": len(os.listdir("/proc/self/task")),
        "limit": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    }
"""


def test_the_distribution_is_called_hf_xet():
    metadata = importlib.metadata.metadata("hf_xet")
    assert metadata["Name"].lower().replace("_", "-") == "hf-xet"
    assert re.match(r"1\.8\.0(\+.*)?$", metadata["Version"])
    needed = [line for line in importlib.metadata.requires("hf-xet") or [] if "extra ==" not in line]
    assert needed == []


def test_the_module_is_where_the_distribution_says():
    files = {Path(file.locate()).resolve() for file in importlib.metadata.files("hf-xet")}
    assert Path(hf_xet.__file__).resolve() in files


def test_a_successful_program_says_nothing(tmp_path):
    program = """
    import hf_xet, sys
    session = hf_xet.XetSession()
    with session.new_upload_commit(endpoint="local://" + sys.argv[1]) as commit:
        handle = commit.start_upload_bytes(b"hello")
    with session.new_file_download_group(endpoint="local://" + sys.argv[1]) as group:
        group.start_download_file(handle.result().xet_info, "copy")
    print(open("copy").read())
    """
    done = run_python(program, tmp_path, str(tmp_path / "store"))
    assert (done.code, done.out, done.err) == (0, "hello\n", "")


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"RUST_LOG": "debug"},
        {"HF_XET_LOG_DEST": "{folder}/a.log"},
        {"HF_XET_LOG_DEST": "{folder}/logs/"},
        {"HF_XET_LOG_FORMAT": "text"},
        {"HF_XET_LOG_PREFIX": "other"},
        {"TOKIO_WORKER_THREADS": "2"},
        {"HF_XET_HIGH_PERFORMANCE": "1"},
        {"HF_XET_NUM_CONCURRENT_RANGE_GETS": "16"},
        {"HF_XET_RECONSTRUCT_WRITE_SEQUENTIALLY": "1"},
        {"HF_XET_SYSTEM_MONITOR_ENABLED": "0"},
    ],
    ids=lambda variables: " ".join(variables) or "no variable",
)
def test_known_variables_are_taken_without_a_word(tmp_path, variables):
    variables = {name: text.format(folder=tmp_path) for name, text in variables.items()}
    program = """
    import hf_xet, sys
    with hf_xet.XetSession().new_upload_commit(endpoint="local://" + sys.argv[1]) as commit:
        commit.start_upload_bytes(b"hello")
    """
    done = run_python(program, tmp_path, str(tmp_path / "store"), **variables)
    assert (done.code, done.out, done.err) == (0, "", "")


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_import_writes_a_log_file_or_nothing(tmp_path):
    done = run_python("import hf_xet", tmp_path)
    assert (done.code, done.err) == (0, "")
    written = files_below(tmp_path)
    if pick("log_file", genuine=True, ours=False):
        (name,) = written
        assert re.fullmatch(r"cache/logs/xet_\d{8}T\d{9}\+0000_\d+\.log", name)
        assert all(json.loads(line)["level"] for line in (tmp_path / name).read_text().splitlines())
    else:
        assert written == set()


def test_a_log_file_that_was_asked_for(tmp_path):
    run_python("import hf_xet; hf_xet.XetSession()", tmp_path, HF_XET_LOG_DEST=str(tmp_path / "a.log"))
    assert (tmp_path / "a.log").exists() == pick("log_file", genuine=True, ours=False)


def test_import_works_where_nothing_can_be_written(tmp_path):
    nowhere = {"HOME": "/proc/nowhere", "HF_XET_CACHE": "/proc/nowhere/x"}
    done = run_python("import hf_xet; print('imported')", tmp_path, **nowhere)
    assert (done.code, done.err) == (0, "")
    # The genuine module tells standard output that there is no log file.
    assert (done.out == "imported\n") == pick("log_file", genuine=False, ours=True)
    assert done.out.endswith("imported\n")


def test_import_starts_and_opens_nothing(tmp_path):
    program = f"""{COUNTS}
before = counts()
import hf_xet
after = counts()
print(json.dumps([before, after]))
"""
    before, after = json.loads(run_python(program, tmp_path).out)
    extra = pick("log_file", genuine=1, ours=0)
    assert after["threads"] - before["threads"] == extra
    assert after["files"] - before["files"] == extra


def test_import_and_the_limit_of_open_files(tmp_path):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    program = f"""{COUNTS}
resource.setrlimit(resource.RLIMIT_NOFILE, (256, {hard}))
import hf_xet
hf_xet.XetSession()
print(counts()["limit"])
"""
    assert int(run_python(program, tmp_path).out) == pick("open_files_limit", genuine=hard, ours=256)


def test_import_asks_for_no_name_and_opens_no_connection(tmp_path):
    program = """
    import sys
    asked = []
    sys.addaudithook(lambda event, _: asked.append(event) if event.startswith("socket.") else None)
    import hf_xet
    sockets = [p for p in __import__("pathlib").Path("/proc/self/fd").iterdir() if "socket:" in str(p.resolve())]
    print([event for event in asked if event != "socket.__new__"], sockets)
    """
    assert run_python(program, tmp_path).out == "[] []\n"


def test_importing_twice_and_reloading_is_harmless(tmp_path):
    program = """
    import importlib, hf_xet
    again = importlib.reload(hf_xet)
    print(again is hf_xet, again.XetSession().status())
    """
    done = run_python(program, tmp_path)
    assert (done.out, done.err) == ("True XetTaskState.Running\n", "")


def test_telemetry(tmp_path, http_store, scripted):
    """A program without any opt-out, and all that a server sees of it."""
    proxy = scripted(forward(http_store.endpoint))
    program = """
    import hf_xet, json, sys
    access = json.loads(sys.argv[1])
    session = hf_xet.XetSession()
    with session.new_upload_commit(**access) as commit:
        handle = commit.start_upload_bytes(b"hello")
    with session.new_file_download_group(**access) as group:
        group.start_download_file(handle.result().xet_info, "copy")
    del session, commit, group, handle
    """
    done = run_python(program, tmp_path, json.dumps(http_store.through(proxy.url)))
    assert (done.code, done.err) == (0, "")
    told = [request for request in proxy.requests if "telemetry" in request.path]
    assert bool(told) == pick("telemetry", genuine=True, ours=False)


@pytest.mark.parametrize("variable", ["HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK", "HF_HUB_OFFLINE"])
def test_telemetry_can_be_switched_off(tmp_path, http_store, scripted, variable):
    proxy = scripted(forward(http_store.endpoint))
    program = """
    import hf_xet, json, sys
    with hf_xet.XetSession().new_upload_commit(**json.loads(sys.argv[1])) as commit:
        commit.start_upload_bytes(b"hello")
    """
    done = run_python(program, tmp_path, json.dumps(http_store.through(proxy.url)), **{variable: "1"})
    assert (done.code, done.err) == (0, "")
    assert proxy.requests
    assert not [request for request in proxy.requests if "telemetry" in request.path]
