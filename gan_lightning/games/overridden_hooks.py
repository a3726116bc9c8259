"""Hooks that a class overrides and that must go on working."""

import inspect
from collections.abc import Iterator


def hooks_left_out(kind: type, empty: type) -> Iterator[str]:
    """Names of the hooks of a class whose code never names the same hook of its parents, though these do something.

    Args:
        kind: The class.
        empty: The class whose hooks do nothing.
    """
    for name, value in vars(kind).items():
        if name != "setup" and not name.startswith("on_"):
            continue
        theirs = next((getattr(parent, name, None) for parent in kind.__mro__[1:] if hasattr(parent, name)), None)
        code = getattr(inspect.unwrap(value), "__code__", None) if callable(value) else None
        if code is not None and theirs is not getattr(empty, name, None) and name not in code.co_names:
            yield name
