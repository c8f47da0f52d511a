"""Names, parameters and classes are those of hf-xet 1.8.0, recorded in surface-1.8.0.json."""

from __future__ import annotations

import importlib.metadata
import json

import hf_xet
import hf_xet.hf_xet
import pytest
from differences import OURS, pick
from surface import RECORD, surface

RECORDED = json.loads(RECORD.read_text())
FOUND = surface(hf_xet)
CLASSES = {name: facts for name, facts in RECORDED["names"].items() if "bases" in facts}
# Having more of these than the genuine module does no harm.
AT_LEAST = ("special", "hashable", "bases")


def test_the_names_are_the_recorded_ones():
    assert sorted(FOUND["names"]) == sorted(RECORDED["names"])


def test_all_lists_the_recorded_names():
    assert FOUND["all"] == RECORDED["all"]


def test_a_star_import_brings_every_name():
    names: dict[str, object] = {}
    exec("from hf_xet import *", names)
    assert set(RECORDED["names"]) <= set(names)


@pytest.mark.parametrize("name", RECORDED["names"])
def test_a_name_is_what_was_recorded(name):
    expected, found = RECORDED["names"][name], FOUND["names"][name]
    exact = [key for key in expected if key not in AT_LEAST] if OURS else list(expected)
    assert {key: found.get(key) for key in exact} == {key: expected[key] for key in exact}


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_has_at_least_the_recorded_special_methods_and_bases(name):
    expected, found = CLASSES[name], FOUND["names"][name]
    assert set(expected.get("special", ())) <= set(found.get("special", ()))
    assert set(expected["bases"]) <= set(found["bases"])
    assert found["hashable"] or not expected["hashable"]


@pytest.mark.skipif(OURS, reason="the record is of the genuine module")
def test_the_record_is_current():
    assert importlib.metadata.version("hf-xet") == "1.8.0"
    assert FOUND == RECORDED


@pytest.mark.parametrize("name", [name for name, facts in CLASSES.items() if facts.get("constructor", ()) is None])
def test_a_class_without_a_constructor_cannot_be_called(name):
    with pytest.raises(TypeError):
        getattr(hf_xet, name)()


@pytest.mark.parametrize("name", [name for name, facts in CLASSES.items() if not facts["subclassable"]])
def test_a_class_cannot_be_subclassed(name):
    with pytest.raises(TypeError):
        type("Derived", (getattr(hf_xet, name),), {})


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_knows_its_name_and_module(name):
    cls = getattr(hf_xet, name)
    if issubclass(cls, BaseException):
        assert cls.__module__ == "hf_xet"
    else:
        assert cls.__module__ == pick("module_name", genuine="builtins", ours="hf_xet")
    assert cls.__name__ == cls.__qualname__ == name


def test_there_is_no_version_attribute():
    """The version is in the metadata of the distribution alone."""
    assert not hasattr(hf_xet, "__version__")


@pytest.mark.parametrize(
    ("name", "base"),
    [("XetAuthenticationError", PermissionError), ("XetObjectNotFoundError", FileNotFoundError)],
)
def test_an_exception_is_an_os_error_with_a_text(name, base):
    cls = getattr(hf_xet, name)
    made = cls("why")
    assert isinstance(made, base)
    assert (str(made), made.args, made.errno) == ("why", ("why",), None)
    assert issubclass(type("Derived", (cls,), {}), cls)
