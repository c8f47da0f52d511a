"""After a thousand transfers a process has the memory, descriptors and threads that it had before."""

from __future__ import annotations

import json

import pytest
from support import run_python

PROGRAM = """
import gc, hf_xet, json, os, sys
access, n = json.loads(sys.argv[1]), int(sys.argv[2])
session = hf_xet.XetSession()
data = os.urandom(3000)

def upload(i):
    with session.new_upload_commit(**access) as commit:
        handle = commit.start_upload_bytes(data + str(i).encode())
    return handle.result().xet_info

def download(i):
    with session.new_file_download_group(**access) as group:
        group.start_download_file(info, "copy")

def stream(i):
    list(session.new_download_stream_group(**access).download_stream(info))

def fail(i):
    try:
        session.new_file_download_group(**access).start_download_file(hf_xet.XetFileInfo("zz", 3), "never").result()
    except RuntimeError:
        pass

def whole_session(i):
    own = hf_xet.XetSession()
    list(own.new_download_stream_group(**access).download_stream(info))

def observed(i):
    with session.new_file_download_group(**access, progress_callback=lambda *_: None, progress_interval_ms=1) as group:
        group.start_download_file(info, "copy")

def state():
    gc.collect()
    status = open("/proc/self/status").read()
    return {
        "files": len(os.listdir("/proc/self/fd")),
        "threads": int(status.partition("Threads:")[2].split()[0]),
        "memory": int(status.partition("VmRSS:")[2].split()[0]) * 1024,
    }

info = upload("first")
work = globals()[sys.argv[3]]
for i in range(n // 4):
    work(i)
before = state()
for i in range(n):
    work(n + i)
print(json.dumps([before, state()]))
"""


def before_and_after(tmp_path, access, n: int, work: str) -> tuple[dict[str, int], dict[str, int]]:
    done = run_python(PROGRAM, tmp_path, json.dumps(access), str(n), work, timeout_s=120)
    assert done.code == 0, done.err
    return json.loads(done.out)


@pytest.mark.parametrize(
    ("work", "n"),
    [("upload", 200), ("download", 1000), ("observed", 300), ("stream", 400), ("fail", 300), ("whole_session", 60)],
)
def test_many_transfers_leave_nothing_behind(tmp_path, http_store, work, n):
    before, after = before_and_after(tmp_path, http_store.access, n, work)
    assert after["memory"] - before["memory"] < 8_000_000
    # Idle connections and threads come and go.
    assert after["files"] - before["files"] < 8
    assert after["threads"] - before["threads"] < 4
