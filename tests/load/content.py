"""What files hold. Everything follows from a seed and a size, so that nothing has to be kept to compare with."""

from __future__ import annotations

import base64
import hashlib
import random
from dataclasses import dataclass

_POOL_BYTES = 32_000_000
_SHARED = 0.6
_MIN_PIECE, _MAX_PIECE = 100_000, 1_000_000


@dataclass(frozen=True)
class Content:
    """Bytes that `Contents.data` makes. Text is small and travels in commits, the others do not."""

    seed: int
    size: int
    is_text: bool


class Contents:
    """Makes contents of one run. Much of what is not text comes from a pool, and is the same in many files."""

    def __init__(self, seed: int) -> None:
        self._pool = random.Random(f"pool {seed}").randbytes(_POOL_BYTES)
        self._ids: dict[Content, str] = {}

    def data(self, content: Content) -> bytes:
        source = random.Random(content.seed)
        if content.is_text:
            return base64.b64encode(source.randbytes(content.size))[: content.size]
        pieces, left = [], content.size
        while left > 0:
            size = min(left, source.randint(_MIN_PIECE, _MAX_PIECE))
            if source.random() < _SHARED:
                begin = source.randrange(_POOL_BYTES - size)
                pieces.append(self._pool[begin : begin + size])
            else:
                pieces.append(source.randbytes(size))
            left -= size
        return b"".join(pieces)

    def id(self, content: Content) -> str:
        """What a Hub calls it: the SHA-256, of text Git's id of the blob."""
        if (known := self._ids.get(content)) is None:
            known = self._ids[content] = id_of(content, self.data(content))
        return known


def id_of(content: Content, data: bytes) -> str:
    if content.is_text:
        return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    return hashlib.sha256(data).hexdigest()
