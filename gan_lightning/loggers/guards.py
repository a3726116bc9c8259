"""Loggers that fail do not stop training, and their rows count generator updates."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial, wraps
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from torch import Tensor

from gan_lightning.trainer.internals import log_metrics, number_rows, replace_method

if TYPE_CHECKING:
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
_warned: WeakSet[Logger] = WeakSet()


def count_updates(trainer: Trainer, trained: Callable[[], int]) -> None:
    """Number the rows of all loggers by generator updates, like pictures and checkpoints.

    Lightning numbers the current batch from 0, so the losses of the n-th update would have number n - 1. In
    ``validate`` and ``test`` it numbers every row 0.

    Args:
        trainer: Its loggers.
        trained: Returns the updates of the loaded weights, for ``validate`` and ``test``.
    """
    # ``validate`` and ``test`` train nothing: global_step is 0 there.
    number_rows(trainer, lambda: trainer.global_step or trained())


def log_last_step_of_short_run(trainer: Trainer, newest: tuple[int, Mapping[str, Tensor]]) -> None:
    """Log the last step of a run that was too short for any row, or was stopped before the first.

    Args:
        trainer: Its ``logged_metrics`` are of the last step, unless the run was stopped.
        newest: Number of the last step, and its loss terms.
    """
    interval = trainer.log_every_n_steps  # type: ignore[attr-defined]
    step, terms = newest
    # A longer run has rows of its own, and a run that made no step has nothing to say.
    if not 0 < step <= trainer.global_step < interval:
        return
    if (step == trainer.max_steps or trainer.is_last_batch) and not trainer.should_stop:
        # The last step reached the trainer: its values include what callbacks have logged.
        terms = {name: value for name, value in trainer.logged_metrics.items() if name.startswith("train/")}
    log_metrics(trainer, terms, step)


def log_before_a_stop(trainer: Trainer, newest: Callable[[], tuple[int, Mapping[str, Tensor]]]) -> None:
    """Log a row when a signal stops a short run; see :func:`log_last_step_of_short_run`. A failed run logs none."""
    from lightning.pytorch.utilities.exceptions import SIGTERMException

    def layer(on_exception: Callable[..., Any]) -> Callable[..., Any]:
        def log_and_call(exception: BaseException) -> None:
            if isinstance(exception, SIGTERMException | KeyboardInterrupt):
                log_last_step_of_short_run(trainer, newest())
            on_exception(exception)

        return log_and_call

    replace_method(trainer.strategy, "on_exception", "last row", layer)


def guard_loggers(trainer: Trainer) -> None:
    """Turn errors of the trainer's loggers into warnings, in every call; see :func:`errors_as_warnings`.

    A logger that cannot start, with a wrong key or in a folder that cannot be made, still raises before training.
    """
    for logger in trainer.loggers:
        # Method by method: a proxy around the logger would not pass the ``isinstance`` checks of callbacks.
        for name in _CALLS:
            if hasattr(logger, name):
                replace_method(logger, name, "guard", partial(_guarded, trainer, logger))


def _guarded(trainer: Trainer, logger: Logger, call: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(call)
    def attempt(*arguments: Any, **named: Any) -> Any:
        with errors_as_warnings(logger, trainer.global_step):
            return call(*arguments, **named)

    return attempt


@contextmanager
def errors_as_warnings(logger: Logger, step: int) -> Iterator[None]:
    """Turn a logger's errors into a warning, once for each logger; its next call is tried again.

    With an attribute ``errors_to_warn_of``, a class of errors, only these become warnings.
    """
    try:
        yield
    except getattr(logger, "errors_to_warn_of", Exception) as error:
        # Once: a logger that is down fails at every row.
        if logger in _warned:
            return
        _warned.add(logger)
        warnings.warn(
            f"{type(logger).__name__} failed at step {step}: {error or type(error).__name__}. Training goes on, and "
            "so does the logger if it can; its further failures are not reported.",
            stacklevel=2,
        )
