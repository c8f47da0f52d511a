"""A model of which one tensor changes: what the second upload sends is little more than that tensor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hub_client import HubClient
from hub_scene import Scene
from support import sha256
from traffic import EDIT_SLACK

NAME = "model.safetensors"
N_TENSORS = 24
# As many numbers of two bytes each.
PER_TENSOR = 1 << 20
# The genuine client sends some chunks again that the store has, rather than read a file from many places.
FACTOR = 1.5

Upload = Callable[[HubClient, Path], object]


def written(scene: Scene, seed: int, scale: float) -> Path:
    path = scene.folder / NAME
    scene.client.call("tensors.write", path=path, n_tensors=N_TENSORS, size=int(PER_TENSOR * scale), seed=seed)
    return path


def edits(scene: Scene, model: Path, upload: Upload) -> None:
    """Two edits of different tensors, by the machine that uploaded the file before, and by one that knows nothing."""
    _edit(scene, "one tensor edited, uploaded again", model, f"layer.{N_TENSORS // 2:02}.weight", scene.client, upload)
    with scene.elsewhere() as newcomer:
        tensor = f"layer.{N_TENSORS // 3:02}.weight"
        _edit(scene, "another tensor edited, uploaded with empty caches", model, tensor, newcomer, upload)


def _edit(scene: Scene, what: str, model: Path, tensor: str, client: HubClient, upload: Upload) -> None:
    with scene.cell(what) as cell:
        edited = model.with_name("edited.safetensors")
        changed = client.call("tensors.edit", path=model, to=edited, tensor=tensor)
        with scene.counted() as wire:
            upload(client, edited)
        size = model.stat().st_size
        cell.note = f"{wire.sent}, {wire.sent.total / size:.1%} of {size:,}; {changed:,} changed"
        scene.assert_has(NAME, sha256(edited))
        assert wire.sent.xorb > 0, "the proxy saw no xorb of a file that is new"
        most = FACTOR * (changed + EDIT_SLACK)
        assert wire.sent.total <= most, f"more than {most:,.0f} bytes were sent"
