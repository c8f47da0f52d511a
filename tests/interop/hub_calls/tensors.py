"""Safetensors files as a training leaves them: written, and with one tensor changed."""

import numpy
from safetensors.numpy import load_file, save_file


def write(path: str, n_tensors: int, size: int, seed: int) -> None:
    """Tensors of `size` half precision numbers around zero."""
    source = numpy.random.default_rng(seed)
    made = {
        f"layer.{i:02}.weight": (source.standard_normal(size, numpy.float32) * 0.02).astype(numpy.float16)
        for i in range(n_tensors)
    }
    save_file(made, path)


def edit(path: str, to: str, tensor: str) -> int:
    """Every number of one tensor changes; its bytes."""
    tensors = load_file(path)
    tensors[tensor] = (tensors[tensor] * numpy.float16(1.01)).astype(numpy.float16)
    save_file(tensors, to)
    return tensors[tensor].nbytes
