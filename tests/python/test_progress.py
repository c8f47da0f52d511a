"""What the progress callback is told, when, on which thread, and what it may do."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field

import hf_xet
import pytest
from differences import pick
from scripted import Answer, forward
from support import EMPTY_HASH, attributes, fails, random_bytes, run_python, upload, wait_until

DATA = random_bytes(3_000_000, seed=8)
COUNTERS = ("total_bytes", "total_bytes_completed", "total_transfer_bytes", "total_transfer_bytes_completed")
RATES = ("total_bytes_completion_rate", "total_transfer_bytes_completion_rate")


@dataclass
class Recorder:
    """A callback that remembers what it was told, and by which thread."""

    calls: list[tuple[dict, dict]] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)
    kinds: set[tuple[type, ...]] = field(default_factory=set)

    def __call__(self, *told: object) -> None:
        group, items = told
        self.kinds.add((type(group), type(items), *(type(x) for pair in items.items() for x in pair)))
        self.threads.append(threading.get_ident())
        group = attributes(group)
        group["shard"] = group["shard"] and attributes(group["shard"])
        self.calls.append((group, {item["item_name"]: item for item in map(attributes, items.values())}))


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def called_again(recorder: Recorder) -> None:
    """Waits for one more periodic call."""
    n = len(recorder.calls)
    wait_until(lambda: len(recorder.calls) > n, "a periodic call")


def check(recorder: Recorder) -> None:
    """What holds for every sequence of calls."""
    before = dict.fromkeys(COUNTERS, 0)
    for group, items in recorder.calls:
        assert group["total_bytes_completed"] <= group["total_bytes"]
        assert group["total_transfer_bytes_completed"] <= group["total_transfer_bytes"]
        for name in COUNTERS:
            assert type(group[name]) is int
            assert group[name] >= before[name], name
        for name in RATES:
            assert group[name] is None or type(group[name]) is float
        before = group
        for item in items.values():
            assert 0 <= item["bytes_completed"] <= item["total_bytes"]


def test_an_upload_is_told_to_its_end(session, store, recorder, tmp_path):
    # Nothing of this may be known to the store yet.
    file, content, streamed = (os.urandom(size) for size in (3_000_000, 300, 50))
    path = tmp_path / "file"
    path.write_bytes(file)
    with session.new_upload_commit(**store.access, progress_callback=recorder, progress_interval_ms=5) as commit:
        called_again(recorder)
        commit.start_upload_file(str(path)).result()
        commit.start_upload_bytes(content, name="b").result()
        with commit.start_upload_stream("s") as stream:
            stream.write(streamed)
        called_again(recorder)
    check(recorder)
    group, items = recorder.calls[-1]
    assert (group["total_bytes"], group["total_bytes_completed"]) == (3_000_350, 3_000_350)
    assert group["total_transfer_bytes"] == group["total_transfer_bytes_completed"] == 3_000_350
    assert items[str(path)] == {"item_name": str(path), "total_bytes": 3_000_000, "bytes_completed": 3_000_000}
    assert items["b"] == {"item_name": "b", "total_bytes": 300, "bytes_completed": 300}
    assert len(items) in pick("streams_in_the_progress", genuine={2}, ours={2, 3})
    shard = group["shard"]
    assert all(type(value) is int for value in shard.values())
    assert shard["total_shards"] == shard["total_shards_completed"] == 1
    assert shard["total_shard_bytes"] == shard["total_shard_bytes_upload_completed"] > 0
    assert shard["total_shard_validation_entries"] == shard["total_shard_validation_entries_completed"]


def test_a_download_is_told_to_its_end(session, store, recorder, tmp_path):
    info = upload(session, store.access, DATA)
    path = str(tmp_path / "x")
    with session.new_file_download_group(**store.access, progress_callback=recorder, progress_interval_ms=5) as group:
        group.start_download_file(info, path).result()
        called_again(recorder)
    check(recorder)
    told, items = recorder.calls[-1]
    assert (told["total_bytes"], told["total_bytes_completed"], told["shard"]) == (3_000_000, 3_000_000, None)
    assert told["total_transfer_bytes"] == told["total_transfer_bytes_completed"] > 0
    assert items == {path: {"item_name": path, "total_bytes": 3_000_000, "bytes_completed": 3_000_000}}


def test_the_callback_gets_two_reports(session, local_store, recorder):
    with session.new_upload_commit(**local_store.access, progress_callback=recorder) as commit:
        commit.start_upload_bytes(b"abc").result()
    assert recorder.kinds == {(hf_xet.GroupProgressReport, dict, hf_xet.UniqueId, hf_xet.ItemProgressReport)}


def test_the_keys_are_the_ids_of_the_handles(session, local_store):
    told = []
    with session.new_upload_commit(
        **local_store.access, progress_callback=lambda _, items: told.append(set(items))
    ) as commit:
        handles = [commit.start_upload_bytes(bytes([i])) for i in range(3)]
    assert told[-1] == {handle.task_id() for handle in handles}


@pytest.mark.parametrize("factory", ["new_upload_commit", "new_file_download_group"])
def test_a_group_of_nothing_is_told_once(session, local_store, recorder, factory):
    with getattr(session, factory)(**local_store.access, progress_callback=recorder, progress_interval_ms=60_000):
        pass
    assert len(recorder.calls) == 1
    assert recorder.threads == [threading.get_ident()]
    assert [recorder.calls[0][0][name] for name in COUNTERS] == [0] * 4


@pytest.mark.parametrize("how", ["with", "wait"])
def test_the_last_call_is_made_by_the_thread_that_waited(session, local_store, recorder, how):
    commit = session.new_upload_commit(**local_store.access, progress_callback=recorder, progress_interval_ms=1)
    commit.start_upload_bytes(b"abc")
    called_again(recorder)
    if how == "with":
        commit.__exit__(None, None, None)
    else:
        commit.wait_to_finish()
    assert recorder.threads[-1] == threading.get_ident()
    assert recorder.threads.count(threading.get_ident()) == 1
    assert recorder.calls[-1][0]["total_bytes_completed"] == 3


def test_no_call_comes_before_the_first_interval_is_over(session, local_store, recorder):
    commit = session.new_upload_commit(**local_store.access, progress_callback=recorder, progress_interval_ms=60_000)
    commit.start_upload_bytes(b"abc").result()
    commit.abort()
    assert recorder.calls == []


@pytest.mark.parametrize("end", ["finish", "abort"])
def test_no_call_comes_after_the_end(session, local_store, recorder, end):
    other = Recorder()
    clock = session.new_upload_commit(**local_store.access, progress_callback=other, progress_interval_ms=1)
    commit = session.new_upload_commit(**local_store.access, progress_callback=recorder, progress_interval_ms=1)
    called_again(recorder)
    commit.wait_to_finish() if end == "finish" else commit.abort()
    n = len(recorder.calls)
    # Another group's calls tell that intervals pass.
    for _ in range(20):
        called_again(other)
    clock.abort()
    assert len(recorder.calls) == n


def test_no_last_call_is_made_after_a_failure(session, local_store, recorder):
    commit = session.new_upload_commit(**local_store.access, progress_callback=recorder, progress_interval_ms=60_000)
    commit.start_upload_stream()
    with fails(RuntimeError):
        commit.wait_to_finish()
    assert recorder.calls == []


def test_no_last_call_is_made_after_an_exception_inside_with(session, local_store, recorder):
    with (
        pytest.raises(KeyError),
        session.new_upload_commit(**local_store.access, progress_callback=recorder, progress_interval_ms=60_000),
    ):
        raise KeyError
    assert recorder.calls == []


def test_progress_can_be_asked_for_at_any_time(session, local_store):
    commit = session.new_upload_commit(**local_store.access)
    assert attributes(commit.progress())["total_bytes"] == 0
    commit.start_upload_bytes(DATA).result()
    assert commit.progress().total_bytes == len(DATA)
    report = commit.wait_to_finish().progress
    assert (report.total_bytes_completed, report.total_transfer_bytes_completed) == (len(DATA), len(DATA))
    assert isinstance(report.shard, hf_xet.ShardUploadProgressReport)
    assert commit.progress().total_bytes_completed == len(DATA)


def test_rates_appear_after_some_observations(session, local_store, recorder):
    with session.new_upload_commit(**local_store.access, progress_callback=recorder, progress_interval_ms=1) as commit:
        commit.start_upload_bytes(DATA).result()
        for _ in range(6):
            called_again(recorder)
    assert recorder.calls[0][0]["total_bytes_completion_rate"] is None
    assert recorder.calls[-1][0]["total_bytes_completion_rate"] > 0
    assert recorder.calls[-1][0]["total_transfer_bytes_completion_rate"] > 0


def test_what_is_known_is_completed_and_not_transferred(session, http_store):
    data = random_bytes(400_000, seed=41)
    upload(session, http_store.access, data)
    commit = session.new_upload_commit(**http_store.access)
    commit.start_upload_bytes(data)
    progress = commit.wait_to_finish().progress
    assert (progress.total_bytes, progress.total_bytes_completed) == (400_000, 400_000)
    assert (progress.total_transfer_bytes, progress.total_transfer_bytes_completed) == (0, 0)


def test_the_empty_file_has_an_item(session, local_store, recorder, tmp_path):
    with session.new_file_download_group(**local_store.access, progress_callback=recorder) as group:
        group.start_download_file(hf_xet.XetFileInfo(EMPTY_HASH, 0), str(tmp_path / "x"))
    assert [(item["total_bytes"], item["bytes_completed"]) for item in recorder.calls[-1][1].values()] == [(0, 0)]


def test_a_transfer_under_way_is_told_by_another_thread(session, http_store, scripted, recorder, tmp_path):
    info = upload(session, http_store.access, DATA)
    to_server = forward(http_store.endpoint)

    def answer(request):
        answered = to_server(request)
        held = "reconstructions" not in request.path
        return Answer(answered.status, answered.body, answered.headers, held=held)

    server = scripted(answer)
    group = session.new_file_download_group(
        **http_store.through(server.url), progress_callback=recorder, progress_interval_ms=2
    )
    group.start_download_file(info, str(tmp_path / "x"))
    wait_until(lambda: recorder.calls and recorder.calls[-1][0]["total_bytes"] == len(DATA), "the size")
    called_again(recorder)
    assert recorder.calls[-1][0]["total_bytes_completed"] == 0
    assert threading.get_ident() not in recorder.threads
    server.release()
    group.wait_to_finish()
    check(recorder)
    assert recorder.calls[-1][0]["total_bytes_completed"] == len(DATA)


CALLBACK_PROGRAM = """
import hf_xet, sys, time
calls = []
{callback}
session = hf_xet.XetSession()
with session.new_upload_commit(
    endpoint="local://" + sys.argv[1], progress_callback=callback, progress_interval_ms=1
) as commit:
    handle = commit.start_upload_bytes(b"abc")
    time.sleep(0.1)
print(len(calls), commit.status(), handle.result().xet_info.file_size)
"""


@pytest.mark.parametrize(
    ("callback", "printed", "calls"),
    [
        ("def callback(*told): calls.append(told); raise ValueError('boom')", "ValueError: boom", 2),
        ("def callback(*told): calls.append(told); raise KeyboardInterrupt", "KeyboardInterrupt", 2),
        ("callback = 3", "TypeError: 'int' object is not callable", 0),
        ("def callback(one): calls.append(one)", "takes 1 positional argument but 2 were given", 0),
    ],
)
def test_a_callback_that_fails_is_printed_and_not_asked_again(tmp_path, callback, printed, calls):
    """Until the end, when it is called once more. The transfer goes on."""
    done = run_python(CALLBACK_PROGRAM.format(callback=callback), tmp_path, str(tmp_path / "store"))
    assert done.out.split() == [str(calls), "XetTaskState.Completed", "3"]
    assert done.err.count(printed) == 2


def test_none_is_no_callback(session, local_store):
    with session.new_upload_commit(**local_store.access, progress_callback=None) as commit:
        pass
    assert commit.status() == hf_xet.XetTaskState.Completed


def test_the_callback_may_ask_the_group(session, local_store):
    asked, there_is_one = [], threading.Event()

    def callback(_: object, __: object) -> None:
        there_is_one.wait(10)  # the first call may come before the name below has a value
        asked.append((commit.progress().total_bytes, str(commit.status()), repr(commit)))

    commit = session.new_upload_commit(**local_store.access, progress_callback=callback, progress_interval_ms=1)
    there_is_one.set()
    commit.start_upload_bytes(b"abc").result()
    wait_until(lambda: len(asked) > 2, "calls")
    commit.wait_to_finish()
    assert asked[-1][:2] == (3, "XetTaskState.Completed")


def test_the_callback_may_abort(tmp_path):
    program = """
    import faulthandler, hf_xet, sys, threading
    faulthandler.dump_traceback_later(2, exit=True)
    aborted, there_is_one = threading.Event(), threading.Event()
    def callback(*_):
        there_is_one.wait()
        commit.abort()
        aborted.set()
    session = hf_xet.XetSession()
    commit = session.new_upload_commit(
        endpoint="local://" + sys.argv[1], progress_callback=callback, progress_interval_ms=1
    )
    there_is_one.set()
    aborted.wait()
    faulthandler.cancel_dump_traceback_later()
    print(commit.status())
    """
    done = run_python(program, tmp_path, str(tmp_path / "store"))
    if pick("abort_in_the_callback", genuine=True, ours=False):
        assert done.code == 1
        assert "Timeout" in done.err
    else:
        assert (done.code, done.out, done.err) == (0, "XetTaskState.UserCancelled\n", "")


def test_a_slow_callback_keeps_nothing_from_ending(session, local_store):
    """wait_to_finish() waits for a call that is under way."""
    entered, leave, left = threading.Event(), threading.Event(), []

    def callback(_: object, __: object) -> None:
        if threading.get_ident() != main:
            entered.set()
            leave.wait(10)
            left.append(True)

    main = threading.get_ident()
    commit = session.new_upload_commit(**local_store.access, progress_callback=callback, progress_interval_ms=1)
    handle = commit.start_upload_bytes(b"abc")
    assert entered.wait(10)
    handle.result()
    threading.Timer(0.1, leave.set).start()
    commit.wait_to_finish()
    assert left == [True]
