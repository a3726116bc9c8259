"""What a step logs, and when."""

from __future__ import annotations

from collections.abc import Mapping

from lightning.pytorch import LightningModule, Trainer
from torch import Tensor


def forget_last_step(trainer: Trainer) -> None:
    """Let the last step's values go. Lightning logs them until the epoch ends, also where there is no new one."""
    for metric in trainer._results.values():  # type: ignore[union-attr]
        metric.has_reset |= metric.meta.name.startswith("train/")


def log_terms(game: LightningModule, terms: Mapping[str, Tensor]) -> None:
    """Log what has come out of a step, if anybody will read it: logging is dear in a small game.

    Loggers take the steps that the trainer's ``log_every_n_steps`` falls on. Callbacks that watch a name find it from
    the first step on, and find the newest value when an epoch ends, or the run; in between that of the last such step.
    """
    trainer = game.trainer
    if is_logged(trainer) or trainer.is_last_batch or trainer.global_step in (1, trainer.max_steps):
        game.log_dict(terms)


def is_logged(trainer: Trainer) -> bool:
    """Whether loggers take the step that has just been made."""
    interval = trainer.log_every_n_steps  # type: ignore[attr-defined]
    return interval > 0 and trainer.global_step % interval == 0
