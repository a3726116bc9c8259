"""Constructor arguments, compared with their annotations before anything is made of them."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache, wraps
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, Literal, Self, TypeVar, Union, get_args, get_origin, get_type_hints

from torch import nn

from gan_lightning.limits import check_limits

Class = TypeVar("Class", bound=type)

_SHAPE = "channels, height and width, three whole numbers from 1 up"


class Checked:
    """Compares a constructor's arguments with its annotations before any constructor runs, and so those of subclasses.

    A base of its own, since the command line's parser takes a class's arguments from ``__new__`` where the class itself
    has one.
    """

    def __new__(cls, *args: Any, **named: Any) -> Self:
        # Games have sentences of their own for what the data did not tell.
        check_arguments(cls, args, named, left=("num_classes", "condition_shape"))
        return super().__new__(cls)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        own = inspect.signature(vars(cls).get("__init__", cls.__init__))  # else `__new__` hides an inherited one
        cls.__signature__ = own.replace(parameters=[*own.parameters.values()][1:])  # type: ignore[attr-defined]


def check_arguments(
    made: type, args: Sequence[Any], named: Mapping[str, Any], left: Sequence[str] = (), least_side: int = 1
) -> None:
    """Refuse arguments of another kind than a constructor's annotations say, its own and those that it hands on.

    Args:
        made: The class.
        args: What is given by position.
        named: What is given by name.
        left: Names whose None and range the constructor has a sentence of its own for.
        least_side: Of a shape.

    Raises:
        ValueError: Names the argument, what it was given, and what it takes.
    """
    known = _annotations(made)
    for name, value in {**dict(zip(known, args, strict=False)), **named}.items():
        if name not in known or (value is None and name in left):
            continue
        if not _is(value, known[name]) or (
            name.endswith("_shape") and value is not None and _is_empty(value, least_side)
        ):
            raise ValueError(f"{name} is {_shown(value)}: it must be {_said(name, known[name])}.")
        if name not in left:
            check_limits({name: value})
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name} is {value}: it must be a finite number.")


def checked(made: Class) -> Class:
    """Let a class compare its constructor's arguments with its annotations first; see :func:`check_arguments`."""
    if "__init__" not in vars(made):  # That of the class above is checked there.
        return made
    initialise = vars(made)["__init__"]

    @wraps(initialise)
    def first_checked(self: Any, *args: Any, **named: Any) -> None:
        check_arguments(made, args, named, least_side=0)  # Networks say themselves what sides they take.
        initialise(self, *args, **named)

    type.__setattr__(made, "__init__", first_checked)
    return made


@cache
def _annotations(made: type) -> dict[str, Any]:
    """Types by the names of arguments, in the constructor's order; ``**named`` goes on to the class above."""
    known: dict[str, Any] = {}
    for level in made.__mro__:
        if "__init__" not in vars(level):
            continue
        try:
            hints = get_type_hints(vars(level)["__init__"])
        except NameError:  # A name that only a type checker knows.
            hints = {}
        parameters = list(inspect.signature(vars(level)["__init__"]).parameters.values())[1:]
        plain = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        known = {**known, **{name: hints.get(name, Any) for name in plain if name not in known}}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return known


def _is(value: Any, kind: Any) -> bool:
    """Whether a value is of an annotated type; what is not known here is. A list will do for a tuple, as in YAML."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return any(_is(value, part) for part in parts)
    if origin is Literal:
        return value in [*parts] if isinstance(value, str) else False
    if kind in (None, NoneType):
        return value is None
    if kind in (int, float):
        number = Integral if kind is int else Real
        return isinstance(value, number) and not isinstance(value, bool)
    if origin is Callable or kind is Callable:
        return (callable(value) and not isinstance(value, nn.Module)) or _is_record(value)
    if origin in (tuple, list, Sequence):
        return isinstance(value, tuple | list) and _are(value, origin, parts)
    if origin is Mapping:
        return isinstance(value, Mapping)
    return isinstance(value, kind) if isinstance(kind, type) else True


def _are(values: Sequence[Any], origin: Any, parts: tuple[Any, ...]) -> bool:
    if origin is tuple and parts and parts[-1] is not Ellipsis:
        return len(values) == len(parts) and all(map(_is, values, parts))
    return not parts or all(_is(value, parts[0]) for value in values)


def _is_record(value: Any) -> bool:
    return isinstance(value, Mapping) and "class_path" in value


def _is_empty(shape: Sequence[int], least_side: int) -> bool:
    return shape[0] < 1 or min(shape) < least_side


def _said(name: str, kind: Any) -> str:
    """What an argument takes, in words."""
    origin, parts = get_origin(kind), get_args(kind)
    if name.endswith("_shape"):
        return _SHAPE
    if origin in (Union, UnionType):
        return " or ".join(_said(name, part) for part in parts)
    if origin is Literal:
        return f"one of {', '.join(parts)}" if len(parts) > 3 else f"{', '.join(parts[:-1])} or {parts[-1]}"
    if origin is Callable or kind is Callable:
        return "a class, a functools.partial of one, or a record with a class_path"
    if origin in (tuple, list, Sequence):
        if origin is tuple and parts and parts[-1] is not Ellipsis:
            return f"a list of {len(parts)}, each {_said(name, parts[0])}"
        return f"a list, each {_said(name, parts[0])}" if parts else "a list"
    words = {int: "a whole number", float: "a number", bool: "True or False", str: "a text", NoneType: "None"}
    return words.get(kind, f"a {getattr(kind, '__name__', str(kind).rpartition('.')[2])}")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
