"""Constructor arguments, compared with their annotations and ranges before anything is made of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import wraps
from typing import Any, Self, TypeVar

from datamodules.components.annotated import Annotated, annotated, described, fits, shown
from gan_lightning.arguments.network_forms import check_network
from gan_lightning.arguments.ranges import check_limits

Class = TypeVar("Class", bound=type)


class Checked(Annotated):
    """Compares a game's arguments with their annotations and ranges before any constructor runs."""

    def __new__(cls, *args: Any, **named: Any) -> Self:
        # Games have sentences of their own for what the data did not tell.
        check_arguments(cls, args, named, left=("num_classes", "condition_shape"))
        for name, value, _ in annotated(cls, args, named):
            check_network(cls, name, value)
        return super(Annotated, cls).__new__(cls)


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
    for name, value, kind in annotated(made, args, named):
        if value is None and name in left:
            continue
        if not fits(value, kind) or (name.endswith("_shape") and value is not None and _is_empty(value, least_side)):
            raise ValueError(f"{name} is {shown(value)}: it must be {described(name, kind)}.")
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
    def checking_init(self: Any, *args: Any, **named: Any) -> None:
        check_arguments(made, args, named, least_side=0)  # Networks say themselves what sides they take.
        initialise(self, *args, **named)

    type.__setattr__(made, "__init__", checking_init)
    return made


def _is_empty(shape: Sequence[int], least_side: int) -> bool:
    return shape[0] < 1 or min(shape) < least_side
