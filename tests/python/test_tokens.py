"""Where tokens come from, when they are asked for, and what headers travel where."""

from __future__ import annotations

import importlib.metadata
import re
import time

import hf_xet
import pytest
from differences import pick
from scripted import Answer, forward, token
from support import FAR_FUTURE, NO_SUCH_HASH, download, fails, random_bytes, stream_error, upload

MISSING = hf_xet.XetFileInfo(NO_SUCH_HASH, 3)
UUID_V7 = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
FACTORIES = ("new_upload_commit", "new_file_download_group", "new_download_stream_group")
USER_AGENT = f"hf_xet/{importlib.metadata.version('hf-xet')}"


def hour_from_now() -> int:
    return int(time.time()) + 3600


@pytest.fixture
def cas(scripted):
    """A server that remembers what it is asked and has nothing."""
    return scripted(404)


@pytest.fixture
def route(scripted, cas):
    """A token route for `cas`; each answer has another token."""
    answers = iter(range(100))
    return scripted(lambda _: token(f"token-{next(answers)}", cas.url, hour_from_now()))


def ask(session, **access) -> None:
    """One request, which fails."""
    group = session.new_download_stream_group(**access)
    stream_error(lambda: group.download_stream(MISSING))


def authorizations(server) -> set[str | None]:
    return {request.headers.get("authorization") for request in server.requests}


@pytest.mark.parametrize("factory", FACTORIES)
def test_without_an_endpoint_the_route_is_asked_at_once(session, route, cas, factory):
    getattr(session, factory)(token_refresh_url=route.url + "/route?x=1")
    assert [(r.method, r.path) for r in route.requests] == [("GET", "/route?x=1")]
    assert cas.requests == []


@pytest.mark.parametrize("factory", FACTORIES)
def test_with_an_endpoint_it_is_not(session, route, cas, factory):
    getattr(session, factory)(endpoint=cas.url, token_refresh_url=route.url)
    assert route.requests == []


def test_the_route_says_where_the_server_is(session, route, cas):
    ask(session, token_refresh_url=route.url)
    assert len(route.requests) == 1
    assert authorizations(cas) == {"Bearer token-0"}


def test_a_given_token_is_used_with_the_address_of_the_route(session, route, cas):
    ask(session, token_refresh_url=route.url, token="given", token_expiry_unix_secs=hour_from_now())
    assert len(route.requests) == 1
    assert authorizations(cas) == {"Bearer given"}


def test_a_route_is_asked_when_a_token_is_needed(session, route, cas):
    ask(session, endpoint=cas.url, token_refresh_url=route.url)
    assert len(route.requests) == 1
    assert authorizations(cas) == {"Bearer token-0"}


def test_a_good_token_is_used_without_asking(session, route, cas):
    ask(session, endpoint=cas.url, token_refresh_url=route.url, token="given", token_expiry_unix_secs=FAR_FUTURE)
    assert route.requests == []
    assert authorizations(cas) == {"Bearer given"}


@pytest.mark.parametrize("left_s", [-10, 20])
def test_a_token_that_is_almost_over_is_replaced(session, route, cas, left_s):
    expiry = int(time.time()) + left_s
    ask(session, endpoint=cas.url, token_refresh_url=route.url, token="old", token_expiry_unix_secs=expiry)
    assert len(route.requests) == 1
    assert authorizations(cas) == {"Bearer token-0"}


def test_each_group_has_a_token_of_its_own(session, route, cas):
    for _ in range(3):
        ask(session, token_refresh_url=route.url)
    assert len(route.requests) == 3
    assert authorizations(cas) == {"Bearer token-0", "Bearer token-1", "Bearer token-2"}


@pytest.mark.parametrize("half", [{"token": "given"}, {"token_expiry_unix_secs": FAR_FUTURE}])
def test_half_a_token_is_none(session, cas, half):
    ask(session, endpoint=cas.url, **half)
    assert authorizations(cas) == {None}


@pytest.mark.parametrize("expiry", [0, 1_000_000])
def test_an_old_token_that_cannot_be_replaced_is_an_error(session, cas, expiry):
    group = session.new_download_stream_group(endpoint=cas.url, token="old", token_expiry_unix_secs=expiry)
    _, error = stream_error(lambda: group.download_stream(MISSING))
    assert isinstance(error, OSError)
    assert authorizations(cas) == pick("old_token", genuine=set(), ours={"Bearer old"})


def test_a_refusal_later_is_told_by_the_transfer(session, scripted, cas):
    refusing = scripted(401)
    kind = pick("authentication_error", genuine=ConnectionError, ours=hf_xet.XetAuthenticationError)
    group = session.new_download_stream_group(endpoint=cas.url, token_refresh_url=refusing.url)
    _, error = stream_error(lambda: group.download_stream(MISSING))
    assert isinstance(error, kind)
    assert "401" in str(error)
    commit = session.new_upload_commit(endpoint=cas.url, token_refresh_url=refusing.url)
    commit.start_upload_bytes(b"abc")
    with fails(kind) as caught:
        commit.wait_to_finish()
    assert "401" in str(caught.value)
    assert cas.requests == []


@pytest.mark.parametrize(
    "body",
    [
        b"no JSON",
        b"",
        b"[]",
        b'{"accessToken": "x"}',
        b'{"accessToken": "x", "exp": "99999999999", "casUrl": "http://127.0.0.1:1"}',
        b'{"accessToken": "x", "exp": 1.5, "casUrl": "http://127.0.0.1:1"}',
        b'{"accessToken": "x", "exp": -5, "casUrl": "http://127.0.0.1:1"}',
        b'{"accessToken": 3, "exp": 99999999999, "casUrl": "http://127.0.0.1:1"}',
    ],
)
def test_an_answer_of_the_route_that_cannot_be_read_is_asked_for_again(session, scripted, body):
    server = scripted(Answer(200, body))
    with fails(ConnectionError, "Network error: "):
        session.new_upload_commit(token_refresh_url=server.url)
    assert len(server.requests) == 2


def test_more_than_is_needed_is_fine(session, scripted):
    body = b'{"accessToken": "x", "exp": 99999999999, "casUrl": "http://127.0.0.1:1", "more": [1]}'
    assert session.new_upload_commit(token_refresh_url=scripted(Answer(200, body)).url)


@pytest.mark.parametrize("url", ["", "foo", "/relative"])
def test_a_route_that_is_no_address(session, url):
    with pytest.raises((ConnectionError, ValueError)):
        session.new_upload_commit(token_refresh_url=url)


def test_the_route_gets_its_headers_and_the_server_the_others(session, route, cas):
    ask(
        session,
        token_refresh_url=route.url,
        token_refresh_headers={"authorization": "Bearer hub", "X-For-Route": "1", "user-agent": "me/1"},
        custom_headers={"X-For-Server": "2"},
    )
    (asked,) = route.requests
    assert asked.headers["authorization"] == "Bearer hub"
    assert asked.headers["x-for-route"] == "1"
    assert asked.headers["user-agent"].startswith("me/1")
    assert "x-for-server" not in asked.headers
    for request in cas.requests:
        assert request.headers["x-for-server"] == "2"
        assert "x-for-route" not in request.headers
        assert request.headers["authorization"] == "Bearer token-0"
        assert request.headers["user-agent"] == USER_AGENT


@pytest.mark.parametrize("name", ["User-Agent", "user-agent", "USER-AGENT"])
def test_the_module_adds_itself_to_the_user_agent(session, cas, name):
    ask(session, endpoint=cas.url, custom_headers={name: "me/1; other"})
    assert {r.headers["user-agent"] for r in cas.requests} == {f"me/1; other; {USER_AGENT}"}


def test_a_custom_header_does_not_replace_the_token(session, cas):
    ask(
        session,
        endpoint=cas.url,
        token="given",
        token_expiry_unix_secs=FAR_FUTURE,
        custom_headers={"Authorization": "Bearer mine", "X-Xet-Session-Id": "mine"},
    )
    assert authorizations(cas) == {"Bearer given"}
    assert all(UUID_V7.fullmatch(r.headers["x-xet-session-id"]) for r in cas.requests)


def test_a_header_that_is_not_ascii_travels_as_utf_8(session, cas):
    ask(session, endpoint=cas.url, custom_headers={"X-Name": "é"})
    assert {r.headers["x-name"].encode("latin-1") for r in cas.requests} == {"é".encode()}


def test_every_request_of_a_session_has_its_id(config, route, cas):
    ids = []
    for _ in range(2):
        session = hf_xet.XetSession(config)
        for _ in range(2):
            ask(session, token_refresh_url=route.url)
        found = {r.headers["x-xet-session-id"] for r in (*route.requests, *cas.requests)}
        route.requests.clear()
        cas.requests.clear()
        assert len(found) == 1
        assert f'XetSession(id="{min(found)}"' in repr(session)
        ids += found
    assert ids[0] != ids[1]
    assert all(UUID_V7.fullmatch(one) for one in ids)


def test_a_whole_transfer_carries_token_and_headers(session, http_store, scripted, tmp_path):
    """Against a real server, with the token from a route."""
    proxy = scripted(forward(http_store.endpoint))
    route = scripted(lambda _: token(http_store.token, proxy.url, hour_from_now()))
    access = {
        "token_refresh_url": route.url,
        "token_refresh_headers": {"authorization": "Bearer hub"},
        "custom_headers": {"x-mine": "1"},
    }
    data = random_bytes(200_000, seed=21)
    info = upload(session, access, data)
    assert download(session, access, info, tmp_path / "x") == data
    assert len(route.requests) == 2
    # Bytes of xorbs travel to and from signed addresses, which need no token.
    api = [r for r in proxy.requests if re.match("/v[12]/(?!xorb-uploads)", r.path)]
    assert {r.method for r in api} == {"GET", "POST"}
    for request in api:
        assert request.headers["authorization"] == f"Bearer {http_store.token}"
        assert request.headers["x-mine"] == "1"
        assert request.headers["user-agent"] == USER_AGENT
        assert UUID_V7.fullmatch(request.headers["x-xet-session-id"])
