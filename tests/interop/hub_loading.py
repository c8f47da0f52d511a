"""What Hubs are for: a real model is loaded from a repository, a table is read where it lies."""

from __future__ import annotations

from pathlib import Path

from hub_data import digests
from hub_scene import Scene
from support import sha256

TEXTS = ["A chunk ends where the content says.", "Zwölf Boxkämpfer jagen Viktor quer über den Sylter Deich.", ""]
N_ROWS = 200_000
# What two of a table's four columns, or one of its four groups of rows, may take of its bytes.
PART = 0.5


def load_model(scene: Scene, model: Path) -> None:
    """With `hf upload`, and from a machine that has nothing cached."""
    with scene.cell("MiniLM: hf upload") as cell:
        with scene.counted() as wire:
            scene.client.hf("upload", scene.name, model, ".")
        cell.note = str(wire.sent)
        scene.assert_holds(digests(model))
    with scene.elsewhere() as newcomer:
        both = {"repo": scene.name, "local": model}
        with scene.cell("MiniLM: safetensors opens what hf_hub_download gives") as cell:
            cell.note = f"{newcomer.call('loading.weights', **both)} tensors"
        with scene.cell("MiniLM: Tokenizer.from_pretrained") as cell:
            cell.note = f"{newcomer.call('loading.tokens', **both, texts=TEXTS)} tokens"
        with scene.cell("MiniLM: AutoTokenizer and AutoConfig from_pretrained") as cell:
            cell.note = newcomer.call("transformed.tokenizer_and_configuration", **both, texts=TEXTS)


def read_table(scene: Scene, seed: int) -> None:
    local = scene.folder / "table.parquet"
    uri = f"{scene.place.uri}/data/table.parquet"
    with scene.cell("parquet: uploaded by hf cp") as cell:
        scene.client.call("tables.write", path=local, n_rows=N_ROWS, seed=seed)
        if scene.place.kind == "bucket":
            scene.client.hf("buckets", "create", scene.name)
        else:
            scene.client.hf("repos", "create", scene.name, "--type", scene.place.kind)
        scene.client.hf("cp", local, uri)
        cell.note = f"{local.stat().st_size:,} bytes"
        scene.assert_holds({"data/table.parquet": sha256(local)})
    for what, function, most in (
        ("two columns", "tables.columns", PART),
        ("one group of rows", "tables.row_group", PART),
        ("everything", "tables.whole", 2),
    ):
        with scene.cell(f"parquet: {what} over hf://") as cell:
            with scene.counted() as wire:
                rows = scene.client.call(function, uri=uri, local=local)
            share = wire.received / local.stat().st_size
            cell.note = f"{rows:,} rows, {wire.received:,} bytes received, {share:.0%} of the file"
            assert share < most, "that is too much of the file"
