"""XetSession: its arguments, its states, and what is left of it after sigint_abort()."""

from __future__ import annotations

import contextlib
import re
import threading

import hf_xet
import pytest
from differences import pick
from scripted import HELD
from support import NO_SUCH_HASH, fails, random_bytes, run_python, upload

FACTORIES = ("new_upload_commit", "new_file_download_group", "new_download_stream_group")
SIGINT_TEXT = "Keyboard interrupt (SIGINT)"


def test_a_session_is_made_without_arguments_or_with_a_config(config):
    for made in (
        hf_xet.XetSession(),
        hf_xet.XetSession(None),
        hf_xet.XetSession(config),
        hf_xet.XetSession(config=config),
    ):
        assert made.status() == hf_xet.XetTaskState.Running


@pytest.mark.parametrize("arguments", [(3,), ("x",), ({},), (None, None)])
def test_anything_else_is_a_type_error(arguments):
    with pytest.raises(TypeError):
        hf_xet.XetSession(*arguments)
    with pytest.raises(TypeError):
        hf_xet.XetSession(other=1)


def test_repr_tells_id_state_and_config(config):
    text = repr(hf_xet.XetSession(config))
    uuid_v7 = "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    assert re.match(rf'XetSession\(id="{uuid_v7}", status="Running", config=\{{', text)
    assert "client.retry_max_attempts=1, " in text
    assert "data.default_prefix='default'" in text


def test_the_states_are_constants_of_their_class():
    states = [getattr(hf_xet.XetTaskState, name) for name in ("Running", "Finalizing", "Completed", "UserCancelled")]
    assert [int(state) for state in states] == [0, 1, 2, 3]
    assert [repr(state) for state in states] == [
        "XetTaskState.Running",
        "XetTaskState.Finalizing",
        "XetTaskState.Completed",
        "XetTaskState.UserCancelled",
    ]
    for state in states:
        assert [other == state for other in states].count(True) == 1
        assert state != int(state)
        assert state != repr(state)
    with pytest.raises(TypeError):
        states[0] < states[1]  # noqa: B015 - the comparison is the test


def test_ids_compare_hash_and_grow(session, local_store):
    with session.new_upload_commit(**local_store.access) as commit:
        first, second = (commit.start_upload_bytes(data).task_id() for data in (b"a", b"b"))
    assert first == first
    assert first != second
    assert hash(first) < hash(second)
    assert repr(first) == str(first) == f"UniqueId({hash(first)})"
    assert len({first, second, first}) == 2
    assert first != hash(first)
    with pytest.raises(TypeError):
        first < second  # noqa: B015 - the comparison is the test
    with pytest.raises(TypeError):
        int(first)


@pytest.mark.parametrize("factory", FACTORIES)
@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ({"endpoint": 3}, TypeError),
        ({"endpoint": b"http://x"}, TypeError),
        ({"token": 3}, TypeError),
        ({"token_expiry_unix_secs": "1"}, TypeError),
        ({"token_expiry_unix_secs": 1.5}, TypeError),
        ({"token_expiry_unix_secs": -1}, OverflowError),
        ({"token_expiry_unix_secs": 2**64}, OverflowError),
        ({"token_refresh_url": 3}, TypeError),
        ({"token_refresh_headers": [("a", "b")]}, TypeError),
        ({"custom_headers": "ab"}, TypeError),
        ({"custom_headers": {"a": 1}}, TypeError),
        ({"custom_headers": {1: "a"}}, TypeError),
        ({"custom_headers": {"a": None}}, TypeError),
        ({"other": 1}, TypeError),
    ],
)
def test_a_factory_refuses_what_is_of_the_wrong_kind(session, factory, arguments, kind):
    with pytest.raises(kind):
        getattr(session, factory)(**arguments)
    assert session.status() == hf_xet.XetTaskState.Running


@pytest.mark.parametrize("factory", FACTORIES[:2])
@pytest.mark.parametrize(
    ("interval", "kind"), [(-1, OverflowError), ("100", TypeError), (None, TypeError), (1.5, TypeError)]
)
def test_the_interval_of_the_callback_is_a_count(session, local_store, factory, interval, kind):
    with pytest.raises(kind):
        getattr(session, factory)(**local_store.access, progress_interval_ms=interval)


@pytest.mark.parametrize("factory", FACTORIES)
@pytest.mark.parametrize("parameter", ["custom_headers", "token_refresh_headers"])
@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({"a b": "c"}, "Invalid header name 'a b'"),
        ({"": "c"}, "Invalid header name ''"),
        ({"a:": "c"}, "Invalid header name 'a:'"),
        ({"é": "c"}, "Invalid header name 'é'"),
        ({"a": "c\n"}, "Invalid header value for 'a'"),
        ({"a": "c\0"}, "Invalid header value for 'a'"),
    ],
)
def test_a_header_that_cannot_be_sent_is_a_value_error(session, local_store, factory, parameter, headers, text):
    # The headers of the token route are looked at when there is one.
    route = "http://127.0.0.1:1/never-asked"
    with fails(ValueError, text):
        getattr(session, factory)(**local_store.access, token_refresh_url=route, **{parameter: headers})
    assert session.status() == hf_xet.XetTaskState.Running


@pytest.mark.parametrize("factory", FACTORIES)
@pytest.mark.parametrize("headers", [None, {}, {"a": ""}, {"a": "\t b "}, {"a": "é"}])
def test_a_header_may_be_empty_or_not_ascii(session, local_store, factory, headers):
    assert getattr(session, factory)(**local_store.access, custom_headers=headers)


def test_arguments_of_a_factory_have_an_order(session, local_store):
    made = session.new_upload_commit(local_store.endpoint, None, None, None, None, {}, None, 50)
    assert made.status() == hf_xet.XetTaskState.Running
    with pytest.raises(TypeError):
        session.new_upload_commit(local_store.endpoint, None, None, None, None, {}, None, 50, None)


def test_the_default_endpoint_comes_from_the_config(config, scripted):
    server = scripted(404)
    session = hf_xet.XetSession(config.with_config("data.default_cas_endpoint", server.url))
    stream = session.new_download_stream_group().download_stream(hf_xet.XetFileInfo(NO_SUCH_HASH, 3))
    list_until_error(stream)
    assert server.requests


def list_until_error(stream) -> None:
    """Takes what there is; that it fails is not the point."""
    with contextlib.suppress(OSError):
        list(stream)


def test_children_outlive_the_last_reference_to_their_session(config, local_store, tmp_path):
    data = random_bytes(100_000)
    info = upload(hf_xet.XetSession(config), local_store.access, data)
    stream = hf_xet.XetSession(config).new_download_stream_group(**local_store.access).download_stream(info)
    assert b"".join(stream) == data


AFTER_INTERRUPT = (
    "new_upload_commit",
    "new_file_download_group",
    "new_download_stream_group",
    "start_upload_bytes",
    "start_upload_file",
    "start_upload_stream",
    "commit.wait_to_finish",
    "start_download_file",
    "group.wait_to_finish",
    "download_stream",
    "streams.finish",
)


def after_interrupt(config, access):
    """A session that was interrupted, and calls on it and on what it had made, called as in AFTER_INTERRUPT."""
    session = hf_xet.XetSession(config)
    commit = session.new_upload_commit(**access)
    group = session.new_file_download_group(**access)
    streams = session.new_download_stream_group(**access)
    info = hf_xet.XetFileInfo(NO_SUCH_HASH, 3)
    session.sigint_abort()
    return session, {
        "new_upload_commit": lambda: session.new_upload_commit(**access),
        "new_file_download_group": lambda: session.new_file_download_group(**access),
        "new_download_stream_group": lambda: session.new_download_stream_group(**access),
        "start_upload_bytes": lambda: commit.start_upload_bytes(b"x"),
        "start_upload_file": lambda: commit.start_upload_file(__file__),
        "start_upload_stream": lambda: commit.start_upload_stream(),
        "commit.wait_to_finish": lambda: commit.wait_to_finish(),
        "start_download_file": lambda: group.start_download_file(info, "never"),
        "group.wait_to_finish": lambda: group.wait_to_finish(),
        "download_stream": lambda: streams.download_stream(info),
        "streams.finish": lambda: streams.finish(),
    }


@pytest.mark.parametrize("name", AFTER_INTERRUPT)
def test_an_interrupted_session_raises_keyboard_interrupt(config, local_store, name):
    _, calls = after_interrupt(config, local_store.access)
    with fails(KeyboardInterrupt, SIGINT_TEXT):
        calls[name]()


def test_an_interrupted_session_can_be_interrupted_again(config, local_store):
    session, _ = after_interrupt(config, local_store.access)
    assert session.sigint_abort() is None
    assert repr(session).startswith("XetSession(")


def test_abort_of_what_an_interrupted_session_made_does_nothing(config, local_store):
    session = hf_xet.XetSession(config)
    made = [getattr(session, factory)(**local_store.access) for factory in FACTORIES]
    session.sigint_abort()
    assert [one.abort() for one in made] == [None] * 3


def test_another_session_works_on(config, local_store):
    other = hf_xet.XetSession(config)
    after_interrupt(config, local_store.access)
    assert upload(other, local_store.access, b"hello").file_size == 5


def test_interrupting_unblocks_other_threads(config, scripted):
    """What huggingface_hub does on Ctrl-C while its download threads wait."""
    server = scripted(HELD)
    session = hf_xet.XetSession(config)
    info = hf_xet.XetFileInfo(NO_SUCH_HASH, 3)
    group = session.new_file_download_group(endpoint=server.url)
    group.start_download_file(info, "never")
    stream = session.new_download_stream_group(endpoint=server.url).download_stream(info)
    ended: list[type[BaseException]] = []

    def run(call) -> None:
        try:
            call()
        except BaseException as e:
            ended.append(type(e))

    threads = [threading.Thread(target=run, args=(call,)) for call in (group.wait_to_finish, lambda: next(stream))]
    for thread in threads:
        thread.start()
    server.asked.wait(10)
    session.sigint_abort()
    for thread in threads:
        thread.join(10)
    assert [thread.is_alive() for thread in threads] == [False, False]
    assert len(ended) == 2


def test_sigint_abort_says_nothing_the_first_time(tmp_path):
    done = run_python("import hf_xet; hf_xet.XetSession().sigint_abort()", tmp_path)
    assert (done.code, done.out, done.err) == (0, "", "")


def test_a_failed_factory_leaves_the_session_alone(config, scripted, local_store):
    session = hf_xet.XetSession(config)
    refusing = scripted(401)
    for factory in FACTORIES:
        with pytest.raises(OSError, match="401"):
            getattr(session, factory)(token_refresh_url=refusing.url)
        assert session.status() == hf_xet.XetTaskState.Running
    assert upload(session, local_store.access, b"hello").file_size == 5


def test_a_refused_token_is_an_authentication_error(session, scripted):
    kind = pick("authentication_error", genuine=ConnectionError, ours=hf_xet.XetAuthenticationError)
    for status in (401, 403):
        refusing = scripted(status)
        for factory in FACTORIES:
            with pytest.raises(kind, match=str(status)):
                getattr(session, factory)(token_refresh_url=refusing.url)
