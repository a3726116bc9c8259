"""A pickle module that keeps tensors and calls nothing else, for bare pickles and for ``torch.load``.

A pickle is a program: it names functions and classes, and what it names is called as it is read. Here only those are
called that put tensors together; in the place of all others stands a :class:`Skipped`, which remembers what it was
given.
"""

from __future__ import annotations

import io
import pickle
import sys
import warnings
from typing import Any, Self

import torch

_CALLED = {
    "builtins.set",
    "collections.OrderedDict",
    "torch.Size",
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
}
"""What is called: how files name it."""


class Skipped(dict[Any, Any]):
    """An object of a class, or the result of a function, that was not called.

    A mapping, since subclasses of ``dict`` are pickled with their items.

    Attributes:
        arguments: What the class or the function would have been called with.
        state: What the object would have been set to, often its ``__dict__``; None: nothing.
    """

    arguments: tuple[Any, ...]
    state: Any
    dump_patches = False  # torch before 1.6 wrote the source of a network's class beside it, and compares the two.

    def __new__(cls, *arguments: Any, **_: Any) -> Self:
        made = super().__new__(cls)
        made.arguments, made.state = arguments, None
        return made

    def __init__(self, *_: Any, **__: Any) -> None:
        # Not of dict: the arguments may be anything.
        pass

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __call__(self, *arguments: Any, **_: Any) -> Skipped:
        return Skipped(*arguments)

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)

    def append(self, item: Any) -> None:
        """An item of a subclass of ``list``, or of ``set``: not kept."""

    add = append

    def extend(self, items: Any) -> None:
        """Several of them."""


class Unpickler(pickle.Unpickler):
    """Unpickler of tensors and of Python's own containers."""

    def find_class(self, module: str, name: str) -> Any:
        if (path := f"{module}.{name}") == "torch.storage._load_from_bytes":
            return _storage  # Numbers of a tensor in a pickle that torch.save did not write.
        # dtypes are objects of torch and no functions.
        if path in _CALLED or (module == "torch" and isinstance(getattr(torch, name, None), torch.dtype)):
            return super().find_class(module, name)
        return Skipped


def load(file: Any, **options: Any) -> Any:
    """As ``pickle.load``."""
    return Unpickler(file, **options).load()


def load_tensors(file: Any) -> Any:
    """What ``torch.save`` has written, in any of its formats; tensors are on the CPU."""
    # weights_only=False: torch's own reader stops at the first class that it does not know, this one goes on.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", torch.serialization.SourceChangeWarning)
        return torch.load(file, map_location="cpu", pickle_module=sys.modules[__name__], weights_only=False)


def _storage(content: bytes) -> Any:
    return load_tensors(io.BytesIO(content))
