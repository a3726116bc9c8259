"""A logger's trouble is no reason to stop training."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any
from weakref import WeakSet

from lightning.pytorch import Trainer
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch import Tensor

from gan_lightning.trainer.internals import log_metrics, number_rows

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


def count_updates(trainer: Trainer, trained: Callable[[], int]) -> None:
    """Let all loggers count generator updates that are done, as pictures and checkpoints do.

    Lightning counts the batch at hand from 0, so the losses of the n-th update would stand at n - 1. When it only
    judges a checkpoint, it counts nothing. It offers no other place to change the number: a metric called ``step``
    would take the place of the epoch.

    Args:
        trainer: Its loggers.
        trained: Updates behind the weights where nothing is trained, as in ``validate``.
    """
    number_rows(trainer, lambda: trainer.global_step or trained())


def log_at_least_once(trainer: Trainer, newest: tuple[int, Mapping[str, Tensor]]) -> None:
    """Log the last step of a run that was too short for any row, or was stopped before the first.

    Args:
        trainer: Its ``logged_metrics`` are of the last step, unless the run was stopped.
        newest: The number of the last step, and what came out of it.
    """
    interval = trainer.log_every_n_steps  # type: ignore[attr-defined]
    step, terms = newest
    if not 0 < step <= trainer.global_step < interval:
        return
    if (step == trainer.max_steps or trainer.is_last_batch) and not trainer.should_stop:
        terms = {name: value for name, value in trainer.logged_metrics.items() if name.startswith("train/")}
    log_metrics(trainer, terms, step)


def log_before_a_stop(trainer: Trainer, newest: Callable[[], tuple[int, Mapping[str, Tensor]]]) -> None:
    """Let a run that a signal stops leave a row; see :func:`log_at_least_once`. A run that fails logs nothing more."""
    strategy = trainer.strategy
    before = getattr(strategy.on_exception, "before_log", strategy.on_exception)

    def on_exception(exception: BaseException) -> None:
        if isinstance(exception, SIGTERMException | KeyboardInterrupt):
            log_at_least_once(trainer, newest())
        before(exception)

    on_exception.before_log = before  # type: ignore[attr-defined]
    strategy.on_exception = on_exception  # type: ignore[method-assign]


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
