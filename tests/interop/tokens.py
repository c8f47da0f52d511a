"""`xet serve` with its doors closed: every client gets in with a token, and no further than its scope."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from clients import Access, Client, ClientFailed, HfXet
from data import one_of_each
from matrix import Matrix
from report import Report
from servers import XetServe
from support import sha256

# The genuine clients ask for a new token when the old one has less than 30 s left.
ALMOST_OVER_S = 20
LONG_S = 3600


class TokenRoute:
    """What a Hub does for a client: a GET gives a token and says where the server is. Tokens come from `make`."""

    def __init__(self, cas_url: str, make: Callable[[], str], lifetime_s: int) -> None:
        self.n_requests = 0
        route = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                route.n_requests += 1
                told = {"casUrl": cas_url, "exp": int(time.time()) + lifetime_s, "accessToken": make()}
                body = json.dumps(told).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/token"

    def __enter__(self) -> TokenRoute:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def run(matrix: Matrix, report: Report) -> None:
    if "xet-serve" not in matrix.server_names:
        return
    paths = one_of_each(matrix.folder / "tokens")
    print("\ntokens\n", flush=True)
    for client in matrix.chosen():
        served = report.cell("server", "xet-serve", f"with tokens, for {client.name}")
        with served, matrix.server("xet-serve", auth=True) as server:
            write, read = server.token("write"), server.token("read")
            _with(matrix, report, client, paths, "token", Access(server.url, write), Access(server.url, read))
            for name, access in (("a read token", Access(server.url, read)), ("no token", Access(server.url))):
                _refused(matrix, report, client, paths, name, access)
            if isinstance(client, HfXet):
                _refreshed(matrix, report, client, paths, server)


def _with(
    matrix: Matrix, report: Report, client: Client, paths: list[Path], name: str, writing: Access, reading: Access
) -> None:
    with (
        report.cell("tokens", client.name, f"uploads and downloads with a {name}"),
        matrix.fresh() as cache,
        matrix.fresh() as cache_2,
        matrix.fresh() as out,
    ):
        stored = client.upload(writing, paths, cache)
        client.download(reading, {path.name: f for path, f in zip(paths, stored, strict=True)}, out, cache_2)
        for path in paths:
            if sha256(out / path.name) != sha256(path):
                raise AssertionError(f"{path.name} came back different")


def _refused(matrix: Matrix, report: Report, client: Client, paths: list[Path], name: str, access: Access) -> None:
    with report.cell("tokens", client.name, f"is refused to upload with {name}"), matrix.fresh() as cache:
        try:
            client.upload(access, paths, cache)
        except ClientFailed as refusal:
            if not any(word in str(refusal) for word in ("401", "403", "not allowed", "ended with 4")):
                raise AssertionError(f"it failed for another reason: {refusal}") from None
        else:
            raise AssertionError("the upload went through")


def _refreshed(matrix: Matrix, report: Report, client: Client, paths: list[Path], server: XetServe) -> None:
    for name, lifetime_s, least in (("refresh URL", LONG_S, 1), ("refresh URL whose tokens end", ALMOST_OVER_S, 3)):
        with (
            TokenRoute(server.url, lambda: server.token("write"), lifetime_s) as writing,
            TokenRoute(server.url, lambda: server.token("read"), lifetime_s) as reading,
        ):
            _with(
                matrix,
                report,
                client,
                paths,
                name,
                Access("", refresh_url=writing.url),
                Access("", refresh_url=reading.url),
            )
            with report.cell("tokens", client.name, f"asks for tokens, {name}") as cell:
                cell.note = f"{writing.n_requests} to write, {reading.n_requests} to read"
                if writing.n_requests < least or reading.n_requests < 1:
                    raise AssertionError(f"too few requests: {cell.note}")
