#!/usr/bin/env python3
"""Writes the docstrings of the package's stubs as initialisers of docstrings.cc: one {"Class.method", "text"} a line.

usage: docstrings.py STUBS OUT
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path


def docstrings(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, str]]:
    """The names in `body`, as they are seen from outside, with their docstrings."""
    for node in body:
        if not isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            continue
        if doc := ast.get_docstring(node):
            yield prefix + node.name, doc
        if isinstance(node, ast.ClassDef):
            yield from docstrings(node.body, f"{prefix}{node.name}.")


def main() -> None:
    stubs, out = map(Path, sys.argv[1:])
    # The last one of overloads says most.
    texts = dict(docstrings(ast.parse(stubs.read_text(encoding="utf-8")).body))
    lines = [f"{{{json.dumps(name)}, {json.dumps(doc)}}},\n" for name, doc in sorted(texts.items())]
    out.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
