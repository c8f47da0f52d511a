"""The two ways in which something does not go as asked."""

from __future__ import annotations


class Wrong(Exception):
    """What must not happen. Its text is the sentence that the run ends with."""


class Interrupted(Exception):
    """The server was away meanwhile, so this may be tried again; whether it was done is not known."""
