"""Detection of overridden hooks that do not call ``super()``."""

import inspect
from collections.abc import Iterator


def hooks_left_out(kind: type, empty: type) -> Iterator[str]:
    """Yield the hooks of a class that override a parent's hook and do not call it.

    Args:
        kind: The class.
        empty: Base class whose hooks do nothing, and need no call.
    """
    for name, value in vars(kind).items():
        if name != "setup" and not name.startswith("on_"):
            continue
        # The parent's hook. Hooks inherited from `empty` do nothing; code that names the hook is taken to call it.
        theirs = next((getattr(parent, name, None) for parent in kind.__mro__[1:] if hasattr(parent, name)), None)
        code = getattr(inspect.unwrap(value), "__code__", None) if callable(value) else None
        if code is not None and theirs is not getattr(empty, name, None) and name not in code.co_names:
            yield name
