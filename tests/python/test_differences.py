"""The table of differences is complete, and nothing in it is untested."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from differences import DIFFERENCES, OURS, markdown, pick
from support import ROOT


def _used() -> set[str]:
    """The first argument of every call of `pick` in this directory."""
    calls = (
        node
        for path in Path(__file__).parent.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "pick"
    )
    return {call.args[0].value for call in calls if isinstance(call.args[0], ast.Constant)}


def test_every_listed_difference_is_tested_and_every_tested_one_listed():
    used = _used() - {"no such difference"}
    assert used == set(DIFFERENCES)


def test_a_difference_that_is_not_listed_cannot_be_used():
    with pytest.raises(KeyError):
        pick("no such difference", genuine=1, ours=2)


def test_pick_follows_the_module_under_test():
    name = next(iter(DIFFERENCES))
    assert pick(name, genuine="genuine", ours="ours") == ("ours" if OURS else "genuine")


@pytest.mark.parametrize("name", DIFFERENCES)
def test_a_difference_says_both_sides_and_why(name):
    difference = DIFFERENCES[name]
    assert difference.genuine != difference.ours
    assert all((difference.genuine, difference.ours, difference.reason))


def test_the_documentation_shows_the_table():
    """When it does not: `python differences.py` prints what belongs there."""
    document = (ROOT / "docs/python.md").read_text()
    header = markdown().splitlines()[0]
    _, found, rest = document.partition(f"\n{header}\n")
    assert found
    assert header + "\n" + rest.partition("\n\n")[0] + "\n" == markdown()
