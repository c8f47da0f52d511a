"""An HTTP server that answers what a test says, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Request:
    """A request; names of headers are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """Status and body. `held` answers are sent when the server is released."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    held: bool = False


HELD = Answer(500, held=True)
_HOP_BY_HOP = {"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"}


def token(access_token: str, cas_url: str, expires: int) -> Answer:
    """What a token route tells."""
    body = json.dumps({"accessToken": access_token, "exp": expires, "casUrl": cas_url}).encode()
    return Answer(200, body, {"Content-Type": "application/json"})


def forward(url: str) -> Callable[[Request], Answer]:
    """Answers what the server at `url` answers. URLs in its answers lead to whom the client asked."""
    address = url.removeprefix("http://")

    def answer(request: Request) -> Answer:
        with contextlib.closing(http.client.HTTPConnection(address, timeout=30)) as connection:
            connection.request(request.method, request.path, request.body, request.headers)
            response = connection.getresponse()
            body = response.read()
            kept = {k: v for k, v in response.getheaders() if k.lower() not in _HOP_BY_HOP}
            return Answer(response.status, body, kept)

    return answer


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, *_: object) -> None:
        """A client that goes away is part of many tests."""


class Scripted:
    """Listens on a free port of the loopback interface from the start until `close`."""

    def __init__(self, answer: Answer | int | Callable[[Request], Answer]) -> None:
        if isinstance(answer, int):
            answer = Answer(answer)
        self.requests: list[Request] = []
        # Set by the first request whose answer is held.
        self.asked = threading.Event()
        self._released = threading.Event()
        self._answer = answer if callable(answer) else lambda _: answer
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except ConnectionError:
                    self.close_connection = True

            def _any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                names = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.command, self.path, names, body)
                outer.requests.append(request)
                answer = outer._answer(request)
                if answer.held:
                    outer.asked.set()
                    outer._released.wait()
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            do_GET = do_POST = do_PUT = do_HEAD = _any

            def log_message(self, *_: object) -> None:
                pass

        self._server = _Http(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def release(self) -> None:
        """Lets held answers go."""
        self._released.set()

    def close(self) -> None:
        self.release()
        self._server.shutdown()
        self._server.server_close()
