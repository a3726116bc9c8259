"""Objects that are given as constructor arguments and that a checkpoint holds by what made them."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar


class Recordable:
    """Mixin of objects that are given ready made: a checkpoint holds their class and its arguments.

    A subclass keeps each constructor argument, a number, a text, another such object or a list of them, under its own
    name: by these it is recorded.
    """

    takes_record: ClassVar[bool] = True
    """An argument of this type may be given as the record that a checkpoint holds."""

    def arguments(self) -> dict[str, Any]:
        """What the constructor was given, by name."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.arguments().items())
        return f"{type(self).__name__}({given})"
