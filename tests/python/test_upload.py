"""XetUploadCommit and XetFileUpload: what may be uploaded, what is told about it, and what happens when it fails."""

from __future__ import annotations

import array
import hashlib
import re

import hf_xet
import pytest
from differences import pick
from support import EMPTY_HASH, EMPTY_SHA256, attributes, download, fails, random_bytes, upload

STATES = hf_xet.XetTaskState
GIVEN_SHA256 = "ab" * 32


@pytest.fixture
def commit(session, local_store):
    return session.new_upload_commit(**local_store.access)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(random_bytes(300_000))
    return path


def test_a_file_comes_back(session, store, file, tmp_path):
    with session.new_upload_commit(**store.access) as commit:
        handle = commit.start_upload_file(str(file))
    info = handle.result().xet_info
    assert (len(info.hash), info.file_size) == (64, 300_000)
    assert info.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert download(session, store.access, info, tmp_path / "copy") == file.read_bytes()


def test_many_files_and_streams_of_one_commit_come_back(session, store, tmp_path):
    contents = {f"{i}": random_bytes(i * 30_000, seed=i) for i in range(12)}
    with session.new_upload_commit(**store.access) as commit:
        handles = {}
        for name, data in contents.items():
            if int(name) % 3 == 0:
                (tmp_path / name).write_bytes(data)
                handles[name] = commit.start_upload_file(str(tmp_path / name))
            elif int(name) % 3 == 1:
                handles[name] = commit.start_upload_bytes(data)
            else:
                with commit.start_upload_stream() as handles[name]:
                    for at in range(0, len(data), 50_000):
                        handles[name].write(data[at : at + 50_000])
    for name, data in contents.items():
        handle = handles[name]
        metadata = handle.try_finish() if isinstance(handle, hf_xet.XetStreamUpload) else handle.result()
        assert download(session, store.access, metadata.xet_info, tmp_path / "out" / name) == data


def test_the_hash_does_not_depend_on_the_way_of_the_bytes(commit, file):
    data = file.read_bytes()
    by_path = commit.start_upload_file(str(file))
    by_bytes = commit.start_upload_bytes(data)
    stream = commit.start_upload_stream()
    for byte_range in (slice(0, 1), slice(1, 100_000), slice(100_000, None)):
        stream.write(data[byte_range])
    hashes = {by_path.result().xet_info.hash, by_bytes.result().xet_info.hash, stream.finish().xet_info.hash}
    assert len(hashes) == 1


def test_a_path_may_be_relative(commit, file, monkeypatch):
    monkeypatch.chdir(file.parent)
    handle = commit.start_upload_file("a.bin")
    assert handle.result().tracking_name == str(file)
    assert handle.progress().item_name == str(file)


def test_a_path_is_made_absolute_and_not_resolved(commit, file, monkeypatch):
    (file.parent / "link").symlink_to(file)
    monkeypatch.chdir(file.parent)
    assert commit.start_upload_file("link").result().tracking_name == str(file.parent / "link")


def test_a_name_need_not_be_ascii(commit, tmp_path):
    path = tmp_path / "ä 名前.bin"
    path.write_bytes(b"hello")
    assert commit.start_upload_file(str(path)).result().tracking_name == str(path)


@pytest.mark.parametrize(
    "arguments", [(), (3,), (None,), (b"a.bin",), ("a.bin", 3), ("a.bin", b"x"), ("a.bin", None, "name")]
)
def test_wrong_arguments_for_a_file_are_type_errors(commit, arguments):
    with pytest.raises(TypeError):
        commit.start_upload_file(*arguments)
    assert commit.status() == STATES.Running


def test_a_path_object_is_a_type_error(commit, file):
    with pytest.raises(TypeError):
        commit.start_upload_file(file)
    assert commit.status() == STATES.Running


def test_a_lone_surrogate_is_no_path(commit):
    with pytest.raises(UnicodeEncodeError):
        commit.start_upload_file("a\udc80")
    assert commit.status() == STATES.Running


@pytest.mark.parametrize(
    ("given", "data"),
    [
        (b"abc", b"abc"),
        (bytearray(b"abc"), b"abc"),
        (memoryview(b"abc"), b"abc"),
        (memoryview(b"abcdef")[::2], b"ace"),
        (array.array("B", [1, 2]), b"\1\2"),
        ([1, 2, 255], b"\1\2\xff"),
        ((1, 2), b"\1\2"),
        (range(4), b"\0\1\2\3"),
        ([True, False], b"\1\0"),
        ([], b""),
        (b"", b""),
    ],
)
def test_bytes_are_any_sequence_of_bytes(commit, given, data):
    info = commit.start_upload_bytes(given).result().xet_info
    assert (info.file_size, info.sha256) == (len(data), hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ("abc", TypeError),
        (None, TypeError),
        (3, TypeError),
        (iter([1]), TypeError),
        ({1, 2}, TypeError),
        (["a"], TypeError),
        ([1.5], TypeError),
        ([300], OverflowError),
        ([-1], OverflowError),
    ],
)
def test_anything_else_is_not_bytes(commit, given, kind):
    with pytest.raises(kind):
        commit.start_upload_bytes(given)
    assert commit.status() == STATES.Running


def test_bytes_are_copied(commit):
    data = bytearray(random_bytes(1_000_000))
    before = hashlib.sha256(data).hexdigest()
    handle = commit.start_upload_bytes(data)
    data[:] = bytes(len(data))
    assert handle.result().xet_info.sha256 == before


@pytest.mark.parametrize("name", [3, b"x"])
def test_a_name_is_text(commit, name):
    with pytest.raises(TypeError):
        commit.start_upload_bytes(b"abc", name=name)


def test_a_name_is_told_again(commit):
    handle = commit.start_upload_bytes(b"abc", None, "the name")
    assert handle.result().tracking_name == "the name"
    assert handle.progress().item_name == "the name"


def test_without_a_name_there_is_none(commit):
    handle = commit.start_upload_bytes(b"abc")
    assert handle.result().tracking_name is None
    assert handle.progress().item_name == ""


@pytest.mark.parametrize("start", ["start_upload_file", "start_upload_bytes"])
@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (None, "computed"),
        (hf_xet.COMPUTE_SHA256, "computed"),
        (hf_xet.SKIP_SHA256, None),
        (GIVEN_SHA256, GIVEN_SHA256),
        (GIVEN_SHA256.upper(), GIVEN_SHA256),
        # What is no SHA-256 is taken for "compute".
        ("zz", "computed"),
        ("", "computed"),
        (GIVEN_SHA256[:-2], "computed"),
    ],
)
def test_a_sha256_is_computed_skipped_or_taken(commit, file, start, policy, expected):
    data = str(file) if start == "start_upload_file" else file.read_bytes()
    info = getattr(commit, start)(data, sha256=policy).result().xet_info
    computed = hashlib.sha256(file.read_bytes()).hexdigest()
    assert info.sha256 == (computed if expected == "computed" else expected)


@pytest.mark.parametrize("policy", [3, b"x", hf_xet.XetConfig, object()])
def test_another_sha256_policy_is_a_type_error(commit, file, policy):
    text = "sha256 must be a str, COMPUTE_SHA256, or SKIP_SHA256"
    with fails(TypeError, text):
        commit.start_upload_file(str(file), sha256=policy)
    with fails(TypeError, text):
        commit.start_upload_bytes(b"abc", policy)
    with fails(TypeError, text):
        commit.start_upload_stream(None, policy)
    assert commit.status() == STATES.Running


def test_the_policies_are_named():
    assert repr(hf_xet.COMPUTE_SHA256) == "COMPUTE_SHA256"
    assert repr(hf_xet.SKIP_SHA256) == "SKIP_SHA256"


def test_nothing_is_a_file_too(session, store, tmp_path):
    (tmp_path / "empty").touch()
    with session.new_upload_commit(**store.access) as commit:
        by_path = commit.start_upload_file(str(tmp_path / "empty")).result().xet_info
        by_bytes = commit.start_upload_bytes(b"").result().xet_info
    assert (by_path.hash, by_path.file_size) == (by_bytes.hash, by_bytes.file_size) == (EMPTY_HASH, 0)
    assert by_bytes.sha256 == EMPTY_SHA256
    assert by_path.sha256 == pick("empty_file_sha256", genuine=EMPTY_HASH, ours=EMPTY_SHA256)
    assert download(session, store.access, by_path, tmp_path / "copy") == b""


def test_what_is_known_is_not_sent_again(session, http_store):
    data = random_bytes(500_000, seed=77)
    upload(session, http_store.access, data)
    metrics = []
    for _ in range(2):
        commit = session.new_upload_commit(**http_store.access)
        commit.start_upload_bytes(data)
        metrics.append(commit.wait_to_finish().dedup_metrics)
    assert [(m.new_bytes, m.deduped_bytes, m.total_bytes) for m in metrics] == [(0, 500_000, 500_000)] * 2


def test_handles_tell_the_state_and_the_result(commit, file):
    handle = commit.start_upload_file(str(file))
    number = hash(handle.task_id())
    assert re.fullmatch(
        rf'XetFileUpload\(task_id={number}, status="(Running|Completed)", bytes_completed=\d+/300000\)', repr(handle)
    )
    result = handle.result()
    assert handle.status() == STATES.Completed
    assert result.task_id == handle.task_id()
    assert handle.try_result().xet_info.hash == handle.result().xet_info.hash == result.xet_info.hash
    progress = handle.progress()
    assert isinstance(progress, hf_xet.ItemProgressReport)
    assert (progress.item_name, progress.total_bytes) == (str(file), 300_000)
    assert repr(result) == str(result)
    assert repr(result) == (
        f'XetFileMetadata(task_id={number}, name="{file}", hash="{result.xet_info.hash}", size=300000)'
    )


def test_repr_of_what_has_no_name(commit):
    result = commit.start_upload_bytes(b"abc").result()
    assert repr(result).startswith(f'XetFileMetadata(task_id={hash(result.task_id)}, name="None", hash="')


def test_a_commit_tells_its_uploads_while_it_runs(commit, file):
    assert repr(commit) == str(commit) == 'XetUploadCommit(status="Running", uploads=[])'
    a = commit.start_upload_file(str(file))
    b = commit.start_upload_bytes(b"abc")
    a.result(), b.result()
    text = re.sub(r"bytes_completed=\d+/", "bytes_completed=n/", repr(commit))
    known = [
        f'({hash(a.task_id())}, "{file}", bytes_completed=n/300000)',
        f"({hash(b.task_id())}, None, bytes_completed=n/3)",
    ]
    assert text in {
        f'XetUploadCommit(status="Running", uploads=[{", ".join(order)}])' for order in (known, known[::-1])
    }


def test_the_report_of_a_commit_tells_everything(commit, file):
    a = commit.start_upload_file(str(file))
    b = commit.start_upload_bytes(b"abc", name="b")
    with commit.start_upload_stream("c") as c:
        c.write(b"hello")
    report = commit.wait_to_finish()
    assert isinstance(report, hf_xet.XetCommitReport)
    assert {id_: u.tracking_name for id_, u in report.uploads.items()} == {
        a.task_id(): str(file),
        b.task_id(): "b",
        c.task_id(): "c",
    }
    assert all(isinstance(u, hf_xet.XetFileMetadata) and u.task_id == id_ for id_, u in report.uploads.items())
    assert report.uploads[a.task_id()].xet_info.hash == a.result().xet_info.hash
    metrics = attributes(report.dedup_metrics)
    assert metrics["total_bytes"] == metrics["new_bytes"] == 300_008
    assert metrics["total_chunks"] == metrics["new_chunks"] >= 3
    for zero in ("deduped_bytes", "deduped_chunks", "deduped_bytes_by_global_dedup", "defrag_prevented_dedup_bytes"):
        assert metrics[zero] == 0
    assert metrics["total_bytes_uploaded"] == metrics["xorb_bytes_uploaded"] + metrics["shard_bytes_uploaded"]
    assert metrics["xorb_bytes_uploaded"] > 300_000
    assert metrics["shard_bytes_uploaded"] > 0
    assert all(type(value) is int for value in metrics.values())
    assert (report.progress.total_bytes, report.progress.total_bytes_completed) == (300_008, 300_008)
    assert repr(report) == str(report)
    assert repr(report).startswith("XetCommitReport(files=3, total_bytes=300008, deduped_bytes=0, uploads=[(")
    assert f'({hash(b.task_id())}, "b", hash="{b.result().xet_info.hash}", size=3)' in repr(report)


def test_a_file_has_metrics_of_its_own(commit, file):
    result = commit.start_upload_file(str(file)).result()
    assert isinstance(result.dedup_metrics, hf_xet.DeduplicationMetrics)
    assert result.dedup_metrics.total_bytes == 300_000


def test_reports_cannot_be_written(commit):
    report = commit.wait_to_finish()
    for target, name in ((report, "progress"), (report.dedup_metrics, "new_bytes"), (report, "anything")):
        with pytest.raises(AttributeError):
            setattr(target, name, 1)
    with pytest.raises(AttributeError):
        del report.progress
    with pytest.raises(AttributeError):
        report.__dict__  # noqa: B018 - that it is missing is the test


def test_a_commit_of_nothing_is_a_commit(session, store):
    report = session.new_upload_commit(**store.access).wait_to_finish()
    assert report.uploads == {}
    assert report.dedup_metrics.total_bytes == 0
    assert repr(report) == "XetCommitReport(files=0, total_bytes=0, deduped_bytes=0, uploads=[])"


def test_a_store_in_memory_takes_a_commit(session):
    with session.new_upload_commit(endpoint="memory://") as commit:
        handle = commit.start_upload_bytes(b"abc")
    assert (commit.status(), handle.result().xet_info.file_size) == (STATES.Completed, 3)


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.wait_to_finish(),
        lambda c: c.start_upload_bytes(b"x"),
        lambda c: c.start_upload_file(__file__),
        lambda c: c.start_upload_stream(),
    ],
)
def test_a_commit_ends_once(commit, call):
    handle = commit.start_upload_bytes(b"abc")
    commit.wait_to_finish()
    assert commit.status() == STATES.Completed
    with fails(RuntimeError, "Already completed"):
        call(commit)
    assert handle.result().xet_info.file_size == 3
    assert commit.progress().total_bytes == 3
    assert repr(commit) == 'XetUploadCommit(status="Completed", uploads=[])'


def test_abort_after_the_end_takes_nothing_back(session, local_store, tmp_path):
    commit = session.new_upload_commit(**local_store.access)
    handle = commit.start_upload_bytes(b"abc")
    commit.wait_to_finish()
    assert commit.abort() is None
    assert download(session, local_store.access, handle.result().xet_info, tmp_path / "copy") == b"abc"


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.wait_to_finish(),
        lambda c: c.start_upload_bytes(b"x"),
        lambda c: c.start_upload_file(__file__),
        lambda c: c.start_upload_stream(),
        lambda c: c.__exit__(None, None, None),
    ],
)
def test_an_aborted_commit_takes_nothing_more(commit, call):
    commit.abort()
    assert commit.abort() is None
    assert commit.status() == STATES.UserCancelled
    assert repr(commit) == 'XetUploadCommit(status="UserCancelled", uploads=[])'
    with fails(RuntimeError, "User cancelled: "):
        call(commit)
    assert commit.progress().total_bytes == 0


def test_with_gives_the_commit_and_hides_no_exception(session, local_store):
    with pytest.raises(KeyError), session.new_upload_commit(**local_store.access) as commit:
        assert isinstance(commit, hf_xet.XetUploadCommit)
        raise KeyError
    assert commit.status() == STATES.UserCancelled


def test_exit_returns_what_hides_nothing(commit):
    assert commit.__enter__() is commit
    assert not commit.__exit__(None, None, None)
    assert commit.status() == STATES.Completed


def test_an_aborted_commit_registers_nothing(session, http_store, tmp_path):
    commit = session.new_upload_commit(**http_store.access)
    info = commit.start_upload_bytes(random_bytes(1000, seed=5)).result().xet_info
    commit.abort()
    with pytest.raises(RuntimeError):
        download(session, http_store.access, info, tmp_path / "copy")


def test_a_missing_file_is_an_os_error(commit, tmp_path):
    with fails(OSError, "I/O error: ") as caught:
        commit.start_upload_file(str(tmp_path / "missing"))
    assert "No such file or directory" in str(caught.value)


def test_an_empty_path_is_an_os_error(commit):
    with fails(OSError, "I/O error: "):
        commit.start_upload_file("")


def test_a_missing_file_and_the_rest_of_the_commit(commit, tmp_path):
    with fails(OSError):
        commit.start_upload_file(str(tmp_path / "missing"))
    if pick("poisoned_by_an_argument", genuine=True, ours=False):
        for call in (commit.start_upload_stream, commit.wait_to_finish):
            with fails(RuntimeError, "Previous task error: I/O error: "):
                call()
    else:
        commit.start_upload_bytes(b"abc")
        assert commit.wait_to_finish().dedup_metrics.total_bytes == 3


def unreadable(folder) -> str:
    """A path that can be named but not read, whoever asks."""
    (folder / "directory").mkdir()
    return str(folder / "directory")


def test_a_directory_is_an_os_error(commit, tmp_path):
    with fails(OSError, "I/O error: ") as caught:
        commit.start_upload_file(unreadable(tmp_path))
        commit.wait_to_finish()
    assert "directory" in str(caught.value)


def test_a_failed_commit_stays_failed(commit, tmp_path):
    with fails(OSError):
        commit.start_upload_file(unreadable(tmp_path))
        commit.wait_to_finish()
    with pytest.raises(RuntimeError):
        commit.wait_to_finish()


def test_a_file_that_cannot_be_read_fails_alone_or_with_the_others(session, http_store, tmp_path):
    commit = session.new_upload_commit(**http_store.access)
    good = commit.start_upload_bytes(random_bytes(1000, seed=6)).result().xet_info
    with fails(OSError, "I/O error: "):
        commit.start_upload_file(unreadable(tmp_path))
        commit.wait_to_finish()
    if pick("partial_commit", genuine=True, ours=False):
        assert len(download(session, http_store.access, good, tmp_path / "copy")) == 1000
    else:
        with pytest.raises(RuntimeError):
            download(session, http_store.access, good, tmp_path / "copy")


def test_a_stream_has_to_be_finished_first(commit):
    stream = commit.start_upload_stream()
    stream.write(b"abc")
    with fails(RuntimeError, "Internal error: stream upload not finished before commit"):
        commit.wait_to_finish()
    with fails(RuntimeError):
        commit.wait_to_finish()


def test_status_raises_what_a_commit_failed_with(commit):
    commit.start_upload_stream()
    with fails(RuntimeError):
        commit.wait_to_finish()
    with fails(RuntimeError, "Task error: Internal error: stream upload not finished before commit"):
        commit.status()


class TestStreams:
    """XetStreamUpload."""

    def test_the_pieces_are_put_together(self, session, store, tmp_path):
        data = random_bytes(700_000)
        with session.new_upload_commit(**store.access) as commit:
            stream = commit.start_upload_stream("name", hf_xet.COMPUTE_SHA256)
            for at in range(0, len(data), 9999):
                assert stream.write(data[at : at + 9999]) is None
            result = stream.finish()
        assert (result.tracking_name, result.xet_info.file_size) == ("name", len(data))
        assert result.xet_info.sha256 == hashlib.sha256(data).hexdigest()
        assert download(session, store.access, result.xet_info, tmp_path / "copy") == data

    @pytest.mark.parametrize("given", [bytearray(b"a"), memoryview(b"a"), array.array("B", [1]), [1], "a", None, 3])
    def test_only_bytes_are_written(self, commit, given):
        stream = commit.start_upload_stream()
        with pytest.raises(TypeError):
            stream.write(given)
        stream.write(b"")
        stream.write(b"abc")
        assert stream.finish().xet_info.file_size == 3

    @pytest.mark.parametrize("arguments", [(3,), (b"x",), (None, 3), (None, None, None)])
    def test_wrong_arguments_are_type_errors(self, commit, arguments):
        with pytest.raises(TypeError):
            commit.start_upload_stream(*arguments)

    def test_a_stream_tells_its_state(self, commit):
        stream = commit.start_upload_stream()
        number = hash(stream.task_id())
        assert (
            repr(stream) == str(stream) == f'XetStreamUpload(task_id={number}, status="Running", bytes_completed=0/0)'
        )
        assert (stream.status(), stream.try_finish()) == (STATES.Running, None)
        stream.write(b"abc")
        progress = stream.progress()
        assert (progress.item_name, progress.total_bytes) == ("", 3)
        assert stream.status() == STATES.Running
        result = stream.finish()
        assert result.task_id == stream.task_id()
        assert result.tracking_name is None
        assert stream.status() == STATES.Completed
        assert stream.try_finish().xet_info.hash == result.xet_info.hash
        assert re.fullmatch(
            rf'XetStreamUpload\(task_id={number}, status="Completed", bytes_completed=\d/3\)', repr(stream)
        )

    def test_a_name_shows_in_the_progress(self, commit):
        assert commit.start_upload_stream("the name").progress().item_name == "the name"

    def test_a_stream_of_nothing_is_the_empty_file(self, commit):
        info = commit.start_upload_stream().finish().xet_info
        assert (info.hash, info.file_size) == (EMPTY_HASH, 0)
        assert info.sha256 == pick("empty_file_sha256", genuine=EMPTY_HASH, ours=EMPTY_SHA256)

    def test_a_stream_may_skip_the_sha256(self, commit):
        assert commit.start_upload_stream(sha256=hf_xet.SKIP_SHA256).finish().xet_info.sha256 is None
        assert commit.start_upload_stream(sha256=GIVEN_SHA256).finish().xet_info.sha256 == GIVEN_SHA256

    @pytest.mark.parametrize("call", [lambda s: s.finish(), lambda s: s.write(b"x")])
    def test_a_stream_ends_once(self, commit, call):
        stream = commit.start_upload_stream()
        stream.finish()
        with fails(RuntimeError, "Already completed"):
            call(stream)

    @pytest.mark.parametrize("call", [lambda s: s.finish(), lambda s: s.write(b"x")])
    def test_an_aborted_stream_takes_nothing_more(self, commit, call):
        stream = commit.start_upload_stream()
        stream.write(b"abc")
        assert stream.abort() is None
        assert stream.abort() is None
        assert (stream.status(), stream.try_finish()) == (STATES.UserCancelled, None)
        with fails(RuntimeError, "User cancelled: "):
            call(stream)
        assert commit.status() == STATES.Running

    def test_an_aborted_stream_keeps_its_commit_from_ending_well(self, commit):
        commit.start_upload_stream().abort()
        with fails(RuntimeError, "Internal error: stream upload not finished before commit"):
            commit.wait_to_finish()

    def test_with_finishes(self, commit):
        with commit.start_upload_stream() as stream:
            stream.write(b"abc")
        assert stream.status() == STATES.Completed
        assert stream.try_finish().xet_info.file_size == 3

    def test_with_takes_a_finished_stream(self, commit):
        with commit.start_upload_stream() as stream:
            result = stream.finish()
        assert stream.try_finish().xet_info.hash == result.xet_info.hash

    def test_with_aborts_on_an_exception(self, commit):
        with pytest.raises(KeyError), commit.start_upload_stream() as stream:
            raise KeyError
        assert stream.status() == STATES.UserCancelled

    def test_aborting_the_commit_ends_its_streams(self, commit):
        stream = commit.start_upload_stream()
        commit.abort()
        assert stream.status() == STATES.UserCancelled
        with fails(RuntimeError, "User cancelled: "):
            stream.write(b"x")
