"""Requests over one connection that is kept, as one user."""

from __future__ import annotations

import http.client
import json
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass

from errors import Wrong
from figures import Figures
from hub import Site

_ANSWER_LIMIT_S = 120
# The server closes a connection on which nothing happens for a minute.
_IDLE_LIMIT_S = 30
_LINK_NEXT = '>; rel="next"'


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> dict | list:
        return json.loads(self.body)


class Connection:
    """Of one thread."""

    def __init__(self, site: Site, token: str, figures: Figures) -> None:
        self.figures = figures
        self._site = site
        self._authorization = {"Authorization": f"Bearer {token}"} if token else {}
        self._http: http.client.HTTPConnection | None = None
        self._stretch = -1
        self._used = 0.0

    def close(self) -> None:
        if self._http:
            self._http.close()
        self._http = None

    def ask(
        self,
        kind: str,
        method: str,
        path: str,
        body: bytes | dict | None = None,
        *,
        expect: tuple[int, ...] = (200,),
        headers: dict[str, str] | None = None,
        signed: bool = False,
    ) -> Answer:
        """Any other status is wrong. `signed`: the URL is all that is shown."""
        sent = dict(headers or {}) if signed else {**self._authorization, **(headers or {})}
        if isinstance(body, dict):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        began = time.monotonic()
        try:
            answer = self._exchange(method, path, body, sent)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            seconds = time.monotonic() - began
            what = f"{method} {path} had no answer after {seconds:.1f} s: {type(error).__name__} {error}"
            raise self._site.failure(began, what) from None
        if answer.status not in expect:
            told = f"{method} {path} was answered {answer.status}: {answer.body[:300].decode(errors='replace')}"
            raise self._site.failure(began, told) if answer.status >= 500 else Wrong(told)
        self.figures.answered(kind, time.monotonic() - began)
        self.figures.count("up", len(body or b""))
        self.figures.count("down", len(answer.body))
        return answer

    def pages(self, kind: str, path: str) -> Iterator[list[dict]]:
        """The parts of a listing, as they are asked for."""
        while True:
            answer = self.ask(kind, "GET", path)
            yield answer.json()
            link = answer.headers.get("Link", "")
            if not link:
                return
            if not link.endswith(_LINK_NEXT):
                raise Wrong(f"GET {path} was answered with the header Link: {link}")
            path = self.path_of(link.removesuffix(_LINK_NEXT).removeprefix("<"))

    def path_of(self, url: str) -> str:
        """Answers hold whole URLs. All have to lead to the server at hand."""
        if not url.startswith(self._site.url + "/"):
            raise Wrong(f"an answer has the URL {url}, which is not on {self._site.url}")
        return url.removeprefix(self._site.url)

    def _exchange(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        now = time.monotonic()
        if self._stretch != self._site.stretch or now - self._used > _IDLE_LIMIT_S:
            self.close()
        if self._http is None:
            self._stretch = self._site.stretch
            host = urllib.parse.urlsplit(self._site.url).netloc
            self._http = http.client.HTTPConnection(host, timeout=_ANSWER_LIMIT_S)
        self._http.request(method, path, body, headers)
        response = self._http.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        self._used = time.monotonic()
        return answer
