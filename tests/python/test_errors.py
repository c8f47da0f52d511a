"""Which exception a broken network, a refusing server or a bad answer becomes, and how its text begins."""

from __future__ import annotations

import contextlib
import os
import socket
import threading

import hf_xet
import pytest
from differences import pick
from scripted import HELD, Answer
from support import NO_SUCH_HASH, fails, stream_error

MISSING = hf_xet.XetFileInfo(NO_SUCH_HASH, 3)
PLAIN_ERROR = (ConnectionError, "Network error: ")
AUTHENTICATION = pick(
    "authentication_error", genuine=PLAIN_ERROR, ours=(hf_xet.XetAuthenticationError, "Authentication error: ")
)
NOT_FOUND = pick("not_found_error", genuine=PLAIN_ERROR, ours=(hf_xet.XetObjectNotFoundError, "Not found: "))
TIME_OUT = pick("time_out", genuine=PLAIN_ERROR, ours=(TimeoutError, "Timeout: "))
RATE_LIMITED = (ConnectionError, "Rate limited: ")
SERVER_ERROR = (ConnectionError, "Server error: ")

# Status: what it becomes for an upload and for a download, and whether the request is made again.
STATUSES = {
    400: (PLAIN_ERROR, PLAIN_ERROR, False),
    401: (AUTHENTICATION, AUTHENTICATION, False),
    403: (AUTHENTICATION, AUTHENTICATION, False),
    404: (None, NOT_FOUND, False),
    409: (PLAIN_ERROR, PLAIN_ERROR, False),
    429: (RATE_LIMITED, RATE_LIMITED, True),
    500: (SERVER_ERROR, SERVER_ERROR, True),
    501: (SERVER_ERROR, SERVER_ERROR, False),
    503: (SERVER_ERROR, SERVER_ERROR, True),
}


def commit_of(session, endpoint):
    commit = session.new_upload_commit(endpoint=endpoint)
    commit.start_upload_bytes(b"abc")
    return commit


def stream_failure(session, endpoint) -> BaseException:
    group = session.new_download_stream_group(endpoint=endpoint)
    return stream_error(lambda: group.download_stream(MISSING))[1]


def file_failure(session, endpoint, tmp_path) -> BaseException:
    group = session.new_file_download_group(endpoint=endpoint)
    with fails(RuntimeError, "Task error: ") as caught:
        group.start_download_file(MISSING, str(tmp_path / "never")).result()
    return caught.value


def check(error: BaseException, expected: tuple[type, str]) -> None:
    kind, start = expected
    assert isinstance(error, kind)
    assert str(error).startswith(start)
    assert error.args == (str(error),)
    assert getattr(error, "errno", None) is None


@pytest.mark.parametrize("status", [status for status, (upload, _, _) in STATUSES.items() if upload])
def test_a_status_for_an_upload(session, scripted, status):
    with fails(OSError) as caught:
        commit_of(session, scripted(status).url).wait_to_finish()
    check(caught.value, STATUSES[status][0])
    assert str(status) in str(caught.value)


@pytest.mark.parametrize("status", STATUSES)
def test_a_status_for_a_stream(session, scripted, status):
    error = stream_failure(session, scripted(status).url)
    check(error, STATUSES[status][1])
    assert str(status) in str(error)


@pytest.mark.parametrize("status", STATUSES)
def test_a_status_for_a_file(session, scripted, status, tmp_path):
    error = file_failure(session, scripted(status).url, tmp_path)
    assert str(status) in str(error)
    kind = STATUSES[status][1][0]
    assert isinstance(error, kind) == pick("precise_task_error", genuine=False, ours=True)


@pytest.mark.parametrize("status", STATUSES)
def test_a_status_for_a_file_is_told_by_the_group(session, scripted, status, tmp_path):
    group = session.new_file_download_group(endpoint=scripted(status).url)
    group.start_download_file(MISSING, str(tmp_path / "never"))
    with fails(RuntimeError, "Task error: ") as caught:
        group.wait_to_finish()
    assert str(status) in str(caught.value)


@pytest.mark.parametrize("status", [400, 401, 429, 500, 503])
def test_what_may_pass_is_tried_again_as_often_as_configured(config, scripted, status):
    server = scripted(status)
    session = hf_xet.XetSession(config.with_config("client.retry_max_attempts", 3))
    group = session.new_file_download_group(endpoint=server.url)
    with fails(RuntimeError):
        group.start_download_file(MISSING, "never").result()
    assert len(server.requests) == (4 if STATUSES[status][2] else 1)


def nothing_came() -> contextlib.AbstractContextManager:
    """A server that says 416 has said that the file is empty, which only the hash of the empty file is."""
    return pick(
        "verified_downloads",
        genuine=contextlib.nullcontext(),
        ours=fails(RuntimeError, "Data integrity error: "),
    )


def test_a_server_that_recovers_is_not_noticed(session, scripted):
    """A first answer of 503 is forgotten when the second is good."""
    first = [True]

    def answer(_) -> Answer:
        return Answer(503 if first and first.pop() else 416)

    server = scripted(answer)
    group = session.new_download_stream_group(endpoint=server.url)
    with nothing_came():
        assert list(group.download_stream(hf_xet.XetFileInfo(NO_SUCH_HASH))) == []
    assert len(server.requests) > 1


@pytest.fixture
def closed_port():
    """An address where nobody listens while the test runs."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def hanging_up():
    """A server that talks no HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    connection.close()

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("where", ["closed_port", "hanging_up"])
def test_without_a_server_it_is_a_connection_error(session, where, request, tmp_path):
    endpoint = request.getfixturevalue(where)
    with fails(*PLAIN_ERROR):
        commit_of(session, endpoint).wait_to_finish()
    check(stream_failure(session, endpoint), PLAIN_ERROR)
    file_failure(session, endpoint, tmp_path)
    with fails(*PLAIN_ERROR):
        session.new_upload_commit(token_refresh_url=endpoint)


def test_a_server_that_does_not_answer_in_time(config, scripted, tmp_path):
    server = scripted(HELD)
    session = hf_xet.XetSession(config.with_config({"client.read_timeout": "150ms", "client.retry_max_attempts": 0}))
    check(stream_failure(session, server.url), TIME_OUT)
    with fails(*TIME_OUT):
        commit_of(session, server.url).wait_to_finish()
    with fails(*TIME_OUT):
        session.new_upload_commit(token_refresh_url=server.url)
    file_failure(session, server.url, tmp_path)


def test_an_answer_that_cannot_be_read(session, scripted, tmp_path):
    server = scripted(Answer(200, b"this is no JSON"))
    with pytest.raises((OSError, RuntimeError)) as caught:
        raise stream_failure(session, server.url)
    assert caught.type is not OSError
    file_failure(session, server.url, tmp_path)


@pytest.mark.parametrize("endpoint", ["", "foo", "/some/where", "ftp://127.0.0.1/"])
def test_an_endpoint_that_is_none_is_told_by_the_factory_or_at_use(session, endpoint):
    with pytest.raises((OSError, ValueError, RuntimeError)):
        commit_of(session, endpoint).wait_to_finish()


@pytest.mark.parametrize("status", [401, 404, 500])
def test_a_text_names_the_address_without_its_query(session, scripted, status):
    server = scripted(status)
    with fails(OSError) as caught:
        session.new_upload_commit(token_refresh_url=server.url + "/route?key=secret")
    assert server.url + "/route" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert server.requests[0].path == "/route?key=secret"


def test_a_refused_connection_does_not_tell_the_query(session, closed_port):
    with fails(*PLAIN_ERROR) as caught:
        session.new_upload_commit(token_refresh_url=closed_port + "/route?key=secret")
    assert "secret" not in str(caught.value)


def test_a_redirection_is_followed(session, scripted):
    target = scripted(416)
    server = scripted(lambda r: Answer(307, headers={"Location": target.url + r.path}))
    group = session.new_download_stream_group(endpoint=server.url)
    with nothing_came():
        assert list(group.download_stream(hf_xet.XetFileInfo(NO_SUCH_HASH))) == []
    assert target.requests


def test_a_failed_commit_tells_why_again(session, scripted):
    commit = commit_of(session, scripted(409).url)
    with fails(ConnectionError):
        commit.wait_to_finish()
    for call in (commit.wait_to_finish, commit.status, lambda: commit.start_upload_bytes(b"x")):
        with fails(RuntimeError) as caught:
            call()
        assert "409" in str(caught.value)
    assert "409" in repr(commit)


def test_a_failed_group_hurts_no_other(session, scripted, local_store):
    failing = commit_of(session, scripted(500).url)
    other = session.new_upload_commit(**local_store.access)
    with fails(ConnectionError):
        failing.wait_to_finish()
    handle = other.start_upload_bytes(b"abc")
    other.wait_to_finish()
    assert handle.result().xet_info.file_size == 3
    assert session.status() == hf_xet.XetTaskState.Running


def test_the_status_of_the_server_decides_not_its_words(session, http_store, server):
    """A real server: no token, a bad one, and one that may only read."""
    for token in (None, "nonsense"):
        access = {"endpoint": http_store.endpoint, "token": token, "token_expiry_unix_secs": 1 << 40}
        group = session.new_download_stream_group(**access)
        check(stream_error(lambda group=group: group.download_stream(MISSING))[1], AUTHENTICATION)
    access = {"endpoint": http_store.endpoint, "token": server.token("read"), "token_expiry_unix_secs": 1 << 40}
    commit = session.new_upload_commit(**access)
    commit.start_upload_bytes(os.urandom(1000))
    with fails(*AUTHENTICATION):
        commit.wait_to_finish()


def test_a_real_server_that_does_not_have_the_file(session, http_store):
    group = session.new_download_stream_group(**http_store.access)
    check(stream_error(lambda: group.download_stream(MISSING))[1], NOT_FOUND)
