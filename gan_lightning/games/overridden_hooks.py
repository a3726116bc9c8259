"""Detection of overridden hooks that have no effect, or take away that of the game."""

import inspect
import warnings
from collections.abc import Iterator


def hooks_left_out(kind: type, empty: type) -> Iterator[str]:
    """Yield the hooks of a class that override a parent's hook and do not call it.

    Args:
        kind: The class.
        empty: Base class whose hooks do nothing, and need no call.
    """
    for name, value in vars(kind).items():
        # Lightning's hooks only: a variant overrides the game's own ones without calling them.
        if name != "setup" and not name.startswith("on_"):
            continue
        # The parent's hook. Hooks inherited from `empty` do nothing; code that names the hook is taken to call it.
        theirs = next((getattr(parent, name, None) for parent in kind.__mro__[1:] if hasattr(parent, name)), None)
        code = getattr(inspect.unwrap(value), "__code__", None) if callable(value) else None
        if code is not None and theirs is not getattr(empty, name, None) and name not in code.co_names:
            yield name


NEVER_CALLED = {
    "optimizer_step": "on_before_optimizer_step",
    "optimizer_zero_grad": "after_discriminator_update, or on_train_batch_end",
    "on_before_zero_grad": "after_discriminator_update, or on_train_batch_end",
    "configure_gradient_clipping": "gradient_clip_norm, or on_before_optimizer_step",
}
"""Hooks that Lightning calls in automatic optimisation only, and what a game has in their place."""


def warn_of_hooks(kind: type, empty: type) -> None:
    """Warn of the hooks of a new class that leave out what its parent does, and of those that nobody calls.

    Args:
        kind: The class.
        empty: Base class whose hooks do nothing, and need no call.
    """
    for name in hooks_left_out(kind, empty):
        text = (
            f"{kind.__name__}.{name} does not call super().{name}(...), so what the game itself does there is left out."
        )
        warnings.warn(text, stacklevel=3)
    for name, instead in NEVER_CALLED.items():
        if name in vars(kind):
            text = f"{kind.__name__}.{name} is never called: Lightning calls it in automatic optimisation only."
            warnings.warn(f"{text} Use {instead}.", stacklevel=3)
