"""Transfers to and from Xet, the chunk-deduplicating storage of the Hugging Face Hub."""

from . import hf_xet
from .hf_xet import *  # noqa: F403
from .hf_xet import _ComputeSha256Type, _SkipSha256Type  # noqa: F401

__all__ = [name for name in dir(hf_xet) if not name.startswith("__")]
