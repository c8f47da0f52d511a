"""The stubs of our package say what surface-1.8.0.json says: names, kinds, parameters, defaults."""

from __future__ import annotations

import ast
import copy
import json
from operator import attrgetter

import hf_xet
import pytest
from differences import OURS
from support import ROOT
from surface import RECORD, SPECIAL

STUBS = ROOT / "bindings/python/hf_xet"
RECORDED = json.loads(RECORD.read_text())
CLASSES = {name: facts for name, facts in RECORDED["names"].items() if "bases" in facts}
FUNCTIONS = {name: facts["function"] for name, facts in RECORDED["names"].items() if "function" in facts}
TYPE = "constant of type"
CONSTANTS = {name: facts[TYPE] for name, facts in RECORDED["names"].items() if TYPE in facts}
# Every class inherits these, so stubs do not repeat them.
INHERITED = {"__repr__", "__str__"}


class Scope:
    """What a module or a class of the stubs declares, by name."""

    def __init__(self, body: list[ast.stmt]) -> None:
        self.classes = {node.name: node for node in body if isinstance(node, ast.ClassDef)}
        self.annotated = {
            node.target.id: ast.unparse(node.annotation) for node in body if isinstance(node, ast.AnnAssign)
        }
        self.functions: dict[str, list[ast.FunctionDef]] = {}
        self.attributes: set[str] = set()
        for node in body:
            if isinstance(node, ast.FunctionDef) and _is_attribute(node):
                self.attributes.add(node.name)
            elif isinstance(node, ast.FunctionDef):
                self.functions.setdefault(node.name, []).append(node)


def _is_attribute(function: ast.FunctionDef) -> bool:
    return any(ast.unparse(d) == "property" or ast.unparse(d).endswith(".setter") for d in function.decorator_list)


def _is_helper(name: str, module: Scope) -> bool:
    """Whether a name is there for annotations only: an alias, or a protocol."""
    if name in module.classes:
        return name.startswith("_") and [ast.unparse(base) for base in module.classes[name].bases] == ["Protocol"]
    return name.startswith("_") and module.annotated.get(name) == "TypeAlias"


def _parameters(function: ast.FunctionDef, bound: bool) -> str:
    """As surface.parameters() writes them."""
    arguments = copy.deepcopy(function.args)
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        argument.annotation = None
    if bound:
        (arguments.posonlyargs or arguments.args).pop(0)
    return f"({ast.unparse(arguments)})"


def _inherited(name: str) -> list[Scope]:
    """The class and those of the module that it derives from."""
    node = MODULE.classes[name]
    bases = [ast.unparse(base) for base in node.bases]
    return [Scope(node.body)] + [scope for base in bases if base in MODULE.classes for scope in _inherited(base)]


TREE = ast.parse((STUBS / "__init__.pyi").read_text())
MODULE = Scope(TREE.body)


def test_the_stubs_have_the_recorded_names():
    names = {*MODULE.classes, *MODULE.functions, *MODULE.annotated}
    assert {name for name in names if not _is_helper(name, MODULE)} == set(RECORDED["names"])


def test_all_is_the_recorded_list():
    (found,) = (
        ast.literal_eval(node.value)
        for node in TREE.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    )
    assert sorted(found) == RECORDED["all"]


def test_the_compiled_module_has_the_same_stubs():
    (imported,) = ast.parse((STUBS / "hf_xet.pyi").read_text()).body
    assert ast.unparse(imported) == "from . import *"


@pytest.mark.parametrize("name", CONSTANTS)
def test_a_constant_has_its_type(name):
    assert MODULE.annotated[name] == f"Final[{CONSTANTS[name]}]"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_its_parameters(name):
    assert [_parameters(function, bound=False) for function in MODULE.functions[name]] == [FUNCTIONS[name]]


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_has_its_bases_and_can_be_derived_from_or_not(name):
    node, facts = MODULE.classes[name], CLASSES[name]
    assert [ast.unparse(base) for base in node.bases] == [base for base in facts["bases"][:1] if base != "object"]
    assert ("final" in map(ast.unparse, node.decorator_list)) != facts["subclassable"]
    assert ("__hash__" in Scope(node.body).annotated) != facts["hashable"]


@pytest.mark.parametrize("name", [name for name, facts in CLASSES.items() if "methods" in facts])
def test_a_class_has_its_members(name):
    facts = CLASSES[name]
    scopes = _inherited(name)
    own = scopes[0]
    methods = {method: nodes for scope in reversed(scopes) for method, nodes in scope.functions.items()}

    made = methods.pop("__init__", None)
    assert (_parameters(made[0], bound=True) if made else None) == facts["constructor"]
    special = {method for method in methods if method in SPECIAL}
    assert special | INHERITED == set(facts["special"]) | INHERITED

    plain = {method for method in methods if not method.startswith("__")} | ({"__enter__", "__exit__"} & set(methods))
    assert plain == set(facts["methods"])
    for method, expected in facts["methods"].items():
        found = [_parameters(node, bound=True) for node in methods[method]]
        assert expected in found  # of several overloads one has the defaults
        assert {text.replace("=None", "") for text in found} == {expected.replace("=None", "")}

    assert {a for scope in scopes for a in scope.attributes} == set(facts["attributes"])
    constants = {constant for constant in own.annotated if not constant.startswith("__")}
    assert constants == set(facts["constants"])
    assert all(own.annotated[constant] == f"ClassVar[{name}]" for constant in constants)


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_has_a_text_and_so_have_its_methods(name):
    node = MODULE.classes[name]
    assert ast.get_docstring(node)
    for member in node.body:
        if isinstance(member, ast.FunctionDef) and not member.name.startswith("__"):
            is_setter = any(ast.unparse(decorator).endswith(".setter") for decorator in member.decorator_list)
            assert is_setter or ast.get_docstring(member), member.name


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_a_text(name):
    assert ast.get_docstring(MODULE.functions[name][0])


def test_every_file_of_the_package_is_known():
    """A stub of another name would be looked at by nobody."""
    assert {path.name for path in STUBS.glob("*.pyi")} == {"__init__.pyi", "hf_xet.pyi"}


def _texts(body: list[ast.stmt], prefix: str = "") -> dict[str, str]:
    out = {}
    for node in body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and (text := ast.get_docstring(node)):
            out[prefix + node.name] = text
        if isinstance(node, ast.ClassDef):
            out |= _texts(node.body, f"{prefix}{node.name}.")
    return out


@pytest.mark.skipif(not OURS, reason="the genuine module has texts of its own")
@pytest.mark.parametrize(("name", "text"), _texts(TREE.body).items())
def test_help_says_what_the_stubs_say(name, text):
    assert attrgetter(name)(hf_xet).__doc__.endswith(text)
