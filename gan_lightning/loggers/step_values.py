"""Which loss terms of a step are logged, and when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch import Tensor

from gan_lightning.trainer.last_logged import RecordsLogs, is_monitored

if TYPE_CHECKING:
    from lightning.pytorch import Trainer


def log_terms(game: RecordsLogs, terms: Mapping[str, Tensor]) -> None:
    """Log the loss terms of a step if a logger or callback reads them: logging every step is slow in a small game.

    Loggers get every ``log_every_n_steps``-th step. Callbacks that monitor a ``train/`` metric get every step; others
    find the names from the first step on, and the newest values at the end of an epoch or of the run.
    """
    trainer = game.trainer
    game.last_step = trainer.global_step, terms
    # Step 1 shows callbacks which names there are; at the ends Lightning reads the newest values.
    at_an_end = trainer.is_last_batch or trainer.global_step in (1, trainer.max_steps)
    if is_logged(trainer) or at_an_end or is_monitored(trainer, "train/"):
        game.log_dict(dict(terms))


def is_logged(trainer: Trainer) -> bool:
    """Whether loggers get the step that has just been made."""
    interval = trainer.log_every_n_steps  # type: ignore[attr-defined]
    return interval > 0 and trainer.global_step % interval == 0
