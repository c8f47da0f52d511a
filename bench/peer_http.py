"""Each client against each server over HTTP: upload, upload again, download."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from measuring import PEER, DataSet, Measured, Ours, Series, Side, check_same, header, row
from servers import LocalCasServer, Server, XetServe

SERVE, DISK, MEMORY = "xet serve", "disk", "memory"
ALL = (SERVE, DISK, MEMORY)
# (case, server, client) -> runs
Results = dict[tuple[str, str, str], Series]


class Servers:
    """Makes the servers, each time with an empty store in the same place."""

    def __init__(self, names: list[str], stores: Path, xet: Path, local_cas_server: Path | None) -> None:
        self.names = names
        self._stores, self._xet, self._genuine = stores, xet, local_cas_server

    @contextmanager
    def fresh(self, name: str) -> Iterator[Server]:
        folder = self._stores / "store"
        shutil.rmtree(folder, ignore_errors=True)
        if name == SERVE:
            made = XetServe(folder, self._xet)
        else:
            made = LocalCasServer(folder, self._genuine, in_memory=name == MEMORY)
        try:
            with made as server:
                yield server
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def with_server(server: Server, call: Callable[[], Measured]) -> Measured:
    """Adds what the server used meanwhile."""
    server.reset_peak_rss()
    cpu_before = server.cpu_s()
    measured = call()
    measured.server_cpu_s = server.cpu_s() - cpu_before
    measured.server_rss_mb = server.peak_rss_mb()
    return measured


def compare(sides: list[Side], servers: Servers, data: dict[str, DataSet], repeats: int) -> Results:
    results: Results = {}
    pairs = [(side, name) for name in servers.names for side in sides]
    for data_set in data.values():
        for i in range(repeats):
            # Neighbours take turns in coming first, and so do the servers.
            for side, name in pairs if i % 2 == 0 else reversed(pairs):
                side.fresh()
                with servers.fresh(name) as server:
                    side.url = server.url
                    for case, call in (
                        (f"upload {data_set.name}", side.upload),
                        (f"upload {data_set.name} again", side.upload),
                        (f"download {data_set.name}", side.download),
                    ):
                        measured = with_server(server, lambda call=call: call(data_set))  # noqa: B023
                        series = results.setdefault((case, name, side.name), Series(data_set.n_bytes))
                        series.runs.append(measured)
                    if i == 0:
                        check_same(side, data_set)
                side.fresh()
    for side in sides:
        side.url = ""
    return results


def cases(results: Results) -> list[str]:
    return list(dict.fromkeys(case for case, _, _ in results))


def print_clients(results: Results, names: list[str]) -> None:
    header(
        "",
        "server",
        "seconds, libxet",
        "seconds, hf-xet",
        "ratio",
        "CPU s/GB",
        "CPU s/GB, hf-xet",
        "MB",
        "MB, hf-xet",
    )
    for case in cases(results):
        for name in names:
            ours, theirs = results[case, name, Ours.name], results[case, name, PEER]
            row(
                f"{case}, {ours.gb:.2f} GB",
                name,
                ours.wall(),
                theirs.wall(),
                f"{theirs.median('wall_s') / ours.median('wall_s'):.2f}×",
                ours.per_gb("cpu_s"),
                theirs.per_gb("cpu_s"),
                f"{ours.median('rss_mb'):.0f}",
                f"{theirs.median('rss_mb'):.0f}",
            )


def print_servers(results: Results, names: list[str]) -> None:
    titles = ["", "client", *(f"seconds, {name}" for name in names), "disk ÷ xet serve"]
    header(*titles, *(f"CPU s/GB, {name}" for name in names), *(f"MB, {name}" for name in names))
    for case in cases(results):
        for client in (Ours.name, PEER):
            series = {name: results[case, name, client] for name in names}
            ratio = "–"
            if SERVE in series and DISK in series:
                ratio = f"{series[DISK].median('wall_s') / series[SERVE].median('wall_s'):.2f}×"
            row(
                f"{case}, {series[names[0]].gb:.2f} GB",
                client,
                *(f"{s.median('wall_s'):.3f}" for s in series.values()),
                ratio,
                *(s.per_gb("server_cpu_s") for s in series.values()),
                *(f"{s.median('server_rss_mb'):.0f}" for s in series.values()),
            )
