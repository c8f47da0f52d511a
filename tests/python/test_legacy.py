"""The functions and types from before there were sessions. They are deprecated and have to work all the same."""

from __future__ import annotations

import hashlib
import os
import threading
import time
import warnings
from pathlib import Path

import hf_xet
import pytest
from differences import pick
from support import (
    EMPTY_HASH,
    EMPTY_SHA256,
    FAR_FUTURE,
    NO_SUCH_HASH,
    attributes,
    fails,
    random_bytes,
    run_python,
    upload,
)

DATA = random_bytes(300_000, seed=31)
GIVEN_SHA256 = "ab" * 32
Download, Upload, Pointer = hf_xet.PyXetDownloadInfo, hf_xet.PyXetUploadInfo, hf_xet.PyPointerFile
pytestmark = pytest.mark.filterwarnings("ignore:hf_xet.*deprecated:DeprecationWarning")


def upload_bytes(store, contents, *, refresher=None, updater=None, token=None, **options):
    token = token or (store.token and (store.token, FAR_FUTURE))
    return hf_xet.upload_bytes(contents, store.endpoint, token, refresher, updater, None, **options)


def upload_files(store, paths, *, refresher=None, updater=None, **options):
    token = store.token and (store.token, FAR_FUTURE)
    return hf_xet.upload_files(paths, store.endpoint, token, refresher, updater, None, **options)


def download_files(store, files, *, refresher=None, updaters=None, **options):
    token = store.token and (store.token, FAR_FUTURE)
    return hf_xet.download_files(files, store.endpoint, token, refresher, updaters, **options)


@pytest.fixture
def known(session, local_store) -> str:
    """The hash of DATA, which the local store has."""
    return upload(session, local_store.access, DATA).hash


class TestTypes:
    """What goes into the functions and comes out of them."""

    def test_download_info(self):
        info = Download("p", "h", 3)
        assert attributes(info) == {"destination_path": "p", "hash": "h", "file_size": 3}
        assert repr(info) == "PyXetDownloadInfo(p, h, 3)"
        assert repr(Download(destination_path="p", hash="h")) == "PyXetDownloadInfo(p, h, None)"
        assert str(info).startswith("PyXetDownloadInfo")
        info.destination_path = "q"
        assert info.destination_path == "q"
        for name in ("hash", "file_size", "anything"):
            with pytest.raises(AttributeError):
                setattr(info, name, 1)
        with pytest.raises(TypeError):
            info.destination_path = 3
        with pytest.raises(AttributeError):
            del info.destination_path

    def test_download_info_can_be_subclassed(self):
        class Derived(Download):
            pass

        derived = Derived("p", "h")
        derived.more = 1
        assert (derived.destination_path, derived.more) == ("p", 1)

    def test_pointer_file(self):
        pointer = Pointer("p", "h", 3)
        assert isinstance(pointer, Download)
        assert attributes(pointer) == {
            "destination_path": "p",
            "path": "p",
            "hash": "h",
            "file_size": 3,
            "filesize": 3,
        }
        assert repr(pointer) == "PyPointerFile(p, h, 3)"
        assert str(pointer).startswith("PyPointerFile")
        pointer.path = "q"
        assert pointer.destination_path == "q"
        pointer.destination_path = "r"
        assert pointer.path == "r"
        for name in ("hash", "filesize", "file_size"):
            with pytest.raises(AttributeError):
                setattr(pointer, name, 1)
        assert Pointer(path="p", hash="h", filesize=4).filesize == 4

    def test_upload_info(self):
        info = Upload("h", 3)
        assert attributes(info) == {"hash": "h", "file_size": 3, "filesize": 3, "sha256": None}
        assert repr(info) == "PyXetUploadInfo(h, 3, None)"
        assert str(info).startswith("PyXetUploadInfo")
        for name in ("hash", "file_size", "filesize", "sha256"):
            with pytest.raises(AttributeError):
                setattr(info, name, "x")

    @pytest.mark.parametrize(
        ("kind", "arguments", "error"),
        [
            (Download, ("p",), TypeError),
            (Download, (Path("p"), "h"), TypeError),
            (Download, ("p", b"h"), TypeError),
            (Download, ("p", "h", "3"), TypeError),
            (Download, ("p", "h", -1), OverflowError),
            (Pointer, ("p", "h"), TypeError),
            (Pointer, ("p", "h", None), TypeError),
            (Pointer, ("p", "h", -1), OverflowError),
            (Upload, ("h",), TypeError),
            (Upload, ("h", None), TypeError),
            (Upload, (3, 3), TypeError),
        ],
    )
    def test_wrong_arguments(self, kind, arguments, error):
        with pytest.raises(error):
            kind(*arguments)


class TestTransfers:
    """Bytes there and back."""

    def test_there_and_back(self, store, tmp_path):
        contents = [DATA, b"hello", random_bytes(1000, seed=1)]
        paths = [str(tmp_path / f"{i}") for i in range(len(contents))]
        for path, data in zip(paths, contents, strict=True):
            Path(path).write_bytes(data)
        by_path = upload_files(store, paths)
        by_bytes = upload_bytes(store, contents)
        for path_info, bytes_info, data in zip(by_path, by_bytes, contents, strict=True):
            assert isinstance(path_info, Upload)
            assert attributes(path_info) == attributes(bytes_info)
            assert path_info.file_size == len(data)
            assert path_info.sha256 == hashlib.sha256(data).hexdigest()
        out = [str(tmp_path / "out" / f"{i}/x") for i in range(len(contents))]
        asked = [Download(path, info.hash, info.file_size) for path, info in zip(out, by_path, strict=True)]
        assert download_files(store, asked) == out
        assert [Path(path).read_bytes() for path in out] == contents

    def test_repr_of_a_result(self, local_store):
        (info,) = upload_bytes(local_store, [b"hello"])
        digest = hashlib.sha256(b"hello").hexdigest()
        assert repr(info).startswith(f"PyXetUploadInfo({info.hash}, 5, ")
        assert digest in repr(info)

    def test_hashes_need_no_store(self, local_store, tmp_path):
        (tmp_path / "a").write_bytes(DATA)
        (tmp_path / "empty").touch()
        (uploaded,) = upload_bytes(local_store, [DATA])
        a, empty = hf_xet.hash_files([str(tmp_path / "a"), str(tmp_path / "empty")])
        assert (a.hash, a.file_size, a.sha256) == (uploaded.hash, len(DATA), None)
        assert (empty.hash, empty.file_size) == (EMPTY_HASH, 0)

    def test_nothing_in_nothing_out(self, local_store):
        assert upload_bytes(local_store, []) == upload_files(local_store, []) == hf_xet.hash_files([]) == []
        assert download_files(local_store, []) == []

    def test_the_empty_file(self, local_store, tmp_path):
        (tmp_path / "empty").touch()
        (by_path,) = upload_files(local_store, [str(tmp_path / "empty")])
        (by_bytes,) = upload_bytes(local_store, [b""])
        assert (by_path.hash, by_path.file_size) == (by_bytes.hash, by_bytes.file_size) == (EMPTY_HASH, 0)
        assert by_bytes.sha256 == EMPTY_SHA256
        assert by_path.sha256 == pick("empty_file_sha256", genuine=EMPTY_HASH, ours=EMPTY_SHA256)
        path = str(tmp_path / "copy")
        assert download_files(local_store, [Download(path, EMPTY_HASH, 0)]) == [path]
        assert Path(path).read_bytes() == b""

    def test_pointers_and_subclasses_are_taken(self, local_store, known, tmp_path):
        class Derived(Download):
            pass

        paths = [str(tmp_path / name) for name in "ab"]
        files = [Pointer(paths[0], known, len(DATA)), Derived(paths[1], known)]
        assert download_files(local_store, files) == paths
        assert {Path(path).read_bytes() for path in paths} == {DATA}

    def test_paths_may_be_relative(self, local_store, known, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert download_files(local_store, [Download("sub/x", known)]) == ["sub/x"]
        assert upload_files(local_store, ["sub/x"])[0].hash == known

    def test_tuples_are_lists(self, local_store, tmp_path):
        (tmp_path / "a").write_bytes(b"a")
        path = str(tmp_path / "a")
        assert upload_files(local_store, (path,))[0].hash == hf_xet.hash_files((path,))[0].hash
        assert upload_bytes(local_store, (b"a",))[0].file_size == 1

    @pytest.mark.parametrize("content", [bytearray(b"ab"), memoryview(b"ab"), [97, 98]])
    def test_contents_are_sequences_of_bytes(self, local_store, content):
        assert upload_bytes(local_store, [content])[0].sha256 == hashlib.sha256(b"ab").hexdigest()

    def test_sha256s_are_taken_or_left_out(self, local_store, tmp_path):
        (tmp_path / "a").write_bytes(b"a")
        computed = hashlib.sha256(b"a").hexdigest()
        for function, what in ((upload_files, [str(tmp_path / "a")]), (upload_bytes, [b"a"])):
            assert function(local_store, what)[0].sha256 == computed
            assert function(local_store, what, skip_sha256=True)[0].sha256 is None
            assert function(local_store, what, sha256s=[GIVEN_SHA256])[0].sha256 == GIVEN_SHA256
            assert function(local_store, what, sha256s=["zz"])[0].sha256 == computed

    def test_headers_and_tokens_are_sent(self, scripted):
        server = scripted(404)
        files = [Download("never", NO_SUCH_HASH, 3)]
        with fails(OSError):
            hf_xet.download_files(
                files, server.url, ("given", FAR_FUTURE), None, None, {"X-Mine": "1", "user-agent": "me"}
            )
        assert server.requests
        for request in server.requests:
            assert request.headers["authorization"] == "Bearer given"
            assert request.headers["x-mine"] == "1"
            assert request.headers["user-agent"].startswith("me; hf_xet/")


class TestRefusals:
    """Wrong arguments, and what cannot be done."""

    @pytest.mark.parametrize("function", [upload_files, upload_bytes])
    def test_sha256s_must_fit(self, local_store, function):
        what = ["x"] if function is upload_files else [b"x"]
        name = "file_paths" if function is upload_files else "file_contents"
        with fails(ValueError, "skip_sha256=True and sha256s are mutually exclusive"):
            function(local_store, what, sha256s=[GIVEN_SHA256], skip_sha256=True)
        with fails(ValueError, f"sha256s length (2) must match {name} length (1)"):
            function(local_store, what, sha256s=[GIVEN_SHA256] * 2)
        with pytest.raises(TypeError):
            function(local_store, what, sha256s=[None])
        with pytest.raises(TypeError):
            function(local_store, what, skip_sha256=1)

    @pytest.mark.parametrize("given", ["a", [b"a"], [Path("a")], None, [3]])
    def test_paths_are_lists_of_text(self, local_store, given):
        with pytest.raises(TypeError):
            upload_files(local_store, given)
        with pytest.raises(TypeError):
            hf_xet.hash_files(given)

    @pytest.mark.parametrize("given", ["a", b"a", ["a"], [3], None])
    def test_contents_are_lists_of_bytes(self, local_store, given):
        with pytest.raises(TypeError):
            upload_bytes(local_store, given)

    @pytest.mark.parametrize("given", [Download("a", "b"), ["a"], None, [None], [hf_xet.XetFileInfo("a")]])
    def test_files_are_lists_of_download_infos(self, local_store, given):
        with pytest.raises(TypeError):
            download_files(local_store, given)

    @pytest.mark.parametrize(
        ("token", "kind"),
        [
            (3, TypeError),
            (["a", 5], TypeError),
            (("a", "b"), TypeError),
            ((None, 5), TypeError),
            (("a",), ValueError),
            (("a", 5, 6), ValueError),
            (("a", -1), OverflowError),
        ],
    )
    def test_a_token_is_a_pair(self, local_store, token, kind):
        with pytest.raises(kind):
            upload_bytes(local_store, [b"x"], token=token)

    @pytest.mark.parametrize(
        ("headers", "kind"),
        [({"a b": "c"}, ValueError), ({"a": "c\n"}, ValueError), ({"a": 1}, TypeError), ([], TypeError)],
    )
    def test_headers_are_headers(self, local_store, headers, kind):
        with pytest.raises(kind):
            upload_bytes(local_store, [b"x"], request_headers=headers)

    def test_a_missing_file(self, local_store, tmp_path):
        for call in (lambda p: upload_files(local_store, p), hf_xet.hash_files):
            with fails(OSError, "I/O error: "):
                call([str(tmp_path / "missing")])

    def test_a_bad_hash(self, local_store, tmp_path):
        with fails(RuntimeError, "Data integrity error: Unable to parse string as hex hash value (got 'zz')"):
            download_files(local_store, [Download(str(tmp_path / "x"), "zz", 3)])

    def test_a_place_that_cannot_be_written(self, local_store, known):
        with fails(OSError, "I/O error: "):
            download_files(local_store, [Download("/proc/nowhere/x", known, len(DATA))])

    def test_a_size_that_is_too_large(self, local_store, known, tmp_path):
        with fails(RuntimeError):
            download_files(local_store, [Download(str(tmp_path / "x"), known, len(DATA) + 1)])

    def test_a_file_that_is_not_there(self, http_store, tmp_path):
        kind = pick("not_found_error", genuine=ConnectionError, ours=hf_xet.XetObjectNotFoundError)
        with fails(kind):
            download_files(http_store, [Download(str(tmp_path / "x"), NO_SUCH_HASH, 3)])

    def test_a_refused_token(self, scripted):
        kind = pick("authentication_error", genuine=ConnectionError, ours=hf_xet.XetAuthenticationError)
        with fails(kind):
            hf_xet.upload_bytes([b"x"], scripted(401).url, None, None, None, None)


def call_in_two_steps() -> None:
    """Calls a deprecated function four lines down, in a function of its own that is called two lines later."""

    def step() -> None:
        hf_xet.upload_bytes([], "memory://", None, None, None, None)

    step()


class TestWarnings:
    """Each transfer says that it is deprecated, at the line of its caller."""

    @pytest.mark.parametrize(
        ("call", "old", "new"),
        [
            (lambda s: upload_bytes(s, []), "upload_bytes", "new_upload_commit().start_upload_bytes()"),
            (lambda s: upload_files(s, []), "upload_files", "new_upload_commit().start_upload_file()"),
            (lambda s: download_files(s, []), "download_files", "new_file_download_group().start_download_file()"),
        ],
    )
    def test_the_text_names_the_successor(self, local_store, call, old, new):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            call(local_store)
        assert [(w.category, str(w.message)) for w in caught] == [
            (DeprecationWarning, f"hf_xet.{old}() is deprecated. Use XetSession().{new} instead.")
        ]
        assert caught[0].filename == __file__

    def test_the_line_is_the_caller_s(self):
        first = call_in_two_steps.__code__.co_firstlineno
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            call_in_two_steps()
        line = caught[0].lineno - first
        assert line == pick("line_of_the_warning", genuine=6, ours=4)

    def test_hashing_is_not_deprecated(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            hf_xet.hash_files([])

    def test_a_warning_that_is_made_an_error_stops_the_call(self, local_store):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(DeprecationWarning):
                upload_bytes(local_store, [b"x"])


class Recorder:
    """Updaters of all accepted shapes, which remember what they were told."""

    def __init__(self) -> None:
        self.increments: list[int] = []
        self.updates: list[tuple[dict, list[dict]]] = []

    def one(self, n: int) -> None:
        self.increments.append(n)

    def two(self, total_update: object, item_updates: object) -> None:
        self.updates.append((attributes(total_update), [attributes(item) for item in item_updates]))
        assert isinstance(total_update, hf_xet.PyTotalProgressUpdate)
        assert {type(item) for item in item_updates} <= {hf_xet.PyItemProgressUpdate}
        assert isinstance(item_updates, list)

    def __call__(self, n: int) -> None:
        self.one(n)


TOTALS = (
    "total_bytes",
    "total_bytes_completed",
    "total_bytes_completion_increment",
    "total_bytes_completion_rate",
    "total_bytes_increment",
    "total_transfer_bytes",
    "total_transfer_bytes_completed",
    "total_transfer_bytes_completion_increment",
    "total_transfer_bytes_completion_rate",
    "total_transfer_bytes_increment",
)


def no_argument() -> None: ...
def three(a: int, b: int, c: int) -> None: ...
def wrong_names(a: int, b: int) -> None: ...
def swapped(item_updates: list, total_update: object) -> None: ...
def optional(a: int, b: int = 3) -> None: ...


class TestUpdaters:
    """Progress."""

    @pytest.mark.parametrize(
        "shape",
        [
            lambda r: r.one,
            lambda r: r,
            lambda r: lambda n: r.one(n),
            lambda r: r.increments.append,
            lambda r: lambda *n: r.one(*n),
        ],
        ids=["method", "object", "function", "builtin", "any number"],
    )
    def test_one_argument_gets_increments(self, local_store, shape):
        recorder = Recorder()
        upload_bytes(local_store, [DATA, b"hello"], updater=shape(recorder))
        assert {type(n) for n in recorder.increments} == {int}
        assert sum(recorder.increments) == len(DATA) + 5

    def test_two_arguments_get_reports(self, local_store, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        Path("a").write_bytes(DATA)
        recorder = Recorder()
        upload_files(local_store, ["a"], updater=recorder.two)
        total, _ = recorder.updates[-1]
        assert sorted(total) == sorted(TOTALS)
        for kind in ("total_bytes", "total_transfer_bytes"):
            assert total[kind] == total[f"{kind}_completed"] == len(DATA)
            assert sum(t[f"{kind}_increment"] for t, _ in recorder.updates) == len(DATA)
            assert sum(t[f"{kind}_completion_increment"] for t, _ in recorder.updates) == len(DATA)
            assert total[f"{kind}_completion_rate"] is None or total[f"{kind}_completion_rate"] >= 0
        items = [item for _, items in recorder.updates for item in items]
        assert {item["item_name"] for item in items} == {"a"}
        assert sum(item["bytes_completion_increment"] for item in items) == len(DATA)
        assert (items[-1]["bytes_completed"], items[-1]["total_bytes"]) == (len(DATA), len(DATA))
        assert set(items[-1]) == {"item_name", "total_bytes", "bytes_completed", "bytes_completion_increment"}

    def test_downloads_have_one_each(self, local_store, known, tmp_path):
        first, second = Recorder(), Recorder()
        files = [Download(str(tmp_path / name), known, len(DATA)) for name in "ab"]
        download_files(local_store, files, updaters=[first.one, second.two])
        assert sum(first.increments) == len(DATA)
        total, items = second.updates[-1]
        assert (total["total_bytes"], total["total_bytes_completed"]) == (len(DATA), len(DATA))
        assert (total["total_transfer_bytes"], total["total_bytes_completion_rate"]) == (0, None)
        assert [item["item_name"] for item in items] == [str(tmp_path / "b")]

    def test_none_is_no_updater(self, local_store, known, tmp_path):
        files = [Download(str(tmp_path / "a"), known)]
        assert download_files(local_store, files, updaters=[None]) == [str(tmp_path / "a")]
        assert upload_bytes(local_store, [b"x"], updater=None)

    @pytest.mark.parametrize(
        ("updater", "text"),
        [
            (no_argument, "must take exactly 1 or 2 arguments, but got 0"),
            (three, "must take exactly 1 or 2 arguments, but got 3"),
            (wrong_names, "must have either one argument or two named arguments (total_update, item_updates)"),
            (swapped, "must have either one argument or two named arguments (total_update, item_updates)"),
            (optional, "must have either one argument or two named arguments (total_update, item_updates)"),
            (3, "update func: 3 is not callable"),
            ("x", "update func: 'x' is not callable"),
        ],
    )
    def test_another_shape_is_a_type_error(self, local_store, known, tmp_path, updater, text):
        with pytest.raises(TypeError) as caught:
            upload_bytes(local_store, [b"x"], updater=updater)
        assert text in str(caught.value)
        with pytest.raises(TypeError) as caught:
            download_files(local_store, [Download(str(tmp_path / "x"), known)], updaters=[updater])
        assert text in str(caught.value)

    @pytest.mark.parametrize("count", [0, 2])
    def test_there_must_be_as_many_as_files(self, local_store, known, tmp_path, count):
        files = [Download(str(tmp_path / "x"), known)]
        text = "Configuration error: Parameter error: updaters are not same length as pointer_files"
        with fails(ValueError, text):
            download_files(local_store, files, updaters=[Recorder().one] * count)

    def test_downloads_want_a_list(self, local_store, known, tmp_path):
        with pytest.raises(TypeError):
            download_files(local_store, [Download(str(tmp_path / "x"), known)], updaters=Recorder().one)

    def test_an_updater_that_fails_is_ignored(self, local_store):
        called = []

        def broken(n: int) -> None:
            called.append(n)
            raise ValueError

        assert upload_bytes(local_store, [DATA], updater=broken)[0].file_size == len(DATA)
        assert called


class TestRefreshers:
    """Tokens from a function."""

    FILES = (Download("never", NO_SUCH_HASH, 3),)

    def ask(self, server, token, refresher) -> set[str | None]:
        """What a failing download sends as authorization."""
        with fails(OSError):
            hf_xet.download_files(list(self.FILES), server.url, token, refresher, None)
        return {request.headers.get("authorization") for request in server.requests}

    def test_it_is_asked_when_there_is_no_token(self, scripted):
        threads = []

        def refresh() -> tuple[str, int]:
            threads.append(threading.get_ident())
            return "fresh", FAR_FUTURE

        assert self.ask(scripted(404), None, refresh) == {"Bearer fresh"}
        assert len(threads) == 1

    def test_it_is_asked_when_the_token_is_almost_over(self, scripted):
        soon = int(time.time()) + 20
        assert self.ask(scripted(404), ("old", soon), lambda: ("fresh", FAR_FUTURE)) == {"Bearer fresh"}

    def test_it_is_not_asked_for_a_good_token(self, scripted):
        asked = []
        assert self.ask(scripted(404), ("good", FAR_FUTURE), lambda: asked.append(1)) == {"Bearer good"}
        assert asked == []

    @pytest.mark.parametrize(
        "refresher",
        [lambda: 1 / 0, lambda: 3, lambda: ("a",), lambda: (1, 2), lambda: ["a", FAR_FUTURE], lambda: None],
    )
    def test_a_failure_is_an_authentication_error(self, scripted, refresher):
        kind = pick("authentication_error", genuine=ConnectionError, ours=hf_xet.XetAuthenticationError)
        server = scripted(404)
        with fails(kind):
            hf_xet.download_files(list(self.FILES), server.url, None, refresher, None)
        assert server.requests == []

    def test_the_text_tells_what_it_raised(self, scripted):
        with fails(OSError) as caught:
            hf_xet.download_files(list(self.FILES), scripted(404).url, None, lambda: 1 / 0, None)
        assert "division by zero" in str(caught.value)

    def test_it_must_be_callable(self, scripted):
        with fails(TypeError, "refresh func: 3 is not callable"):
            hf_xet.download_files(list(self.FILES), scripted(404).url, None, 3, None)


def test_force_sigint_shutdown_raises_every_time_and_breaks_nothing(local_store):
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            hf_xet.force_sigint_shutdown()
    assert upload_bytes(local_store, [b"x"])[0].file_size == 1


def test_a_forked_child_may_use_them(local_store):
    upload_bytes(local_store, [b"x"])
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                status = 0 if upload_bytes(local_store, [b"y"])[0].file_size == 1 else 1
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0


def test_an_updater_that_is_slow_while_files_are_added(tmp_path):
    """It lets other threads run, and the one that adds files is among them."""
    (tmp_path / "x").write_bytes(b"abc")
    program = """
    import hf_xet, signal, sys, time, warnings
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(60)
    calls = []
    def updater(increment):
        calls.append(increment)
        time.sleep(0.3)
    paths = [sys.argv[1]] * 20_000
    infos = hf_xet.upload_files(paths, "local://" + sys.argv[2], None, None, updater, None)
    print(len(infos), sum(calls))
    """
    done = run_python(program, tmp_path, str(tmp_path / "x"), str(tmp_path / "store"))
    assert (done.out, done.err) == ("20000 60000\n", "")
