#!/usr/bin/env python3
"""Compares every #include with the table of what may depend on what (docs/architecture.md has the drawing).

The linker does not catch an upward include: headers of every layer, and of the system, are visible to every
target. Prints one line per forbidden include and exits with 1 when there is one.
"""

from __future__ import annotations

import sys
from pathlib import Path

from source_tree import ROOT, cxx_files, includes_of

PURE = {"base", "hash", "codec", "chunk", "format"}
# The headers of include/xet that are types alone; the rest of it is what the session layer offers.
PUBLIC_TYPES = {"xet/result.h", "xet/hash.h", "xet/export.h", "xet/version.h", "xet/config.h"}
PUBLIC = "include/xet"
EVERYTHING = {"*"}

# Layer -> layers it may include, besides itself. `include/xet` stands for the whole public API; the types in
# PUBLIC_TYPES are open to all.
ALLOWED: dict[str, set[str]] = {
    PUBLIC: set(),
    "base": set(),
    "hash": {"base"},
    "codec": {"base"},
    "chunk": {"base", "hash"},
    "format": {"base", "hash", "codec", "chunk"},
    "config": {"base"},
    "exec": PURE,
    "io": PURE | {"exec"},
    "net": PURE | {"exec", "io"},
    "cas": PURE | {"exec", "net"},
    "dedup": PURE | {"exec", "io"},
    "cache": PURE | {"exec", "io"},
    "session": PURE | {"exec", "io", "cas", "dedup", "cache", PUBLIC},
    "server/store": PURE | {"exec", "io", "net"},
    "server/core": PURE | {"exec", "io", "server/store"},
    "server/local": PURE | {"exec", "io", "cas", "server/core", "server/store"},
    "server/hub": PURE | {"exec", "io", "server/store", "server/core", "server/local", "session", PUBLIC},
    "server/http": PURE | {"exec", "io", "server/hub", "server/store", "server/core"},
    # The installed library: where the session layer, which knows a store only as an interface, gets a real one.
    "libxet": PURE | {"config", "exec", "io", "cas", "net", "session", "server/local", PUBLIC},
    # Of the server, `xet serve` and `xet admin` use more than the store that it shares with `local:DIR`.
    "apps": PURE
    | {"config", "exec", "io", "cas", "net", "session", PUBLIC}
    | {"server/local", "server/core", "server/store", "server/hub", "server/http"},
    "bindings": PURE | {"config", "exec", "io", "cas", "net", "session", "server/local", PUBLIC},
    "tests": EVERYTHING,
    "bench": EVERYTHING,
    "fuzz": EVERYTHING,
    "tools": EVERYTHING,
}

# Header prefix -> places (layer, or layer + ".cc" when headers of ours must not pull it in).
THIRD_PARTY: dict[str, set[str]] = {
    "blake3": {"hash.cc"},
    "lz4": {"codec.cc"},
    "curl/": {"net.cc"},
    "openssl/": {"hash.cc", "net.cc", "server/core.cc", "server/http.cc"},
    "sqlite3.h": {"server/store.cc"},
    "libpq-fe.h": {"server/store.cc"},
    "boost/": {"server/http.cc"},
    "CLI/": {"apps.cc"},
    "nlohmann/json_fwd.hpp": {"*"},
    "nlohmann/": {"*.cc"},
    "fmt/": {"*"},
    "tl/": {PUBLIC},
    "gtest/": {"tests"},
    "gmock/": {"tests"},
    "benchmark/": {"bench"},
}


def layer_of(path: str) -> str | None:
    """The layer that a file or an include path belongs to; None when it is not one of ours."""
    parts = path.split("/")
    if parts[0] == "xet" and len(parts) > 1:
        return PUBLIC
    if parts[:2] == ["include", "xet"]:
        return PUBLIC
    if parts[0] == "src":
        parts = parts[1:]
    if parts[0] == "server" and len(parts) > 2:
        return "/".join(parts[:2])
    return parts[0] if parts[0] in ALLOWED and len(parts) > 1 else None


def forbidden_reason(includer: str, header: str) -> str | None:
    """Why `includer` (a path from the root) must not include `header` (as written); None when it may."""
    source, target = layer_of(includer), layer_of(header)
    if source is None:
        return "its folder is no layer that tools/check_layers.py knows"
    if target is not None:
        allowed = ALLOWED[source]
        if target == source or header in PUBLIC_TYPES or allowed == EVERYTHING or target in allowed:
            return None
        may = ", ".join(sorted(allowed)) or "nothing of ours"
        return f"{source} may use {may}; not {target}"
    for prefix, places in THIRD_PARTY.items():
        if not header.startswith(prefix):
            continue
        here = {source, "*"} | ({source + ".cc", "*.cc"} if includer.endswith(".cc") else set())
        if here & places or source in ("tests", "bench", "fuzz"):
            return None
        return f"<{prefix}> belongs in {', '.join(sorted(places))}"
    return None


def violations(files: list[Path]) -> list[str]:
    found = []
    for path in files:
        if layer_of(str(path)) is None:
            found.append(f"{path}: its folder is no layer that tools/check_layers.py knows")
            continue
        text = (ROOT / path).read_text(encoding="utf-8")
        for line, header in includes_of(text):
            # "kernels.h" beside the includer: the same layer by construction.
            if "/" not in header and (ROOT / path.parent / header).is_file():
                continue
            if reason := forbidden_reason(str(path), header):
                found.append(f"{path}:{line}: includes {header}: {reason}")
    return found


def main() -> int:
    files = cxx_files()
    found = violations(files)
    for line in found:
        print(line)
    if not found:
        print(f"{len(files)} files keep to the layer table")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
