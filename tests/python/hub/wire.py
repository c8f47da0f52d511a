"""The HTTP side of a test double: a server on a free loopback port, a table of routes, a record of all requests."""

from __future__ import annotations

import json
import re
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "hf_of_the_test"


@dataclass
class Request:
    """What was asked; `status` is what was answered. `path` is decoded."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    status: int = 0

    def lines(self) -> list[dict]:
        """The body as JSON, one object per line."""
        return [json.loads(line) for line in self.body.splitlines() if line.strip()]


@dataclass
class Answer:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None  # for HEAD, which sends no body


class Refusal(Exception):
    def __init__(self, status: int, text: str, code: str = "", **headers: str) -> None:
        named = {"X-Error-Message": text, "X-Error-Code": code} if code else {"X-Error-Message": text}
        self.answer = Answer(status, json.dumps({"error": text}).encode(), named | headers)


def as_json(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})})


_ROUTES: list[tuple[str, re.Pattern[str], bool, Callable[..., Answer]]] = []


def route(methods: str, pattern: str, for_all: bool = False) -> Callable:
    """The function answers these methods on such paths; the groups are its arguments, percent signs decoded."""

    def keep(function: Callable[..., Answer]) -> Callable[..., Answer]:
        _ROUTES.extend((method, re.compile(pattern), for_all, function) for method in methods.split("|"))
        return function

    return keep


class Double:
    """Serves from construction to close(). `hooks` see each request first, and may answer it; `faults` are our own."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.faults: list[str] = []
        self.hooks: list[Callable[[Request], Answer | None]] = []
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.double = self
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def seen(self, method: str, pattern: str) -> list[Request]:
        """The recorded requests whose path has the pattern in it."""
        return [r for r in list(self.requests) if r.method == method and re.search(pattern, r.path)]

    def answer(self, request: Request, raw_path: str) -> Answer:
        self.requests.append(request)
        given = next(filter(None, (hook(request) for hook in list(self.hooks))), None)
        given = given or self._answer(request, raw_path)
        request.status = given.status
        return given

    def _answer(self, request: Request, raw_path: str) -> Answer:
        try:
            for method, pattern, for_all, function in _ROUTES:
                if method == request.method and (match := pattern.fullmatch(raw_path)):
                    if not for_all and request.headers.get("authorization") != f"Bearer {TOKEN}":
                        raise Refusal(401, "Invalid credentials in Authorization header")
                    return function(self, request, **{k: unquote(v or "") for k, v in match.groupdict().items()})
        except Refusal as refusal:
            return refusal.answer
        except Exception:
            self.faults.append(f"{request.method} {raw_path}\n{traceback.format_exc()}")
            return Answer(500)
        return Refusal(404, f"no route {request.method} {raw_path}").answer


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    double: Double

    def handle_error(self, *_: object) -> None:
        """A client that goes away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # header and body leave together
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {key.lower(): value for key, value in self.headers.items()}
        request = Request(self.command, unquote(url.path), parse_qs(url.query), headers, body)
        answer = self.server.double.answer(request, url.path)
        self.send_response(answer.status)
        for key, value in answer.headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(answer.body) if answer.length is None else answer.length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve

    def log_message(self, *_: object) -> None:
        """Requests are recorded, not printed."""
