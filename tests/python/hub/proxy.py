"""A proxy in front of `xet serve` that writes down what a Hub is asked, and lies or fails when a test wants it to.

What is asked of the CAS, and the bytes of files, go through it unrecorded.
"""

from __future__ import annotations

import http.client
import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

_HUB_ONLY = re.compile("/(v1|v2|d|bridge|reconstructions)/")
_HOP_BY_HOP = {"connection", "content-length", "keep-alive", "transfer-encoding"}


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


def as_json(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})})


class HubProxy:
    """Serves from construction to close(). `hooks` see each request first, and may answer it. What is in `lies` is told
    instead of the truth: in headers of answers to HEAD, and in JSON."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.hooks: list[Callable[[Request], Answer | None]] = []
        self.lies: dict[str, str] = {}
        self.token_life_s: int | None = None
        self.upstream = ""
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def tell_the_truth(self) -> None:
        self.requests.clear()
        self.hooks.clear()
        self.lies.clear()
        self.token_life_s = None

    def seen(self, method: str, pattern: str) -> list[Request]:
        """The recorded requests whose path has the pattern in it."""
        return [r for r in list(self.requests) if r.method == method and re.search(pattern, r.path)]

    def answer(self, request: Request, target: str) -> Answer:
        given = None
        if not _HUB_ONLY.match(request.path):
            self.requests.append(request)
            given = next(filter(None, (hook(request) for hook in list(self.hooks))), None)
        given = given or self._change(request, self._forward(request, target))
        request.status = given.status
        return given

    def _forward(self, request: Request, target: str) -> Answer:
        connection = http.client.HTTPConnection(urlsplit(self.upstream).netloc, timeout=120)
        try:
            connection.putrequest(request.method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers.items():
                if name not in _HOP_BY_HOP:
                    connection.putheader(name, value)
            if request.body or request.method in ("POST", "PUT"):
                connection.putheader("Content-Length", str(len(request.body)))
            connection.endheaders(request.body)
            got = connection.getresponse()
            headers = {k: v for k, v in got.getheaders() if k.lower() not in _HOP_BY_HOP | {"date"}}
            length = int(got.headers.get("Content-Length") or 0) if request.method == "HEAD" else None
            return Answer(got.status, got.read(), headers, length)
        finally:
            connection.close()

    def _change(self, request: Request, answer: Answer) -> Answer:
        is_json = answer.headers.get("Content-Type", "").startswith("application/json")
        for truth, lie in self.lies.items():
            if request.method == "HEAD":
                answer.headers = {k: v.replace(truth, lie) for k, v in answer.headers.items()}
                answer.length = int(str(answer.length).replace(truth, lie))
            elif is_json:
                answer.body = answer.body.replace(truth.encode(), lie.encode())
        if self.token_life_s is not None and answer.status == 200 and "xet-" in request.path and is_json:
            expiry = int(time.time()) + self.token_life_s
            answer.body = json.dumps(json.loads(answer.body) | {"exp": expiry}).encode()
            answer.headers["X-Xet-Token-Expiration"] = str(expiry)
        return answer


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    proxy: HubProxy

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
        answer = self.server.proxy.answer(request, self.path)
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
