"""Threads, signals, forks and the end of the interpreter, above all while something waits."""

from __future__ import annotations

import json
import select
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import hf_xet
import pytest
from differences import pick
from scripted import HELD, Answer
from support import NO_SUCH_HASH, Child, download, python, random_bytes, run_python, upload, wait_until

MISSING = hf_xet.XetFileInfo(NO_SUCH_HASH, 3)
# A generous bound for what should take a moment.
SOON_S = 5
# So much that no pipeline takes it in while its server does not answer.
LARGE = 400_000_000

# Makes `calls`: by name, what prepares a call that waits for a server that does not answer, and gives the call.
CALLS = """
import functools, os, sys, warnings, hf_xet
warnings.simplefilter("ignore")
name, url, large = sys.argv[1:4]
config = hf_xet.XetConfig().with_config({
    "client.ac_max_upload_concurrency": 1, "client.ac_initial_upload_concurrency": 1,
    "data.max_concurrent_file_ingestion": 1,
})
session = hf_xet.XetSession(config)
info = hf_xet.XetFileInfo("0123456789abcdef" * 4, 3)
block = os.urandom(4_000_000)

def commit(with_a_file=True):
    made = session.new_upload_commit(endpoint=url)
    if with_a_file:
        made.start_upload_bytes(b"abc").result()
    return made

def group():
    made = session.new_file_download_group(endpoint=url)
    made.start_download_file(info, "never")
    return made

def write_all(stream):
    for i in range(100):
        stream.write(os.urandom(4_000_000))

streams = lambda: session.new_download_stream_group(endpoint=url)
calls = {
    "new_upload_commit": lambda: functools.partial(session.new_upload_commit, token_refresh_url=url),
    "new_file_download_group": lambda: functools.partial(session.new_file_download_group, token_refresh_url=url),
    "new_download_stream_group": lambda: functools.partial(session.new_download_stream_group, token_refresh_url=url),
    "commit.wait_to_finish": lambda: commit().wait_to_finish,
    "commit.__exit__": lambda: functools.partial(commit().__exit__, None, None, None),
    "upload.result": lambda: commit(False).start_upload_file(large).result,
    "stream.write": lambda: functools.partial(write_all, commit(False).start_upload_stream()),
    "group.wait_to_finish": lambda: group().wait_to_finish,
    "group.__exit__": lambda: functools.partial(group().__exit__, None, None, None),
    "download.result": lambda: session.new_file_download_group(endpoint=url).start_download_file(info, "never").result,
    "next": lambda: functools.partial(next, streams().download_stream(info)),
    "next, unordered": lambda: functools.partial(next, streams().download_unordered_stream(info)),
    "upload_bytes": lambda: functools.partial(hf_xet.upload_bytes, [b"abc"], url, None, None, None, None),
    "upload_files": lambda: functools.partial(hf_xet.upload_files, [__file__], url, None, None, None, None),
    "download_files": lambda: functools.partial(
        hf_xet.download_files, [hf_xet.PyXetDownloadInfo("never", info.hash, 3)], url, None, None, None
    ),
}
call = calls[name]()
"""
NAMES = (
    "new_upload_commit",
    "new_file_download_group",
    "new_download_stream_group",
    "commit.wait_to_finish",
    "commit.__exit__",
    "upload.result",
    "stream.write",
    "group.wait_to_finish",
    "group.__exit__",
    "download.result",
    "next",
    "next, unordered",
    "upload_bytes",
    "upload_files",
    "download_files",
)
LOOKS_FOR_SIGNALS = {"commit.wait_to_finish", "commit.__exit__", "group.wait_to_finish", "group.__exit__"}
DEPRECATED = {"upload_bytes", "upload_files", "download_files"}


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> str:
    """A file that deduplicates with nothing."""
    path = tmp_path_factory.mktemp("large") / "file"
    with Path("/dev/urandom").open("rb") as source, path.open("wb") as out:
        for _ in range(LARGE // 4_000_000):
            out.write(source.read(4_000_000))
    yield str(path)
    path.unlink()


@pytest.fixture
def deaf(scripted):
    """A server that answers no more than a question for chunks."""
    return scripted(lambda r: Answer(404) if r.path.startswith("/v1/chunks/") else HELD)


def main_thread_waits(child: Child) -> None:
    """Returns when the main thread of the child has been asleep for a while."""
    stat = Path(f"/proc/{child.process.pid}/task/{child.process.pid}/stat")
    asleep = 0

    def look() -> bool:
        nonlocal asleep
        asleep = asleep + 1 if stat.read_text().rpartition(")")[2].split()[0] == "S" else 0
        return asleep > 60

    wait_until(look, "waiting")


def line_within(child: Child, seconds: float) -> str | None:
    """The next line of a child that has told all it had to tell, or None when the time is over."""
    ready, _, _ = select.select([child.process.stdout], [], [], seconds)
    return child.line() if ready else None


@pytest.mark.parametrize("name", NAMES)
def test_ctrl_c_ends_a_call_that_waits(tmp_path, deaf, large, name):
    program = (
        textwrap.dedent(CALLS)
        + """
print("calling", flush=True)
try:
    call()
except KeyboardInterrupt:
    print("interrupted", flush=True)
session.sigint_abort()
"""
    )
    program = program.replace("[__file__]", "[large]") if name == "upload_files" else program
    file = tmp_path / "small"
    file.write_bytes(b"abc")
    given = str(file) if name == "upload_files" else large
    with python(program, tmp_path, name, deaf.url, given) as child:
        assert child.line() == "calling"
        assert deaf.asked.wait(20)
        main_thread_waits(child)
        began = time.monotonic()
        child.interrupt()
        if name in DEPRECATED and pick("ctrl_c_in_deprecated_functions", genuine=True, ours=False):
            # It ends somehow.
            assert line_within(child, SOON_S) is not None
        elif pick("ctrl_c_everywhere", genuine=name in LOOKS_FOR_SIGNALS, ours=True):
            assert line_within(child, SOON_S) == "interrupted"
            done = child.finish()
            assert time.monotonic() - began < 2 * SOON_S
            assert (done.code, done.err) == (0, "")
        else:
            assert line_within(child, 0.3) is None


@pytest.mark.parametrize("name", ["commit.wait_to_finish", "group.wait_to_finish"])
def test_the_handler_of_another_signal_runs_while_a_call_waits(tmp_path, deaf, name):
    program = (
        textwrap.dedent(CALLS)
        + """
import signal
class Alarm(Exception):
    pass
def handler(*_):
    raise Alarm
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.2)
try:
    call()
except Alarm:
    print("alarm")
session.sigint_abort()
"""
    )
    done = run_python(program, tmp_path, name, deaf.url, "")
    assert (done.code, done.out, done.err) == (0, "alarm\n", "")


def test_a_session_installs_no_handler_for_ctrl_c(tmp_path):
    program = """
    import hf_xet, signal, sys
    def caught():  # but for the two signals that the C library keeps to itself, once there are threads
        mask = int(open("/proc/self/status").read().partition("SigCgt:")[2].split()[0], 16)
        return mask & ~(3 << 31)
    before = signal.getsignal(signal.SIGINT), caught()
    with hf_xet.XetSession().new_upload_commit(endpoint="local://" + sys.argv[1]) as commit:
        commit.start_upload_bytes(b"abc")
    after = signal.getsignal(signal.SIGINT), caught()
    print(before == after)
    """
    done = run_python(program, tmp_path, str(tmp_path / "store"))
    assert (done.out, done.err) == ("True\n", "")


BLOCKING = {
    "new_upload_commit": lambda s, url: s.new_upload_commit(token_refresh_url=url),
    "new_file_download_group": lambda s, url: s.new_file_download_group(token_refresh_url=url),
    "new_download_stream_group": lambda s, url: s.new_download_stream_group(token_refresh_url=url),
    "next": lambda s, url: next(streams(s, url).download_stream(MISSING)),
    "next, unordered": lambda s, url: next(
        s.new_download_stream_group(endpoint=url).download_unordered_stream(MISSING)
    ),
    "group.wait_to_finish": lambda s, url: started(s, url)[0].wait_to_finish(),
    "download.result": lambda s, url: started(s, url)[1].result(),
    "commit.wait_to_finish": lambda s, url: committed(s, url).wait_to_finish(),
    "upload_bytes": lambda _, url: hf_xet.upload_bytes([b"abc"], url, None, None, None, None),
    "download_files": lambda _, url: hf_xet.download_files(
        [hf_xet.PyXetDownloadInfo("never", NO_SUCH_HASH, 3)], url, None, None, None
    ),
}


def streams(session, url):
    return session.new_download_stream_group(endpoint=url)


def started(session, url):
    group = session.new_file_download_group(endpoint=url)
    return group, group.start_download_file(MISSING, "never")


def committed(session, url):
    commit = session.new_upload_commit(endpoint=url)
    commit.start_upload_bytes(b"abc")
    return commit


@pytest.mark.filterwarnings("ignore:hf_xet.*deprecated:DeprecationWarning")
@pytest.mark.parametrize("name", BLOCKING)
def test_other_threads_run_while_a_call_waits(session, scripted, name):
    """The server is a thread of this process, too: without the interpreter it could not even be asked."""
    server = scripted(Answer(404, held=True))
    ended = []

    def run() -> None:
        try:
            BLOCKING[name](session, server.url)
        except (OSError, RuntimeError, StopIteration) as e:
            ended.append(e)

    thread = threading.Thread(target=run)
    thread.start()
    assert server.asked.wait(10)
    before = time.thread_time()
    while time.thread_time() - before < 0.02:
        pass
    assert ended == []
    server.release()
    thread.join(20)
    assert len(ended) == 1


def test_many_threads_share_a_session(session, store, tmp_path):
    """Each with a commit and a group of its own, as huggingface_hub does."""
    failures = []

    def work(n: int) -> None:
        try:
            for i in range(4):
                data = random_bytes(50_000 + n, seed=100 * n + i)
                info = upload(session, store.access, data)
                assert download(session, store.access, info, tmp_path / f"{n}-{i}") == data
                stream = session.new_download_stream_group(**store.access).download_stream(info)
                assert b"".join(stream) == data
        except BaseException as e:
            failures.append(e)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(40)
    assert failures == []
    assert not any(thread.is_alive() for thread in threads)


def test_many_threads_share_a_commit_and_a_group(session, store, tmp_path):
    commit = session.new_upload_commit(**store.access)
    handles: dict[int, hf_xet.XetFileUpload] = {}

    def start_upload(n: int) -> None:
        handles[n] = commit.start_upload_bytes(random_bytes(10_000, seed=n), name=str(n))
        handles[n].result()

    def all_at_once(call) -> None:
        threads = [threading.Thread(target=call, args=(n,)) for n in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)

    all_at_once(start_upload)
    assert len(commit.wait_to_finish().uploads) == 16
    group = session.new_file_download_group(**store.access)
    all_at_once(lambda n: group.start_download_file(handles[n].result().xet_info, str(tmp_path / str(n))).result())
    assert len(group.wait_to_finish().downloads) == 16
    assert all((tmp_path / str(n)).read_bytes() == random_bytes(10_000, seed=n) for n in range(16))


def test_one_result_can_be_waited_for_by_many(session, scripted):
    server = scripted(Answer(404, held=True))
    _, handle = started(session, server.url)
    texts = []

    def wait() -> None:
        try:
            handle.result()
        except RuntimeError as e:
            texts.append(str(e))

    threads = [threading.Thread(target=wait) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert server.asked.wait(10)
    server.release()
    for thread in threads:
        thread.join(10)
    assert len(texts) == 4
    assert all("404" in text for text in texts)


FORK = """
import hf_xet, json, os, signal, sys
access = json.loads(sys.argv[1])
session = hf_xet.XetSession()
with session.new_upload_commit(**access) as commit:
    info = commit.start_upload_bytes(b"hello").result().xet_info
commit = session.new_upload_commit(**access)
upload = commit.start_upload_bytes(b"x")
group = session.new_file_download_group(**access)
streams = session.new_download_stream_group(**access)
stream = streams.download_stream(info)
sys.stdout.flush()
child = os.fork()
if child == 0:
    {child}
    sys.stdout.flush()
    os._exit(0)
status = os.waitpid(child, 0)[1]
print("signal", os.WTERMSIG(status)) if os.WIFSIGNALED(status) else print("exit", os.WEXITSTATUS(status))
try:
    commit.wait_to_finish()
    print("the commit is done")
except OSError:
    print("the commit failed")
print(b"".join(stream))
"""


PARENT_IS_FINE = ("the commit is done", "b'hello'")


@pytest.fixture
def forked(tmp_path, http_store):
    """What a child, after fork, and then its parent say."""

    def run(child: str) -> list[str]:
        program = FORK.replace("{child}", textwrap.indent(textwrap.dedent(child), "    ").strip())
        done = run_python(program, tmp_path, json.dumps(http_store.access))
        assert done.code == 0, done.err
        return done.out.splitlines()

    return run


@pytest.mark.parametrize(
    "call",
    [
        "session.new_upload_commit(**access)",
        "session.new_file_download_group(**access)",
        "session.new_download_stream_group(**access)",
        "commit.start_upload_bytes(b'y')",
        "commit.start_upload_stream()",
        "commit.wait_to_finish()",
        "group.start_download_file(info, 'never')",
        "group.wait_to_finish()",
        "streams.download_stream(info)",
        "streams.finish()",
    ],
)
def test_what_the_parent_made_refuses_to_work_in_a_child(forked, call):
    said = forked(
        f"""
        try:
            {call}
        except RuntimeError as e:
            print(e)
        """,
    )
    assert said[0].startswith("Wrong runtime mode: Invalid runtime: ")
    assert " created in process " in said[0]
    assert " used in process " in said[0]
    assert said[1:] == ["exit 0", *PARENT_IS_FINE]


def test_a_stream_of_the_parent_in_a_child(forked):
    said = forked(
        """
        signal.alarm(1)
        try:
            next(stream)
        except RuntimeError as e:
            print(e)
        """,
    )
    if pick("stream_after_fork", genuine=True, ours=False):
        assert said == [f"signal {signal.SIGALRM:d}", *PARENT_IS_FINE]
    else:
        assert said[0].startswith("Wrong runtime mode: ")
        assert said[1:] == ["exit 0", *PARENT_IS_FINE]


def test_a_child_has_a_session_of_its_own(forked):
    said = forked(
        """
        mine = hf_xet.XetSession()
        with mine.new_upload_commit(**access) as c:
            h = c.start_upload_bytes(b"from the child")
        with mine.new_file_download_group(**access) as g:
            g.start_download_file(h.result().xet_info, "copy")
        print(open("copy").read())
        print(next(mine.new_download_stream_group(**access).download_stream(info)))
        """,
    )
    assert said == ["from the child", "b'hello'", "exit 0", *PARENT_IS_FINE]


@pytest.mark.parametrize("call", ["commit.abort()", "group.abort()", "streams.abort()", "stream.cancel()"])
def test_aborting_in_a_child_ends_nothing_of_the_parent(forked, call):
    said = forked(
        f"""
        signal.alarm(10)
        {call}
        """
    )
    assert said[0] == "exit 0"
    assert said[-1] == "b'hello'"


@pytest.mark.parametrize("end", ["del session, commit, upload, group, streams, stream", "sys.exit(0)"])
def test_a_child_may_drop_what_the_parent_made(forked, end):
    """One by one, or with the clean-up of the interpreter."""
    said = forked(
        f"""
        signal.alarm(10)
        print(commit.progress().total_bytes, str(session.status()), repr(group))
        {end}
        """
    )
    assert said[:2] == ['1 XetTaskState.Running XetFileDownloadGroup(status="Running", downloads=[])', "exit 0"]
    outcomes = pick(
        "child_hurts_the_parent", genuine={"the commit failed", "the commit is done"}, ours={"the commit is done"}
    )
    assert said[2] in outcomes
    assert said[3] == "b'hello'"


MULTIPROCESSING = """
import hf_xet, json, multiprocessing, sys, threading
access = json.loads(sys.argv[1])

def work(n):
    session = hf_xet.XetSession()
    with session.new_upload_commit(**access) as commit:
        handle = commit.start_upload_bytes(b"%d" % n)
    return b"".join(session.new_download_stream_group(**access).download_stream(handle.result().xet_info))

if __name__ == "__main__":
    parent = hf_xet.XetSession()
    go_on = True
    def busy():
        while go_on:
            with parent.new_upload_commit(**access) as commit:
                commit.start_upload_bytes(b"abc")
    thread = threading.Thread(target=busy)
    thread.start()
    with multiprocessing.get_context("fork").Pool(4) as pool:
        print(pool.map(work, range(12)) == [b"%d" % n for n in range(12)])
    go_on = False
    thread.join()
"""


def test_workers_of_multiprocessing_transfer_while_the_parent_does(tmp_path, http_store):
    if pick("fork_while_busy", genuine=True, ours=False):
        pytest.skip("its workers may wait for ever, about one time in ten")
    done = run_python(MULTIPROCESSING, tmp_path, json.dumps(http_store.access))
    assert (done.code, done.out) == (0, "True\n"), done.err


@pytest.mark.parametrize("name", ["commit.wait_to_finish", "group.wait_to_finish", "next", "new_upload_commit"])
@pytest.mark.parametrize("daemon", [True, False], ids=["in a daemon thread", "in no thread"])
def test_the_interpreter_ends_while_something_is_under_way(tmp_path, deaf, name, daemon):
    waiting = """
import threading
entered = threading.Event()
def wait():
    entered.set()
    call()
threading.Thread(target=wait, daemon=True).start()
entered.wait()
"""
    program = textwrap.dedent(CALLS) + (waiting if daemon else "") + "print('end', flush=True)\n"
    with python(program, tmp_path, name, deaf.url, "") as child:
        assert child.line() == "end"
        began = time.monotonic()
        done = child.finish()
        assert time.monotonic() - began < 2 * SOON_S
        assert done.code == 0
        assert done.err == ""


def test_the_interpreter_ends_while_callbacks_are_made(tmp_path, deaf):
    program = """
    import hf_xet, sys, threading
    called = threading.Event()
    session = hf_xet.XetSession()
    commit = session.new_upload_commit(
        endpoint=sys.argv[1], progress_callback=lambda *_: called.set(), progress_interval_ms=1
    )
    commit.start_upload_bytes(b"abc")
    called.wait()
    """
    began = time.monotonic()
    done = run_python(program, tmp_path, deaf.url)
    assert (done.code, done.out, done.err) == (0, "", "")
    assert time.monotonic() - began < 2 * SOON_S


def test_dropping_a_session_does_not_take_long(config, deaf):
    session = hf_xet.XetSession(config)
    group, handle = started(session, deaf.url)
    assert deaf.asked.wait(10)
    began = time.monotonic()
    del group, handle, session
    assert time.monotonic() - began < 2 * SOON_S


def test_a_child_process_of_another_kind_is_not_hurt(tmp_path):
    """Descriptors of a session do not reach programs that Python starts."""
    program = """
    import hf_xet, os, subprocess, sys
    session = hf_xet.XetSession()
    with session.new_upload_commit(endpoint="local://" + sys.argv[1]) as commit:
        commit.start_upload_bytes(b"abc")
    list_them = "import os; print(len(os.listdir('/proc/self/fd')))"
    without = subprocess.run([sys.executable, "-c", list_them], capture_output=True, text=True, close_fds=False)
    print(without.stdout.strip())
    """
    done = run_python(program, tmp_path, str(tmp_path / "store"))
    expected = subprocess.run(
        [sys.executable, "-c", "import os; print(len(os.listdir('/proc/self/fd')))"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.out == expected.stdout
