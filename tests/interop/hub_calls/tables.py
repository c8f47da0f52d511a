"""Parquet: written to a local file, read over hf:// in parts."""

import fsspec
import numpy
import pyarrow
from pyarrow import parquet

GROUPS = 4
# What a read fetches ahead.
BLOCK = 1 << 16


def write(path: str, n_rows: int, seed: int) -> None:
    source = numpy.random.default_rng(seed)
    table = pyarrow.table(
        {
            "id": numpy.arange(n_rows),
            "score": source.standard_normal(n_rows),
            "label": source.integers(0, 10, n_rows, dtype=numpy.int8),
            "text": [f"row {i} of {seed}: " + "x" * (i % 50) for i in range(n_rows)],
        }
    )
    parquet.write_table(table, path, row_group_size=n_rows // GROUPS, compression="zstd")


def columns(uri: str, local: str) -> int:
    """Two columns of all rows."""
    names = ["id", "label"]
    with fsspec.open(uri, block_size=BLOCK) as file:
        return _same(_opened(file).read(names, use_threads=False), parquet.read_table(local, columns=names))


def row_group(uri: str, local: str) -> int:
    """All columns of one of the groups."""
    group = GROUPS - 2
    with fsspec.open(uri, block_size=BLOCK) as file:
        found = _opened(file).read_row_group(group, use_threads=False)
    return _same(found, parquet.ParquetFile(local).read_row_group(group))


def whole(uri: str, local: str) -> int:
    """By its URI, which pyarrow opens itself."""
    return _same(_opened(uri).read(use_threads=False), parquet.read_table(local))


def _opened(source: object) -> parquet.ParquetFile:
    """Without pyarrow's threads: one that holds a file of Python's may abort the interpreter when that ends."""
    return parquet.ParquetFile(source, pre_buffer=False)


def _same(found: pyarrow.Table, wanted: pyarrow.Table) -> int:
    """The rows of both."""
    assert found.equals(wanted), f"another table: {found.schema}, {found.num_rows} rows"
    return wanted.num_rows
