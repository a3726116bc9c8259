"""Check constructor arguments against annotations and ranges before the constructor runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import wraps
from typing import Any, Self, TypeVar

from datamodules.components.annotated import Annotated, annotated, described, fits, shown
from gan_lightning.arguments.class_defaults import ClassDefaults
from gan_lightning.arguments.network_forms import check_network
from gan_lightning.arguments.ranges import check_limits
from gan_lightning.arguments.schedules import Schedule

Class = TypeVar("Class", bound=type)


_FROM_DATA = ("num_classes", "condition_shape")
"""Arguments that the data should have given; games have their own message for these."""


class Checked(ClassDefaults, Annotated):
    """Mixin of games that checks arguments against annotations and ranges before the constructor runs.

    Defaults in a class statement are checked when the class is defined.
    """

    def __new__(cls, *args: Any, **named: Any) -> Self:
        # In __new__, and so before any constructor: a subclass may build networks before it calls super().__init__.
        check_arguments(cls, args, named, left=_FROM_DATA)
        for name, value, _ in annotated(cls, args, named):
            check_network(cls, name, value)
        return super(Annotated, cls).__new__(cls)

    def __init_subclass__(cls, **defaults: Any) -> None:
        super().__init_subclass__(**defaults)
        check_arguments(cls, (), defaults, left=_FROM_DATA)


def check_arguments(
    made: type, args: Sequence[Any], named: Mapping[str, Any], left: Sequence[str] = (), least_side: int = 1
) -> None:
    """Refuse arguments that do not match a constructor's annotations or ranges, those of base classes included.

    Args:
        made: The class.
        args: What is given by position.
        named: What is given by name.
        left: Names whose None and range the constructor checks itself.
        least_side: Smallest height and width of a ``*_shape``.

    Raises:
        ValueError: Names the argument, its value and what it takes.
    """
    for name, value, kind in annotated(made, args, named):
        # See ``left`` above.
        if value is None and name in left:
            continue
        if not fits(value, kind) or (name.endswith("_shape") and value is not None and _is_empty(value, least_side)):
            raise ValueError(f"{name} is {shown(value)}: it must be {described(name, kind)}.")
        if name not in left:
            for each in value.bounds if isinstance(value, Schedule) else (value,):
                check_limits({name: each})
        # NaN passes every comparison with a limit by being false; here it is named.
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name} is {value}: it must be a finite number.")


def checked(made: Class) -> Class:
    """Class decorator: call :func:`check_arguments` before the constructor."""
    if "__init__" not in vars(made):  # That of the class above is checked there.
        return made
    initialise = vars(made)["__init__"]

    @wraps(initialise)
    def checking_init(self: Any, *args: Any, **named: Any) -> None:
        check_arguments(made, args, named, least_side=0)  # Networks say themselves what sides they take.
        initialise(self, *args, **named)

    # The class stays the same object: a subclass in its place would change import paths and isinstance.
    type.__setattr__(made, "__init__", checking_init)
    return made


def _is_empty(shape: Sequence[int], least_side: int) -> bool:
    return shape[0] < 1 or min(shape) < least_side
