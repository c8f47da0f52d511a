"""XetDownloadStreamGroup and its two kinds of streams."""

from __future__ import annotations

import gc
import re
import threading

import hf_xet
import pytest
from differences import pick
from scripted import HELD
from support import EMPTY_HASH, NO_SUCH_HASH, Store, attributes, fails, random_bytes, stream_error, upload

DATA = random_bytes(3_000_000, seed=4)
SIZE = len(DATA)
ALREADY_FINISHED = r"already finalized"


@pytest.fixture(scope="module")
def local_store(tmp_path_factory) -> Store:
    """One store for all tests here: they only read."""
    return Store("local", f"local://{tmp_path_factory.mktemp('store')}")


@pytest.fixture(scope="module")
def infos(session, local_store, http_store) -> dict[str, hf_xet.XetFileInfo]:
    """The file in each store."""
    return {store.kind: upload(session, store.access, DATA) for store in (local_store, http_store)}


@pytest.fixture
def info(infos, store):
    return infos[store.kind]


@pytest.fixture
def group(session, store):
    return session.new_download_stream_group(**store.access)


@pytest.fixture
def local(session, local_store, infos):
    """A group, and the file in its store."""
    return session.new_download_stream_group(**local_store.access), infos["local"]


def put_together(pieces, size: int) -> bytes:
    """The content of an unordered stream; its pieces must not overlap and leave nothing out."""
    got = sorted(pieces)
    at = 0
    for offset, piece in got:
        assert offset == at
        at += len(piece)
    assert at == size
    return b"".join(piece for _, piece in got)


def read(group, info, *byte_range, ordered: bool) -> bytes:
    """What a stream yields, whichever its kind."""
    if ordered:
        return b"".join(group.download_stream(info, *byte_range))
    pieces = list(group.download_unordered_stream(info, *byte_range))
    return put_together(pieces, sum(len(piece) for _, piece in pieces))


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("sized", [True, False])
def test_a_stream_yields_the_file(group, info, ordered, sized):
    asked = info if sized else hf_xet.XetFileInfo(info.hash)
    assert read(group, asked, ordered=ordered) == DATA


def test_the_pieces_have_types(local):
    group, info = local
    assert {type(piece) for piece in group.download_stream(info)} == {bytes}
    for pair in group.download_unordered_stream(info):
        assert (type(pair), type(pair[0]), type(pair[1])) == (tuple, int, bytes)


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("sized", [True, False])
@pytest.mark.parametrize(
    ("start", "end"),
    [
        (0, SIZE),
        (0, 10),
        (None, 10),
        (10, None),
        (100_000, 2_000_000),
        (SIZE - 1, None),
        (0, SIZE + 1_000_000),
        (SIZE - 5, SIZE + 5),
        (0, 0),
        (5, 5),
        (True, 3),
    ],
)
def test_a_range_yields_its_bytes(group, info, ordered, sized, start, end):
    asked = info if sized else hf_xet.XetFileInfo(info.hash)
    assert read(group, asked, start, end, ordered=ordered) == DATA[start:end]


@pytest.mark.parametrize("ordered", [True, False])
def test_the_ends_of_a_range_have_names(local, ordered):
    group, info = local
    make = group.download_stream if ordered else group.download_unordered_stream
    pieces = list(make(file_info=info, start=5, end=9))
    assert pieces == ([DATA[5:9]] if ordered else [(0, DATA[5:9])])


@pytest.mark.parametrize("make", ["download_stream", "download_unordered_stream"])
@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ((-1, None), OverflowError),
        ((0, -1), OverflowError),
        ((2**64, None), OverflowError),
        (("a", None), TypeError),
        ((1.0, None), TypeError),
        ((0, "a"), TypeError),
        ((0, 1, 2), TypeError),
    ],
)
def test_a_range_of_something_else_is_refused(local, make, arguments, kind):
    group, info = local
    with pytest.raises(kind):
        getattr(group, make)(info, *arguments)
    assert getattr(group, make)(info)


@pytest.mark.parametrize("make", ["download_stream", "download_unordered_stream"])
@pytest.mark.parametrize("given", ["x", None, 3])
def test_only_a_file_info_names_a_file(local, make, given):
    with pytest.raises(TypeError):
        getattr(local[0], make)(given)


@pytest.mark.parametrize("make", ["download_stream", "download_unordered_stream"])
@pytest.mark.parametrize(
    ("start", "end", "text"),
    [
        (5, 3, "Invalid range: start (5) > end (3)"),
        (SIZE, None, f"range start ({SIZE}) is at or beyond the file size ({SIZE})"),
        (SIZE + 1, None, f"range start ({SIZE + 1}) is at or beyond the file size ({SIZE})"),
        (SIZE, SIZE, f"range start ({SIZE}) is at or beyond the file size ({SIZE})"),
    ],
)
def test_a_range_that_cannot_be_is_refused_at_once(local, make, start, end, text):
    group, info = local
    with fails(ValueError, "Configuration error: Parameter error: " + text):
        getattr(group, make)(info, start, end)
    if pick("poisoned_by_an_argument", genuine=True, ours=False):
        with fails(RuntimeError, "Previous task error: Configuration error: Parameter error: " + text):
            getattr(group, make)(info)
    else:
        assert getattr(group, make)(info)


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("start", [SIZE, SIZE + 1])
def test_a_start_past_a_size_that_is_not_known_yields_nothing(group, info, ordered, start):
    assert read(group, hf_xet.XetFileInfo(info.hash), start, ordered=ordered) == b""


@pytest.mark.parametrize("make", ["download_stream", "download_unordered_stream"])
def test_a_bad_hash_is_refused_at_once(local, make):
    with fails(RuntimeError, "Data integrity error: Unable to parse string as hex hash value (got 'zz')"):
        getattr(local[0], make)(hf_xet.XetFileInfo("zz", 3))


@pytest.mark.parametrize("make", ["download_stream", "download_unordered_stream"])
def test_the_empty_file_yields_nothing(session, scripted, make):
    server = scripted(500)
    group = session.new_download_stream_group(endpoint=server.url)
    assert list(getattr(group, make)(hf_xet.XetFileInfo(EMPTY_HASH, 0))) == []


@pytest.mark.parametrize(
    ("make", "kind", "name"),
    [
        ("download_stream", hf_xet.XetDownloadStream, "stream"),
        ("download_unordered_stream", hf_xet.XetUnorderedDownloadStream, "unordered_stream"),
    ],
)
def test_a_stream_tells_its_progress(local, make, kind, name):
    group, info = local
    stream = getattr(group, make)(info, 1000, 2_001_000)
    assert isinstance(stream, kind)
    assert iter(stream) is stream
    text = re.fullmatch(rf"{kind.__name__}\(task_id=(\d+), bytes_completed=0/2000000\)", repr(stream))
    assert text
    assert repr(stream) == str(stream)
    progress = stream.progress()
    assert isinstance(progress, hf_xet.ItemProgressReport)
    assert attributes(progress) == {"item_name": name, "total_bytes": 2_000_000, "bytes_completed": 0}
    for _ in stream:
        pass
    assert repr(stream) == f"{kind.__name__}(task_id={text[1]}, bytes_completed=2000000/2000000)"
    assert stream.progress().bytes_completed == 2_000_000


def test_an_ended_stream_stays_ended(local):
    group, info = local
    stream = group.download_stream(info)
    list(stream)
    for _ in range(3):
        with pytest.raises(StopIteration):
            next(stream)


@pytest.mark.parametrize("make", ["download_stream", "download_unordered_stream"])
def test_nothing_is_asked_before_the_first_next(session, http_store, infos, scripted, make):
    server = scripted(404)
    group = session.new_download_stream_group(**http_store.through(server.url))
    stream = getattr(group, make)(infos["http"])
    stream.progress()
    assert server.requests == []


@pytest.mark.parametrize("make", ["download_stream", "download_unordered_stream"])
@pytest.mark.parametrize("begun", [False, True])
def test_cancel_ends_the_iteration(local, make, begun):
    group, info = local
    stream = getattr(group, make)(info)
    if begun:
        next(stream)
    assert stream.cancel() is None
    assert stream.cancel() is None
    with pytest.raises(StopIteration):
        next(stream)
    assert b"".join(group.download_stream(info)) == DATA


def taken_in_a_thread(stream) -> tuple[threading.Thread, list[object]]:
    """Starts to take all of a stream; the list gets what came, or the exception."""
    ended: list[object] = []

    def take() -> None:
        try:
            ended.append(list(stream))
        except Exception as e:
            ended.append(e)

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    return thread, ended


def test_a_stream_can_be_used_while_another_thread_waits_for_it(session, scripted):
    server = scripted(HELD)
    stream = session.new_download_stream_group(endpoint=server.url).download_stream(hf_xet.XetFileInfo(NO_SUCH_HASH, 3))
    thread, ended = taken_in_a_thread(stream)
    assert server.asked.wait(10)
    if pick("stream_in_two_threads", genuine=True, ours=False):
        for call in (stream.cancel, stream.progress, lambda: next(stream)):
            with fails(RuntimeError, "Already "):
                call()
        server.release()
    else:
        assert stream.progress().bytes_completed == 0
        stream.cancel()
    thread.join(10)
    assert len(ended) == 1


@pytest.mark.parametrize("make", ["download_stream", "download_unordered_stream"])
def test_a_failure_comes_from_next_and_ends_the_stream(session, scripted, make):
    server = scripted(404)
    group = session.new_download_stream_group(endpoint=server.url)
    stream, caught = stream_error(lambda: getattr(group, make)(hf_xet.XetFileInfo(NO_SUCH_HASH, 3)))
    assert isinstance(caught, OSError)
    for _ in range(2):
        with pytest.raises(StopIteration):
            next(stream)


def test_a_failure_is_never_taken_for_the_end(session, scripted):
    """Of a hundred streams that fail, all say so. How many of the genuine module do is a matter of luck."""
    server = scripted(500)
    group = session.new_download_stream_group(endpoint=server.url)
    silent = 0
    for _ in range(100):
        try:
            list(group.download_stream(hf_xet.XetFileInfo(NO_SUCH_HASH, 3)))
            silent += 1
        except ConnectionError:
            pass
    assert silent in pick("stream_error_is_raised", genuine=range(101), ours=range(1))


def test_a_finished_group_makes_no_streams_and_keeps_those_it_made(local):
    group, info = local
    begun, waiting = group.download_stream(info), group.download_stream(info)
    first = next(begun)
    assert group.finish() is None
    assert group.finish() is None
    with pytest.raises(ValueError, match=ALREADY_FINISHED):
        group.download_stream(info)
    for make in (group.download_stream, group.download_unordered_stream):
        with pytest.raises((RuntimeError, ValueError), match=ALREADY_FINISHED):
            make(info)
    assert first + b"".join(begun) == DATA
    assert b"".join(waiting) == DATA


def test_an_aborted_group_ends_its_streams(local):
    group, info = local
    begun, waiting = group.download_stream(info), group.download_stream(info)
    next(begun)
    assert group.abort() is None
    assert group.abort() is None
    assert list(waiting) == []
    assert len(b"".join(begun)) < SIZE
    for call in (
        lambda: group.download_stream(info),
        lambda: group.download_unordered_stream(info),
        lambda: group.finish(),
    ):
        with fails(RuntimeError, "User cancelled: "):
            call()


def test_abort_wakes_who_waits(session, scripted):
    server = scripted(HELD)
    group = session.new_download_stream_group(endpoint=server.url)
    thread, ended = taken_in_a_thread(group.download_stream(hf_xet.XetFileInfo(NO_SUCH_HASH, 3)))
    assert server.asked.wait(10)
    group.abort()
    thread.join(10)
    assert len(ended) == 1


def test_with_finishes_or_aborts(session, local_store, local):
    info = local[1]
    with session.new_download_stream_group(**local_store.access) as group:
        assert isinstance(group, hf_xet.XetDownloadStreamGroup)
        stream = group.download_stream(info)
    assert b"".join(stream) == DATA
    with pytest.raises(ValueError, match=ALREADY_FINISHED):
        group.download_stream(info)
    with pytest.raises(KeyError), session.new_download_stream_group(**local_store.access) as group:
        stream = group.download_stream(info)
        raise KeyError
    assert list(stream) == []
    with fails(RuntimeError, "User cancelled: "):
        group.finish()


def test_a_group_shows_its_type_only(local):
    assert repr(local[0]) == str(local[0]) == "XetDownloadStreamGroup()"


def test_a_stream_outlives_its_group(session, local_store, local):
    stream = session.new_download_stream_group(**local_store.access).download_stream(local[1])
    gc.collect()
    assert b"".join(stream) == DATA


def test_dropping_a_stream_half_way_is_harmless(local):
    group, info = local
    for _ in range(20):
        next(group.download_stream(info))
    assert b"".join(group.download_stream(info)) == DATA


def test_a_declared_size_cuts_a_stream(local):
    group, info = local
    stream = group.download_stream(hf_xet.XetFileInfo(info.hash, 1000))
    if pick("file_size_too_small", genuine=True, ours=False):
        assert b"".join(stream) == DATA[:1000]
    else:
        with pytest.raises(RuntimeError):
            list(stream)
