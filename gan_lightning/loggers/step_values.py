"""What a step logs, and when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.trainer.connectors.logger_connector.result import _ResultCollection
from torch import Tensor

from gan_lightning.trainer.monitors import Noting, note, watched


def forget_last_step(trainer: Trainer) -> None:
    """Let the last step's values go. Lightning logs them until the epoch ends, also where there is no new one."""
    for metric in cast(_ResultCollection, trainer._results).values():
        if not metric.has_reset:
            metric.has_reset = metric.meta.name.startswith("train/")


def log_terms(game: Noting, terms: Mapping[str, Tensor]) -> None:
    """Log what has come out of a step, if anybody will read it: logging is dear in a small game.

    Loggers take the steps that the trainer's ``log_every_n_steps`` falls on. Callbacks that watch a name find the value
    of every step; others find names from the first step on, and the newest values when an epoch ends, or the run.
    """
    trainer = game.trainer
    game.newest = trainer.global_step, terms
    at_an_end = trainer.is_last_batch or trainer.global_step in (1, trainer.max_steps)
    if is_logged(trainer) or at_an_end or watched(trainer, "train/"):
        log(game, terms)


def log(game: LightningModule, values: Mapping[str, Tensor | float]) -> None:
    """Log scalars in a training step, or as it ends, as ``game.log_dict(values)`` does.

    Once a name is known, it takes a tenth of the time. Lightning looks again at what stays as it was, at the signature
    of the step and through all that it remembers of the value, and in a small game that is felt.
    """
    trainer, event = game._trainer, game._current_fx_name
    results = cast(_ResultCollection, trainer and trainer._results)
    anew = trainer is None or trainer._logger_connector.should_reset_tensors(event)  # type: ignore[arg-type]
    if anew or _logs_by_itself(game) or not all(f"{event}.{name}" in results for name in values):
        game.log_dict(values)
        return
    for name, value in values.items():
        note(game, name)
        scalar = value.detach() if isinstance(value, Tensor) else torch.tensor(value)
        results.update_metrics(f"{event}.{name}", scalar, batch_size=1)


def _logs_by_itself(game: LightningModule) -> bool:
    """Whether a game has a way of its own to log, which takes every value."""
    ways = ("log", "log_dict")
    return any(getattr(getattr(game, way), "__func__", None) is not getattr(Noting, way) for way in ways)


def is_logged(trainer: Trainer) -> bool:
    """Whether loggers take the step that has just been made."""
    interval = trainer.log_every_n_steps  # type: ignore[attr-defined]
    return interval > 0 and trainer.global_step % interval == 0
