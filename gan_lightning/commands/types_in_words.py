"""Type annotations in words, for error messages."""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path, PurePath
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

_KINDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    Path: "a path",
    timedelta: "a duration",
    NoneType: "null",
    Any: "any value",
}
_SEVERAL = {int: "whole numbers", float: "numbers", str: "texts"}
_BUILT_IN = (int, float, str, bytes, PurePath, NoneType, Iterable, timedelta)


def in_words(hint: Any) -> str:
    """Describe a type, such as ``a number or null``; null comes last."""
    kinds, values = [], []
    for part in alternatives(hint):
        if get_origin(part) is Literal:
            values += [repr(value) for value in get_args(part)]
        else:
            kinds.append(_of_one(part))
    if values:
        kinds.append(f"one of {', '.join(dict.fromkeys(values))}")
    # A stable sort by "is it null" puts null last and leaves the others in their order.
    return " or ".join(sorted(dict.fromkeys(kinds), key="null".__eq__))


def alternatives(hint: Any) -> list[Any]:
    """Members of a union, nested ones included; of another type the type itself."""
    if get_origin(hint) is Annotated:
        return alternatives(get_args(hint)[0])
    if get_origin(hint) in (Union, UnionType):
        return [inner for part in get_args(hint) for inner in alternatives(part)]
    return [hint]


def makes_classes(hint: Any) -> bool:
    """Whether a type accepts a class or an instance of one."""
    return any(_is_class(part) for part in alternatives(hint))


def _is_class(hint: Any) -> bool:
    kind = get_origin(hint) or hint
    return kind is Callable or (isinstance(kind, type) and not issubclass(kind, _BUILT_IN))


def _of_one(hint: Any) -> str:
    kind, parts = get_origin(hint) or hint, get_args(hint)
    if _is_class(hint):
        return "a class"
    if kind is tuple and parts and Ellipsis not in parts:
        return f"a list of {len(parts)} elements"
    if isinstance(kind, type) and issubclass(kind, Mapping):
        return "a mapping"
    if isinstance(kind, type) and kind is not str and issubclass(kind, Iterable):
        if parts and get_origin(parts[0]) is Literal:
            return f"a list of any of {', '.join(map(repr, get_args(parts[0])))}"
        return f"a list of {_SEVERAL[parts[0]]}" if parts and parts[0] in _SEVERAL else "a list"
    return _KINDS.get(kind, getattr(kind, "__name__", str(hint)))
