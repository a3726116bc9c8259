"""Aliases for the names that a game's hooks had until 0.2: deprecated, to be removed in 0.4."""

from __future__ import annotations

import warnings
from typing import Any

OLD_HOOKS = {
    "receive": "prepare_batch",
    "received": "checked_batch",
    "draw": "draw_latents",
    "play": "generate_fakes",
    "walk": "interpolate_between",
    "interpolate": "interpolation_table",
    "on_the_way": "latent_path",
    "between": "interpolate_latents",
    "kind": "row_condition",
    "table_names": "table_captions",
    "answer": "translate_batch",
    "judge": "validation_metrics",
    "panels": "picture_columns",
    "panel_names": "column_captions",
    "check_wishes": "check_translation",
}
"""Old name to new name."""

_FOUND_BY_NAME = ("walk", "interpolate", "table_names", "panels", "panel_names")
"""Hooks that callbacks and commands look up by name, on games whose parents need not have them."""


class _OldName:
    """Descriptor: a hook, whether function, property or value, under its old name, with a ``FutureWarning``."""

    def __init__(self, value: Any, old: str, new: str) -> None:
        self.value, self.old, self.new = value, old, new

    def __get__(self, instance: Any, owner: type) -> Any:
        warnings.warn(_message(owner, self.old, self.new), FutureWarning, stacklevel=2)
        bind = getattr(self.value, "__get__", None)
        return self.value if bind is None else bind(instance, owner)


def alias_old_hooks(game: type) -> None:
    """Let the hooks that a class defines be found by their old and by their new names.

    A hook under its old name gets the new one too, so that the engine calls it; a hook under its new name gets the old
    one, so that ``super().receive(raw)`` in a user's subclass finds it. Both names refer to one function, so chains of
    ``super()`` calls keep their order.

    Args:
        game: The class, changed in place.
    """
    for old, new in OLD_HOOKS.items():
        # The class itself, or a mix-in before its first parent that is a game: those have both names already.
        home = next((parent for parent in game.__mro__ if {old, new} & vars(parent).keys()), None)
        if home is None or {old, new} <= vars(home).keys():
            continue
        if new in vars(home):
            hook = vars(home)[new]
        elif hasattr(game, new) or old in _FOUND_BY_NAME:
            hook = vars(home)[old]
            warnings.warn(_message(home, old, new), FutureWarning, stacklevel=3)
        else:
            continue  # A method of the user's own that happens to have such a name, in a game without that hook.
        setattr(game, new, hook)
        # Not the function itself: the descriptor warns whoever uses the old name.
        setattr(game, old, _OldName(hook, old, new))


def _message(owner: type, old: str, new: str) -> str:
    return f"{owner.__name__}.{old} is now called {new}. The old name works until 0.4."
