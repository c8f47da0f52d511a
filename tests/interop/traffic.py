"""What deduplication saves on the wire: our client sends no more than the genuine one, and a genuine client no more to
our server than to its own.

A proxy in front of the server counts the bytes of request bodies. Each client uploads, to a store of its own: a first
version, the same again with its cache and without, an edited version with its cache, and another edited version
without it. Without a cache all that a client knows of the store it has from the store's answers.
"""

from __future__ import annotations

from dataclasses import dataclass

from clients import Access, Client
from data import Version, versions
from matrix import GENUINE, REFERENCE, Matrix
from proxy import CountingProxy, Tally
from report import Report

# Shards and the like vary by a few hundred bytes from one run of a client to the next.
MAX_RATIO = 1.01
SLACK = 1000
# Chunks have 128 KiB at most; an edit can take one at each of its ends along. Headers add less than a hundredth.
EDIT_SLACK = 2 * (128 << 10)
OVERHEAD = 1.01


@dataclass(frozen=True)
class Step:
    """One upload. `cached`: by the client that made the uploads before it."""

    name: str
    version: str
    cached: bool


STEPS = (
    Step("first version", "base", True),
    Step("again", "base", True),
    Step("again, empty cache", "base", False),
    Step("edited", "front", True),
    Step("edited otherwise, empty cache", "middle", False),
)


@dataclass(frozen=True)
class Sent:
    """Bytes of request bodies of one upload."""

    xorb: int
    shard: int
    total: int

    @staticmethod
    def of(tallies: dict[str, Tally]) -> Sent:
        def sent(name: str) -> int:
            return tallies.get(name, Tally()).sent

        # Telemetry is no part of the job, and a client may leave it out.
        total = sum(tally.sent for name, tally in tallies.items() if name != "telemetry")
        return Sent(sent("xorb"), sent("shard v1") + sent("shard v2"), total)

    def __str__(self) -> str:
        return f"xorbs {self.xorb:,}, shards {self.shard:,}, all {self.total:,} bytes"


def run(matrix: Matrix, report: Report) -> None:
    data = versions(matrix.folder / "versions", matrix.scale)
    print("\nbytes sent, counted by a proxy\n", flush=True)
    # Server -> client -> step.
    measured: dict[str, dict[str, dict[str, Sent]]] = {}

    def measure(server_name: str, client_name: str) -> dict[str, Sent]:
        by_client = measured.setdefault(server_name, {})
        if client_name not in by_client:
            by_client[client_name] = _measure(matrix, report, server_name, matrix.clients[client_name], data)
        return by_client[client_name]

    for server_name in matrix.server_names:
        for client_name in matrix.client_names:
            measure(server_name, client_name)
    for server_name in matrix.server_names if "xet" in matrix.client_names else []:
        ours, theirs = measure(server_name, "xet"), measure(server_name, REFERENCE)
        _compare(report, f"xet and {REFERENCE} to {server_name}", STEPS, ours, theirs)
    for client_name in matrix.client_names if "xet-serve" in matrix.server_names else []:
        ours, theirs = measure("xet-serve", client_name), measure("cas-disk", client_name)
        # How often a genuine client sends what stands twice in a first version is a matter of chance.
        _compare(report, f"{client_name} to xet-serve and cas-disk", STEPS[1:], ours, theirs)


def _measure(
    matrix: Matrix, report: Report, server_name: str, client: Client, data: dict[str, Version]
) -> dict[str, Sent]:
    measured: dict[str, Sent] = {}
    served = report.cell("server", server_name, f"behind a proxy, with {client.name}")
    with served, matrix.server(server_name) as server, CountingProxy(server.url) as proxy, matrix.fresh() as cache:
        access = Access(proxy.url)
        for step in STEPS:
            version = data[step.version]
            with report.cell("traffic", server_name, client.name, step.name) as cell, matrix.fresh() as empty_cache:
                proxy.take()
                client.upload(access, version.paths, cache if step.cached else empty_cache)
                sent = Sent.of(proxy.take())
                cell.note = str(sent)
                if step.name.startswith("again") and sent.xorb != 0:
                    raise AssertionError(f"xorb bytes were sent for data that the store has: {sent}")
                # The genuine clients send a file twice that stands twice in one commit.
                most = (version.new_bytes + version.n_edits * EDIT_SLACK) * OVERHEAD
                if client.name not in GENUINE and sent.xorb > most:
                    raise AssertionError(f"at most {most:,.0f} bytes of xorbs are new, sent: {sent}")
                if sent.xorb == 0 and not step.name.startswith("again"):
                    raise AssertionError("the proxy saw no xorb of a version that is new")
                measured[step.name] = sent
    return measured


def _compare(
    report: Report, what: str, steps: tuple[Step, ...], ours: dict[str, Sent], theirs: dict[str, Sent]
) -> None:
    """The first side against the second."""
    for step in steps:
        names = ("no more bytes", what, step.name)
        if step.name not in ours or step.name not in theirs:
            report.not_reached("one of the two uploads failed", *names)
            continue
        with report.cell(*names) as cell:
            us, them = ours[step.name].total, theirs[step.name].total
            cell.note = f"{us:,} to {them:,} bytes, {us / max(1, them):.4f}"
            if us > MAX_RATIO * them + SLACK:
                raise AssertionError(f"{us:,} bytes against {them:,}; {MAX_RATIO}× is allowed")
