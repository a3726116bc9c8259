"""What a step logs, and when."""

from __future__ import annotations

from collections.abc import Mapping

from lightning.pytorch import Trainer
from torch import Tensor

from gan_lightning.trainer.monitors import Noting, watched


def log_terms(game: Noting, terms: Mapping[str, Tensor]) -> None:
    """Log what has come out of a step, if anybody will read it: logging is dear in a small game.

    Loggers take the steps that the trainer's ``log_every_n_steps`` falls on. Callbacks that watch a name find the value
    of every step; others find names from the first step on, and the newest values when an epoch ends, or the run.
    """
    trainer = game.trainer
    game.newest = trainer.global_step, terms
    at_an_end = trainer.is_last_batch or trainer.global_step in (1, trainer.max_steps)
    if is_logged(trainer) or at_an_end or watched(trainer, "train/"):
        game.log_dict(dict(terms))


def is_logged(trainer: Trainer) -> bool:
    """Whether loggers take the step that has just been made."""
    interval = trainer.log_every_n_steps  # type: ignore[attr-defined]
    return interval > 0 and trainer.global_step % interval == 0
