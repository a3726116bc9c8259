"""Check constructor arguments against their type annotations before the constructor runs."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, Literal, Self, Union, get_args, get_origin, get_type_hints

from torch import nn


class Annotated:
    """Mixin that checks constructor arguments against their annotations, those of subclasses included.

    The check is in ``__new__`` of a separate base class: the command line's parser reads the arguments of a class from
    its own ``__new__`` if it defines one.
    """

    def __new__(cls, *args: Any, **named: Any) -> Self:
        for name, value, kind in annotated(cls, args, named):
            if not fits(value, kind):
                raise ValueError(f"{name} is {shown(value)}: it must be {described(name, kind)}.")
        return super().__new__(cls)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        own = inspect.signature(vars(cls).get("__init__", cls.__init__))  # else `__new__` hides an inherited one
        cls.__signature__ = own.replace(parameters=[*own.parameters.values()][1:])  # type: ignore[attr-defined]


def annotated(made: type, args: Sequence[Any], named: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield (name, value, annotated type) of the given arguments, those passed on to base classes included."""
    known = annotations_of(made)
    for name, value in {**dict(zip(known, args, strict=False)), **named}.items():
        if name in known:
            yield name, value, known[name]


@cache
def annotations_of(made: type) -> dict[str, Any]:
    """Annotated types by argument name, in order; ``**kwargs`` is followed into the base classes."""
    known: dict[str, Any] = {}
    # From the class upwards: an argument that is declared twice has the annotation of the class itself.
    for level in made.__mro__:
        if "__init__" not in vars(level):
            continue
        try:
            hints = get_type_hints(vars(level)["__init__"])
        except NameError:  # A name that only a type checker knows.
            hints = {}
        # The first parameter is ``self``.
        parameters = list(inspect.signature(vars(level)["__init__"]).parameters.values())[1:]
        plain = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        known = {**known, **{name: hints.get(name, Any) for name in plain if name not in known}}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return known


def fits(value: Any, kind: Any) -> bool:
    """Whether a value matches an annotated type. Unknown annotations match everything.

    A list matches a tuple, as in YAML, and a path matches ``str``.
    """
    origin, parts = get_origin(kind), get_args(kind)
    if kind is Any:  # a class since Python 3.11, of which nothing is an instance
        return True
    if origin in (Union, UnionType):
        # ``int | None``: one match is enough.
        return any(fits(value, part) for part in parts)
    if origin is Literal:
        # Only a text is compared: a tensor or an array would compare element by element.
        return value in [*parts] if isinstance(value, str) else False
    if kind in (None, NoneType):
        return value is None
    if kind in (int, float):
        # NumPy's numbers count; ``True`` is no number.
        number = Integral if kind is int else Real
        return isinstance(value, number) and not isinstance(value, bool)
    if kind is str:
        # In Python a path may be given where a config has a text.
        return isinstance(value, str | os.PathLike)
    if origin is Callable or kind is Callable:
        # A network that is made already cannot make one.
        return (callable(value) and not isinstance(value, nn.Module)) or _is_record(value)
    if origin in (tuple, list, Sequence):
        kinds = Sequence if origin is Sequence else (tuple, list)  # such as a range
        return isinstance(value, kinds) and not isinstance(value, str) and _are(value, origin, parts)
    if origin is Mapping:
        return isinstance(value, Mapping)
    if getattr(kind, "takes_record", False) and _is_record(value):
        return True
    # An annotation of a kind that is not known here is left to the constructor.
    return isinstance(value, kind) if isinstance(kind, type) else True


def _are(values: Sequence[Any], origin: Any, parts: tuple[Any, ...]) -> bool:
    if origin is tuple and parts and parts[-1] is not Ellipsis:
        return len(values) == len(parts) and all(map(fits, values, parts))
    return not parts or all(fits(value, parts[0]) for value in values)


def _is_record(value: Any) -> bool:
    return isinstance(value, Mapping) and "class_path" in value


def described(name: str, kind: Any) -> str:
    """The annotated type in words, for an error message."""
    origin, parts = get_origin(kind), get_args(kind)
    if name.endswith("_shape"):
        return "channels, height and width, three whole numbers from 1 up"
    if origin in (Union, UnionType):
        return " or ".join(described(name, part) for part in parts)
    if origin is Literal:
        return f"one of {', '.join(parts)}" if len(parts) > 3 else f"{', '.join(parts[:-1])} or {parts[-1]}"
    if origin is Callable or kind is Callable:
        return "a class, a functools.partial of one, or a record with a class_path"
    if origin in (tuple, list, Sequence):
        if origin is tuple and parts and parts[-1] is not Ellipsis:
            return f"a list of {len(parts)}, each {described(name, parts[0])}"
        return f"a list, each {described(name, parts[0])}" if parts else "a list"
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", NoneType: "None"}
    return words.get(kind, f"a {getattr(kind, '__name__', str(kind).rpartition('.')[2])}")


def shown(value: Any) -> str:
    """``repr`` of a value, cut to 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
