"""The servers alone: taking xorbs in, answering ranged GETs (beside nginx), answering reconstructions.

The load comes from programs that cost little themselves: recorded bodies sent by sendfile, and wrk.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import statistics
import subprocess
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from measuring import DataSet, InPython, give_up, header, row
from peer_http import MEMORY, Servers
from proxy import CountingProxy
from servers import Server, free_port

N_SENDERS = 8
WINDOW = 8 << 20
N_GET_CONNECTIONS = 4
N_PLAN_CONNECTIONS = 16

# Asks for one request after the other of a file, METHOD-less lines "PATH RANGE", and tells the result as JSON.
WRK_SCRIPT = """
local requests = {}
for line in io.lines(os.getenv("XET_BENCH_REQUESTS")) do
  local path, range = line:match("(%S+) ?(%S*)")
  local headers = { ["Host"] = os.getenv("XET_BENCH_HOST") }
  if range ~= "" then headers["Range"] = range end
  requests[#requests + 1] = wrk.format("GET", path, headers)
end
local at = 0
function request()
  at = at % #requests + 1
  return requests[at]
end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '\\nresult {"requests": %d, "bytes": %d, "us": %d, "p50_us": %d, "p99_us": %d, "errors": %d}\\n',
    summary.requests, summary.bytes, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@dataclass
class Load:
    """Runs of one case at one server."""

    rates: list[float] = field(default_factory=list)
    cpu_s_per_gb: list[float] = field(default_factory=list)
    cpu_ms_per_request: list[float] = field(default_factory=list)
    p50_ms: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)


def median(values: list[float], digits: int = 2) -> str:
    return f"{statistics.median(values):.{digits}f}"


def spread(values: list[float], digits: int = 2) -> str:
    return f"{median(values, digits)} ({min(values):.{digits}f}–{max(values):.{digits}f})"


class Nginx(Server):
    """Serves a folder with sendfile, without an access log."""

    name = "nginx"

    def __init__(self, folder: Path, root: Path) -> None:
        super().__init__(folder)
        self._root = root

    def _start(self) -> None:
        port = free_port()
        configuration = self.folder / "nginx.conf"
        configuration.write_text(f"""
user root;
daemon off;
worker_processes {os.cpu_count()};
pid {self.folder}/nginx.pid;
error_log {self.folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; sendfile_max_chunk 0; keepalive_requests 1000000;
  client_body_temp_path {self.folder}/body; proxy_temp_path {self.folder}/proxy;
  fastcgi_temp_path {self.folder}/fastcgi; uwsgi_temp_path {self.folder}/uwsgi; scgi_temp_path {self.folder}/scgi;
  server {{ listen 127.0.0.1:{port} backlog=1024; root {self._root}; }}
}}
""")
        self._spawn(["/usr/sbin/nginx", "-c", configuration])
        self.url = f"http://127.0.0.1:{port}"
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.02)
        raise self._did_not_start("nobody listens")

    def cpu_s(self) -> float:
        """Of its workers; the master does nothing."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        total = 0.0
        for child in children:
            fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return total


def wrk(work: Path, server: Server, requests: list[str], connections: int, seconds: int) -> dict:
    script, lines = work / "load.lua", work / "requests"
    script.write_text(WRK_SCRIPT)
    lines.write_text("\n".join(requests) + "\n")
    host = urlsplit(server.url).netloc
    environment = os.environ | {"XET_BENCH_REQUESTS": str(lines), "XET_BENCH_HOST": host}
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", script, server.url]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    told = [line for line in done.stdout.splitlines() if line.startswith("result ")]
    if done.returncode != 0 or not told:
        give_up(f"wrk ended with {done.returncode}: {done.stdout}{done.stderr}")
    result = json.loads(told[0].removeprefix("result "))
    if result["errors"] or not result["requests"]:
        give_up(f"{server.name} did not answer all requests: {told[0]}")
    return result


def record(work: Path, servers: Servers, theirs: InPython, data: DataSet) -> Path:
    """The bodies that a client uploads: xorbs, by POST because its URL names them, and a shard."""
    bodies = work / "bodies"
    bodies.mkdir()
    theirs.fresh()
    os.environ["HF_XET_CLIENT_LEGACY_DIRECT_XORB_UPLOAD"] = "1"
    try:
        with servers.fresh(MEMORY) as server, CountingProxy(server.url, record=bodies) as proxy:
            theirs.url = proxy.url
            theirs.upload(data)
    finally:
        del os.environ["HF_XET_CLIENT_LEGACY_DIRECT_XORB_UPLOAD"]
        theirs.url = ""
    if not all(list(bodies.glob(f"{kind}-*")) for kind in ("xorb", "shard")):
        give_up("the client uploaded no xorb or no shard")
    return bodies


def post(server: Server, path: str, body: Path) -> None:
    address = urlsplit(server.url)
    head = f"POST {path} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: {body.stat().st_size}\r\n\r\n"
    with socket.create_connection((address.hostname, address.port)) as connection, body.open("rb") as file:
        connection.sendall(head.encode())
        connection.sendfile(file)
        answer = b""
        while b"\r\n" not in answer:
            if not (more := connection.recv(4096)):
                break
            answer += more
    if b" 200 " not in answer.split(b"\r\n")[0]:
        give_up(f"{server.name} refused {path}: {answer[:200]!r}")


def ingest(server: Server, bodies: Path) -> None:
    xorbs = sorted(bodies.glob("xorb-*"))
    with ThreadPoolExecutor(N_SENDERS) as pool:
        list(pool.map(lambda body: post(server, f"/v1/xorbs/default/{body.name.removeprefix('xorb-')}", body), xorbs))
    for shard in sorted(bodies.glob("shard-*")):
        post(server, "/v1/shards", shard)


def measure_ingest(servers: Servers, bodies: Path, data: DataSet, repeats: int) -> None:
    loads = {name: Load() for name in servers.names}
    for i in range(repeats):
        for name in servers.names if i % 2 == 0 else reversed(servers.names):
            with servers.fresh(name) as server:
                cpu_before, before = server.cpu_s(), time.perf_counter()
                ingest(server, bodies)
                seconds = time.perf_counter() - before
                load = loads[name]
                load.rates.append(data.n_bytes / 1e9 / seconds)
                load.cpu_s_per_gb.append((server.cpu_s() - cpu_before) / (data.n_bytes / 1e9))
                load.rss_mb.append(server.peak_rss_mb())
    print(
        f"Ingest of {data.n_bytes / 1e9:.2f} GB of {data.name} data, {N_SENDERS} connections, until the last answer.\n"
    )
    header("server", "GB/s", "CPU s/GB", "MB")
    for name, load in loads.items():
        row(name, spread(load.rates), median(load.cpu_s_per_gb), median(load.rss_mb, 0))


def reconstruct(server: Server, file_hash: str, begin: int, end: int) -> dict:
    request = urllib.request.Request(f"{server.url}/v2/reconstructions/{file_hash}")
    request.add_header("Range", f"bytes={begin}-{end - 1}")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def ranged_gets(server: Server, file_hash: str, size: int) -> tuple[list[str], list[str]]:
    """What a client asks for to read the file in windows of 8 MiB: at this server, and of files named by xorb."""
    here, by_xorb = [], []
    for begin in range(0, size, WINDOW):
        plan = reconstruct(server, file_hash, begin, min(size, begin + WINDOW))
        for xorb, fetches in plan["xorbs"].items():
            for fetch in fetches:
                url = urlsplit(fetch["url"])
                for span in fetch["ranges"]:
                    bytes_range = f"bytes={span['bytes']['start']}-{span['bytes']['end']}"
                    here.append(f"{url.path}?{url.query} {bytes_range}" if url.query else f"{url.path} {bytes_range}")
                    by_xorb.append(f"/xorb-{xorb} {bytes_range}")
    return here, by_xorb


def note_load(load: Load, server: Server, cpu_before: float, result: dict) -> None:
    cpu_s = server.cpu_s() - cpu_before
    load.rates.append(result["bytes"] / result["us"] * 1e6 / 1e9)
    load.cpu_s_per_gb.append(cpu_s / (result["bytes"] / 1e9))
    load.cpu_ms_per_request.append(1000 * cpu_s / result["requests"])
    load.p50_ms.append(result["p50_us"] / 1000)
    load.p99_ms.append(result["p99_us"] / 1000)
    load.rss_mb.append(server.peak_rss_mb())


def measure_gets(
    work: Path, stores: Path, servers: Servers, bodies: Path, stored: tuple[str, int], repeats: int, seconds: int
) -> None:
    file_hash, size = stored
    # The same bytes on the same file system as the stores.
    shutil.copytree(bodies, stores / "bodies")
    loads = {name: Load() for name in (*servers.names, Nginx.name)}
    for i in range(repeats):
        for name in servers.names if i % 2 == 0 else reversed(servers.names):
            with servers.fresh(name) as server, Nginx(stores / "nginx", stores / "bodies") as nginx:
                ingest(server, bodies)
                here, by_xorb = ranged_gets(server, file_hash, size)
                # Right after each server, so that it sees the machine in the same state; the same bytes of the same
                # xorbs.
                for side, of, requests in ((name, server, here), (Nginx.name, nginx, by_xorb)):
                    cpu_before = of.cpu_s()
                    note_load(loads[side], of, cpu_before, wrk(work, of, requests, N_GET_CONNECTIONS, seconds))
    shutil.rmtree(stores / "bodies")
    print(f"GETs of ranges of 8 MiB, {N_GET_CONNECTIONS} connections, {seconds} s.\n")
    header("server", "GB/s", "CPU s/GB", "to nginx")
    for name, load in loads.items():
        ratio = statistics.median(load.rates) / statistics.median(loads[Nginx.name].rates)
        row(name, spread(load.rates), median(load.cpu_s_per_gb), f"{ratio:.2f}×")


def measure_plans(
    work: Path, servers: Servers, bodies: Path, stored: tuple[str, int], repeats: int, seconds: int
) -> None:
    file_hash, size = stored
    loads = {name: Load() for name in servers.names}
    counts: dict[str, list[float]] = {name: [] for name in servers.names}
    for i in range(repeats):
        for name in servers.names if i % 2 == 0 else reversed(servers.names):
            with servers.fresh(name) as server:
                ingest(server, bodies)
                cpu_before = server.cpu_s()
                result = wrk(work, server, [f"/v2/reconstructions/{file_hash}"], N_PLAN_CONNECTIONS, seconds)
                note_load(loads[name], server, cpu_before, result)
                counts[name].append(result["requests"] / result["us"] * 1e6)
    print(f"Reconstructions of a file of {size / 1e9:.2f} GB, {N_PLAN_CONNECTIONS} connections, {seconds} s.\n")
    header("server", "answers/s", "p50 ms", "p99 ms", "CPU ms each")
    for name, load in loads.items():
        row(
            name,
            spread(counts[name], 0),
            median(load.p50_ms),
            median(load.p99_ms),
            median(load.cpu_ms_per_request, 3),
        )


def run(
    work: Path, stores: Path, servers: Servers, theirs: InPython, data: dict[str, DataSet], repeats: int, seconds: int
) -> None:
    for name in ("random", "bf16"):
        bodies = record(work, servers, theirs, data[name])
        measure_ingest(servers, bodies, data[name], repeats)
        print()
        if name == "random":
            stored = tuple(theirs.infos[0])
            measure_gets(work, stores, servers, bodies, stored, repeats, seconds)
            print()
            measure_plans(work, servers, bodies, stored, repeats, seconds)
            print()
        for body in bodies.iterdir():
            body.unlink()
        bodies.rmdir()
