"""What `hf_xet` offers, as plain data: names, kinds, parameters. `python surface.py` prints it as JSON.

A compiled module tells its parameters in one of two ways: through `inspect.signature`, or through the
`__nb_signature__` of a function made by nanobind. That text is a `def` line in which `\\0`, `\\1` … stand for defaults.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
from pathlib import Path

RECORD = Path(__file__).with_name("surface-1.8.0.json")

SPECIAL = (
    "__enter__",
    "__eq__",
    "__exit__",
    "__getitem__",
    "__int__",
    "__iter__",
    "__len__",
    "__next__",
    "__repr__",
    "__str__",
)
_PLACEHOLDER = re.compile(r"\\=?(\d+)")


def surface(module: object) -> dict[str, object]:
    """All that `dir` shows of the module, without its dunder attributes and submodules."""
    names = [name for name in dir(module) if not (name.startswith("__") or inspect.ismodule(getattr(module, name)))]
    return {"all": sorted(module.__all__), "names": {name: _described(getattr(module, name)) for name in names}}


def parameters(function: object, bound: bool) -> str:
    """The parameters as they are written in a `def`, without annotations; a method's first is left out."""
    overloads = getattr(function, "__nb_signature__", None)
    if overloads is None:
        found = inspect.signature(function)
        given = [p.replace(annotation=inspect.Parameter.empty) for p in found.parameters.values()]
        # What is positional-only in a method's text is `self` alone, or `self` and what follows it.
        return str(inspect.Signature(given[1:] if bound else given))
    if len(overloads) != 1:
        raise ValueError(f"{function} has {len(overloads)} signatures, so its parameters are not one list")
    text, _, defaults = overloads[0]
    return _of_nanobind(text, defaults or (), bound)


def _of_nanobind(text: str, defaults: tuple[object, ...], bound: bool) -> str:
    """`(a, b=None)` from `def name(self, a: int, b: str | None = \\0) -> None`."""

    def default(match: re.Match) -> str:
        value = defaults[int(match[1])]
        # A default that was given as text is the source of an expression.
        return f"({value})" if isinstance(value, str) else f"({value!r})"

    declared = ast.parse(_PLACEHOLDER.sub(default, text) + ": ...").body[0].args
    every = [*declared.posonlyargs, *declared.args, declared.vararg, *declared.kwonlyargs, declared.kwarg]
    for arg in filter(None, every):
        arg.annotation = None
    if bound:
        (declared.posonlyargs or declared.args).pop(0)
    return f"({ast.unparse(declared)})"


def _described(value: object) -> dict[str, object]:
    if isinstance(value, type):
        return _class(value)
    if callable(value):
        return {"function": parameters(value, bound=False)}
    return {"constant of type": type(value).__name__}


def _class(cls: type) -> dict[str, object]:
    out = {
        "bases": [base.__name__ for base in cls.__mro__[1:]],
        "subclassable": _can_be_subclassed(cls),
        "hashable": cls.__hash__ is not None,
    }
    if issubclass(cls, BaseException):
        return out
    # A subclass shows what it inherits, too.
    own = {name: value for base in reversed(cls.__mro__[:-1]) for name, value in vars(base).items()}
    public = {name: own[name] for name in sorted(own) if not name.startswith("_")}
    methods = [name for name, value in public.items() if callable(value)]
    methods += [name for name in ("__enter__", "__exit__") if name in own]
    constants = [name for name, value in public.items() if isinstance(value, cls)]
    return out | {
        "instances have a __dict__": cls.__dictoffset__ != 0,
        "constructor": _constructor(cls),
        "special": [name for name in SPECIAL if name in own],
        "methods": {name: parameters(getattr(cls, name), bound=True) for name in methods},
        "constants": constants,
        "attributes": [name for name in public if name not in methods and name not in constants],
    }


def _constructor(cls: type) -> str | None:
    """Parameters of the constructor, or None when there is no way to make an instance."""
    for name in ("__init__", "__new__"):
        made = vars(cls).get(name)
        if hasattr(made, "__nb_signature__"):
            return parameters(made, bound=True)
    if getattr(cls, "__text_signature__", None) is None:
        return None
    return parameters(cls, bound=False)


def _can_be_subclassed(cls: type) -> bool:
    try:
        type("Derived", (cls,), {})
    except TypeError:
        return False
    return True


if __name__ == "__main__":
    import hf_xet

    print(json.dumps(surface(hf_xet), indent=1))
