"""XetFileDownloadGroup and XetFileDownload: files at their places, reports, failures, cancellation."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from dataclasses import replace
from pathlib import Path

import hf_xet
import pytest
from differences import pick
from scripted import Answer, forward
from support import EMPTY_HASH, NO_SUCH_HASH, Store, attributes, download, fails, random_bytes, upload, wait_until

STATES = hf_xet.XetTaskState
DATA = random_bytes(300_000, seed=3)


@pytest.fixture
def info(session, store) -> hf_xet.XetFileInfo:
    return upload(session, store.access, DATA)


@pytest.fixture
def group(session, store):
    return session.new_file_download_group(**store.access)


@pytest.fixture
def local_info(session, local_store):
    return upload(session, local_store.access, DATA)


@pytest.fixture
def local_group(session, local_store):
    return session.new_file_download_group(**local_store.access)


def test_a_file_appears_with_its_parents(group, info, tmp_path):
    handle = group.start_download_file(info, str(tmp_path / "a/b/file"))
    report = handle.result()
    assert (tmp_path / "a/b/file").read_bytes() == DATA
    assert report.path == tmp_path / "a/b/file"
    assert group.wait_to_finish().downloads.keys() == {handle.task_id()}


def test_several_files_of_a_group(group, info, tmp_path):
    handles = [group.start_download_file(info, str(tmp_path / str(i))) for i in range(20)]
    report = group.wait_to_finish()
    assert {(tmp_path / str(i)).read_bytes() for i in range(20)} == {DATA}
    assert report.downloads.keys() == {handle.task_id() for handle in handles}


def test_the_size_need_not_be_known(session, store, info, tmp_path):
    unsized = hf_xet.XetFileInfo(info.hash)
    assert download(session, store.access, unsized, tmp_path / "x") == DATA


def test_a_hash_may_be_in_capitals(local_group, local_info, tmp_path):
    shouted = hf_xet.XetFileInfo(local_info.hash.upper(), local_info.file_size)
    report = local_group.start_download_file(shouted, str(tmp_path / "x")).result()
    assert (tmp_path / "x").read_bytes() == DATA
    assert report.file_info.hash == shouted.hash


def test_a_file_info_is_what_it_was_made_of():
    info = hf_xet.XetFileInfo("any text")
    assert (info.hash, info.file_size, info.sha256) == ("any text", None, None)
    assert hf_xet.XetFileInfo("a", file_size=2**64 - 1).file_size == 2**64 - 1
    assert hf_xet.XetFileInfo(hash="a", file_size=None).file_size is None
    for name in ("hash", "file_size", "sha256", "anything"):
        with pytest.raises(AttributeError):
            setattr(info, name, "x")


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ((), TypeError),
        ((3,), TypeError),
        ((None,), TypeError),
        ((b"a",), TypeError),
        (("a", "1"), TypeError),
        (("a", 1.0), TypeError),
        (("a", 1, "sha"), TypeError),
        (("a", -1), OverflowError),
        (("a", 2**64), OverflowError),
    ],
)
def test_a_file_info_of_something_else_is_refused(arguments, kind):
    with pytest.raises(kind):
        hf_xet.XetFileInfo(*arguments)


def test_wrong_arguments_are_type_errors(local_group, local_info, tmp_path):
    path = str(tmp_path / "x")
    for arguments in (
        (),
        (local_info,),
        (local_info.hash, path),
        (None, path),
        (local_info, None),
        (local_info, path.encode()),
        (local_info, tmp_path / "x"),
        (local_info, path, None),
    ):
        with pytest.raises(TypeError):
            local_group.start_download_file(*arguments)
    with pytest.raises(UnicodeEncodeError):
        local_group.start_download_file(local_info, "a\udc80")
    assert local_group.status() == STATES.Running
    assert local_group.start_download_file(file_info=local_info, dest_path=path).result()


def test_a_path_may_be_relative(local_group, local_info, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    handle = local_group.start_download_file(local_info, "sub/x")
    report = handle.result()
    assert report.path == tmp_path / "sub/x"
    assert handle.progress().item_name == str(tmp_path / "sub/x")


def test_handles_tell_the_state_and_the_result(local_group, local_info, tmp_path):
    path = tmp_path / "x"
    handle = local_group.start_download_file(local_info, str(path))
    number = hash(handle.task_id())
    assert re.fullmatch(
        rf'XetFileDownload\(task_id={number}, status="(Running|Completed)", bytes_completed=\d+/\d+\)', repr(handle)
    )
    report = handle.result()
    assert isinstance(report, hf_xet.XetDownloadReport)
    assert report.task_id == handle.task_id()
    assert isinstance(report.path, Path)
    assert attributes(report.file_info) == attributes(local_info)
    assert attributes(report.progress) == attributes(handle.progress())
    assert attributes(handle.progress()) == {
        "item_name": str(path),
        "total_bytes": len(DATA),
        "bytes_completed": len(DATA),
    }
    assert handle.status() == STATES.Completed
    assert handle.try_result().path == handle.result().path == path
    assert repr(report) == str(report)
    assert repr(report) == f'XetDownloadReport(task_id={number}, hash="{local_info.hash}", path="{path}")'
    assert repr(handle) == f'XetFileDownload(task_id={number}, status="Completed", bytes_completed=300000/300000)'
    item = f'({number}, "{path}", bytes_completed=300000/300000)'
    assert repr(local_group) == f'XetFileDownloadGroup(status="Running", downloads=[{item}])'
    done = local_group.wait_to_finish()
    assert isinstance(done, hf_xet.XetDownloadGroupReport)
    assert repr(done) == str(done)
    assert repr(done) == f"XetDownloadGroupReport(files=1, bytes_completed=300000/300000, downloads=[{item}])"
    assert repr(local_group) == 'XetFileDownloadGroup(status="Completed", downloads=[])'
    assert done.progress.shard is None
    assert (done.progress.total_bytes, done.progress.total_bytes_completed) == (300_000, 300_000)


def test_an_unknown_size_is_told_in_the_report(local_group, local_info, tmp_path):
    report = local_group.start_download_file(hf_xet.XetFileInfo(local_info.hash), str(tmp_path / "x")).result()
    assert report.file_info.file_size == len(DATA)


def test_reports_cannot_be_written(local_group):
    report = local_group.wait_to_finish()
    for name in ("progress", "downloads", "anything"):
        with pytest.raises(AttributeError):
            setattr(report, name, 1)


def test_a_group_of_nothing_is_a_group(group):
    report = group.wait_to_finish()
    assert report.downloads == {}
    assert repr(report) == "XetDownloadGroupReport(files=0, bytes_completed=0/0, downloads=[])"


@pytest.mark.parametrize("size", [0, None])
def test_the_empty_file_needs_no_store(session, scripted, tmp_path, size):
    server = scripted(416)
    info = hf_xet.XetFileInfo(EMPTY_HASH, size)
    assert download(session, {"endpoint": server.url}, info, tmp_path / "empty") == b""
    assert size is None or server.requests == []


class TestDestinations:
    """What is at a path before and after."""

    def test_a_longer_file_is_replaced(self, local_group, local_info, tmp_path):
        (tmp_path / "x").write_bytes(bytes(400_000))
        local_group.start_download_file(local_info, str(tmp_path / "x")).result()
        assert (tmp_path / "x").read_bytes() == DATA

    def test_a_caller_may_hold_the_file_open(self, session, local_store, local_info, tmp_path):
        """huggingface_hub does."""
        path = tmp_path / "x.incomplete"
        with path.open("wb"):
            download(session, local_store.access, local_info, path)
        assert path.read_bytes() == DATA

    @pytest.mark.parametrize("exists", [True, False])
    def test_a_symbolic_link_is_followed(self, local_group, local_info, tmp_path, exists):
        if exists:
            (tmp_path / "target").write_bytes(b"old")
        (tmp_path / "link").symlink_to("target")
        local_group.start_download_file(local_info, str(tmp_path / "link")).result()
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "target").read_bytes() == DATA

    def test_the_mode_of_a_file_stays(self, local_group, local_info, tmp_path):
        (tmp_path / "x").touch(0o600)
        local_group.start_download_file(local_info, str(tmp_path / "x")).result()
        assert (tmp_path / "x").stat().st_mode & 0o777 == 0o600

    def test_the_mode_of_a_new_file_follows_the_umask(self, local_group, local_info, tmp_path):
        before = os.umask(0o027)
        try:
            local_group.start_download_file(local_info, str(tmp_path / "x")).result()
        finally:
            os.umask(before)
        assert (tmp_path / "x").stat().st_mode & 0o777 == 0o640

    @pytest.mark.parametrize("device", ["/dev/null", "/dev/full"])
    def test_a_device_stays_one(self, local_group, local_info, device):
        """Written to or refused, but not replaced."""
        handle = local_group.start_download_file(local_info, device)
        takes_bytes = pick("device_as_destination", genuine=device == "/dev/null", ours=False)
        with contextlib.nullcontext() if takes_bytes else fails(RuntimeError, "Task error: "):
            handle.result()
        assert Path(device).is_char_device()

    def test_the_same_place_twice(self, local_group, local_info, tmp_path):
        for _ in range(2):
            local_group.start_download_file(local_info, str(tmp_path / "x"))
        assert len(local_group.wait_to_finish().downloads) == 2
        assert (tmp_path / "x").read_bytes() == DATA

    def test_nothing_else_is_left_beside_it(self, local_group, local_info, tmp_path):
        folder = tmp_path / "folder"
        local_group.start_download_file(local_info, str(folder / "x")).result()
        local_group.wait_to_finish()
        assert [path.name for path in folder.iterdir()] == ["x"]

    @pytest.mark.parametrize("place", [".", "file/x", "/proc/nowhere/x", "a\0b"])
    def test_a_place_that_cannot_be_written_is_told(self, local_group, local_info, tmp_path, monkeypatch, place):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "file").write_bytes(b"old")
        with fails(RuntimeError, "Task error: ") as caught:
            local_group.start_download_file(local_info, place).result()
        assert isinstance(caught.value, OSError) == pick("precise_task_error", genuine=False, ours=True)
        assert (tmp_path / "file").read_bytes() == b"old"

    def test_an_empty_place_is_no_place(self, local_group, local_info):
        with fails(OSError, "I/O error: "):
            local_group.start_download_file(local_info, "")


class TestFailures:
    """A file that does not come."""

    def test_a_bad_hash_fails_when_it_is_used(self, local_group, tmp_path):
        with fails(RuntimeError, "Task error: ") as caught:
            local_group.start_download_file(hf_xet.XetFileInfo("abc", 3), str(tmp_path / "x")).result()
        assert "Unable to parse string as hex hash value (got 'abc')" in str(caught.value)
        assert not (tmp_path / "x").exists()

    def test_a_file_that_is_not_there(self, group, tmp_path):
        handle = group.start_download_file(hf_xet.XetFileInfo(NO_SUCH_HASH, 3), str(tmp_path / "x"))
        with fails(RuntimeError, "Task error: ") as caught:
            handle.result()
        found = isinstance(caught.value, hf_xet.XetObjectNotFoundError)
        assert found == pick("precise_task_error", genuine=False, ours=True)

    def test_a_file_of_unknown_size_that_is_not_there(self, local_group, tmp_path):
        handle = local_group.start_download_file(hf_xet.XetFileInfo(NO_SUCH_HASH), str(tmp_path / "x"))
        if pick("unknown_file_in_a_directory", genuine=True, ours=False):
            assert handle.result().file_info.file_size == 0
            assert (tmp_path / "x").read_bytes() == b""
        else:
            with fails(hf_xet.XetObjectNotFoundError, "Task error: "):
                handle.result()

    def test_a_failure_is_told_by_every_call(self, group, tmp_path):
        handle = group.start_download_file(hf_xet.XetFileInfo("abc", 3), str(tmp_path / "x"))
        for call in (handle.result, handle.try_result, handle.status, handle.result, group.wait_to_finish):
            with fails(RuntimeError) as caught:
                call()
            assert "(got 'abc')" in str(caught.value)
        assert "status=" in repr(handle)

    def test_waiting_raises_the_failure(self, group, tmp_path):
        group.start_download_file(hf_xet.XetFileInfo("abc", 3), str(tmp_path / "x"))
        with fails(RuntimeError, "Task error: "):
            group.wait_to_finish()
        with fails(RuntimeError):
            group.wait_to_finish()

    def test_the_other_files_of_the_group_come(self, group, info, tmp_path):
        a = group.start_download_file(info, str(tmp_path / "a"))
        b = group.start_download_file(hf_xet.XetFileInfo("abc", 3), str(tmp_path / "b"))
        c = group.start_download_file(info, str(tmp_path / "c"))
        with fails(RuntimeError, "Task error: "):
            group.wait_to_finish()
        assert (a.result().path, c.result().path) == (tmp_path / "a", tmp_path / "c")
        with fails(RuntimeError):
            b.result()
        assert (tmp_path / "a").read_bytes() == (tmp_path / "c").read_bytes() == DATA

    def test_a_failed_file_leaves_the_group_open(self, group, info, tmp_path):
        with fails(RuntimeError):
            group.start_download_file(hf_xet.XetFileInfo("abc", 3), str(tmp_path / "b")).result()
        assert group.status() == STATES.Running
        assert group.start_download_file(info, str(tmp_path / "a")).result().path == tmp_path / "a"

    def test_a_refused_argument_and_the_rest_of_the_group(self, local_group, local_info, tmp_path):
        with fails(OSError):
            local_group.start_download_file(local_info, "")
        if pick("poisoned_by_an_argument", genuine=True, ours=False):
            with fails(RuntimeError, "Previous task error: I/O error: "):
                local_group.start_download_file(local_info, str(tmp_path / "x"))
        else:
            local_group.start_download_file(local_info, str(tmp_path / "x"))
            assert len(local_group.wait_to_finish().downloads) == 1

    def test_a_declared_size_that_is_too_large(self, group, info, tmp_path):
        (tmp_path / "x").write_bytes(b"old")
        handle = group.start_download_file(hf_xet.XetFileInfo(info.hash, 300_001), str(tmp_path / "x"))
        with fails(RuntimeError, "Task error: "):
            handle.result()
        assert (tmp_path / "x").read_bytes() == pick("download_in_place", genuine=DATA, ours=b"old")

    def test_a_declared_size_that_is_too_small(self, group, info, tmp_path):
        handle = group.start_download_file(hf_xet.XetFileInfo(info.hash, 1000), str(tmp_path / "x"))
        if pick("file_size_too_small", genuine=True, ours=False):
            assert handle.result().file_info.file_size == 1000
            assert (tmp_path / "x").read_bytes() == DATA[:1000]
        else:
            with fails(RuntimeError, "Task error: "):
                handle.result()
            assert not (tmp_path / "x").exists()

    def test_bytes_that_are_not_those_of_the_hash(self, session, http_store, scripted, tmp_path):
        """A server that answers for one file with the plan of another."""
        other = upload(session, http_store.access, random_bytes(300_000, seed=99))
        to_server = forward(http_store.endpoint)

        asked = upload(session, http_store.access, DATA).hash

        def answer(request):
            return to_server(replace(request, path=request.path.replace(asked, other.hash)))

        lying = scripted(answer)
        group = session.new_file_download_group(**http_store.through(lying.url))
        handle = group.start_download_file(hf_xet.XetFileInfo(asked, 300_000), str(tmp_path / "x"))
        if pick("verified_downloads", genuine=False, ours=True):
            with fails(RuntimeError, "Task error: "):
                handle.result()
            assert not (tmp_path / "x").exists()
        else:
            handle.result()
            assert (tmp_path / "x").read_bytes() != DATA


@pytest.mark.parametrize(
    "call", [lambda g, i: g.wait_to_finish(), lambda g, i: g.start_download_file(i, "never")], ids=["wait", "start"]
)
class TestEnds:
    """A group ends once."""

    def test_a_group_ends_once(self, local_group, local_info, call):
        local_group.wait_to_finish()
        assert local_group.status() == STATES.Completed
        with fails(RuntimeError, "Already completed"):
            call(local_group, local_info)
        assert local_group.progress().total_bytes == 0

    def test_an_aborted_group_takes_nothing_more(self, local_group, local_info, call):
        assert local_group.abort() is None
        assert local_group.abort() is None
        assert local_group.status() == STATES.UserCancelled
        assert repr(local_group) == 'XetFileDownloadGroup(status="UserCancelled", downloads=[])'
        with fails(RuntimeError, "User cancelled: "):
            call(local_group, local_info)


def test_with_waits_and_hides_no_exception(session, local_store, local_info, tmp_path):
    with session.new_file_download_group(**local_store.access) as group:
        assert isinstance(group, hf_xet.XetFileDownloadGroup)
        handle = group.start_download_file(local_info, str(tmp_path / "x"))
    assert group.status() == handle.status() == STATES.Completed
    with pytest.raises(KeyError), session.new_file_download_group(**local_store.access) as group:
        raise KeyError
    assert group.status() == STATES.UserCancelled


def test_leaving_with_raises_the_failure(session, local_store, tmp_path):
    with fails(RuntimeError, "Task error: "), session.new_file_download_group(**local_store.access) as group:
        group.start_download_file(hf_xet.XetFileInfo("abc", 3), str(tmp_path / "x"))


@pytest.fixture
def held(session, http_store, scripted):
    """A server on the way to the store that lets the bytes of files wait for its release."""
    to_server = forward(http_store.endpoint)
    reached = threading.Event()

    def answer(request):
        answered = to_server(request)
        if "reconstructions" in request.path:
            return answered
        reached.set()
        return Answer(answered.status, answered.body, answered.headers, held=True)

    server = scripted(answer)
    server.reached = reached
    return server


@pytest.fixture
def running(session, http_store, held, tmp_path):
    """A group, and its only download, of which no byte has come yet."""
    info = upload(session, http_store.access, DATA)
    group = session.new_file_download_group(**http_store.through(held.url))
    handle = group.start_download_file(info, str(tmp_path / "x"))
    assert held.reached.wait(10)
    return group, handle


def settled(tmp_path: Path) -> bytes:
    """What is at the destination when nothing is under way any more."""
    path = tmp_path / "x"
    return path.read_bytes() if path.exists() else b""


class TestUnderWay:
    """A download that waits for its bytes."""

    def test_it_is_running(self, running, held, tmp_path):
        group, handle = running
        assert (handle.status(), handle.try_result(), group.status()) == (STATES.Running, None, STATES.Running)
        held.release()
        assert handle.result().path == tmp_path / "x"
        assert settled(tmp_path) == DATA

    def test_cancel_ends_it(self, running, held, tmp_path):
        group, handle = running
        assert handle.cancel() is None
        assert handle.cancel() is None
        assert handle.status() == STATES.UserCancelled
        assert handle.try_result() is None
        with fails(RuntimeError, "User cancelled: "):
            handle.result()
        with fails(RuntimeError, "User cancelled: "):
            group.wait_to_finish()
        held.release()
        assert settled(tmp_path) == b""
        assert (tmp_path / "x").exists() == pick("download_in_place", genuine=True, ours=False)

    def test_abort_ends_it(self, running, held, tmp_path):
        group, handle = running
        group.abort()
        assert handle.status() == STATES.UserCancelled
        with fails(RuntimeError, "User cancelled: "):
            handle.result()
        held.release()
        assert settled(tmp_path) == b""

    def test_abort_wakes_who_waits(self, running):
        group, _ = running
        ended = []

        def wait() -> None:
            with fails(RuntimeError, "User cancelled: "):
                group.wait_to_finish()
            ended.append(True)

        thread = threading.Thread(target=wait)
        thread.start()
        wait_until(lambda: group.status() != STATES.Running, "waiting")
        group.abort()
        thread.join(10)
        assert ended == [True]


def test_the_session_limits_files_at_a_time(config, http_store, held, session, tmp_path):
    """Counted over all groups."""
    info = upload(session, http_store.access, DATA)
    limited = hf_xet.XetSession(config.with_config("data.max_concurrent_file_downloads", 1))
    groups = [limited.new_file_download_group(**http_store.through(held.url)) for _ in range(2)]
    handles = [group.start_download_file(info, str(tmp_path / str(i))) for i, group in enumerate(groups)]
    assert held.reached.wait(10)
    plans = [r for r in held.requests if "reconstructions" in r.path]
    assert len(plans) == 1
    held.release()
    assert [handle.result().path.name for handle in handles] == ["0", "1"]


def test_stores_are_told_apart(session, local_store, local_info, tmp_path):
    """What one store has is not in another."""
    other = Store("local", f"local://{tmp_path / 'other'}")
    with pytest.raises(RuntimeError):
        download(session, other.access, local_info, tmp_path / "x")
