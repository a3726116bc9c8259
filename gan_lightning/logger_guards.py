"""A logger's trouble is no reason to stop training."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any
from weakref import WeakSet

from lightning.pytorch import Trainer
from lightning.pytorch.loggers import Logger

_CALLS = (
    "log_metrics",
    "log_hyperparams",
    "log_graph",
    "log_image",
    "log_video",
    "after_save_checkpoint",
    "save",
    "finalize",
)
_told: WeakSet[Logger] = WeakSet()


def logged_at(step: int) -> int:
    """Where on the loggers' axis stands what is seen after so many generator updates.

    Lightning counts from 0, so the losses of the n-th update stand at n - 1; what is seen right after it stands with
    them. What is seen before the first update stands at 0 too.
    """
    return max(step - 1, 0)


def guard_loggers(trainer: Trainer) -> None:
    """Let the trainer's loggers fail without an end to training, whoever calls them; see :func:`forgiven`.

    A logger that cannot even begin, with a wrong key or in a folder that cannot be made, still fails at once, before
    anything is trained.
    """
    for logger in trainer.loggers:
        for name in _CALLS:
            if hasattr(logger, name):
                setattr(logger, name, _guarded(trainer, logger, getattr(logger, name)))


def _guarded(trainer: Trainer, logger: Logger, call: Callable[..., Any]) -> Callable[..., Any]:
    call = getattr(call, "before_guard", call)

    @wraps(call)
    def attempt(*arguments: Any, **named: Any) -> Any:
        with forgiven(logger, trainer.global_step):
            return call(*arguments, **named)

    attempt.before_guard = call  # type: ignore[attr-defined]
    return attempt


@contextmanager
def forgiven(logger: Logger, step: int) -> Iterator[None]:
    """Turn what a logger raises into a warning, told once for each logger; it is asked again the next time.

    A logger whose attribute ``forgivable`` names kinds of errors is forgiven these only.
    """
    try:
        yield
    except getattr(logger, "forgivable", Exception) as error:
        if logger in _told:
            return
        _told.add(logger)
        warnings.warn(
            f"{type(logger).__name__} failed at step {step}: {error or type(error).__name__}. Training goes on, and "
            "so does the logger if it can; its further failures are not told.",
            stacklevel=2,
        )
