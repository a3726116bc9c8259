"""When each metric was logged last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor

from gan_lightning.trainer.internals import trainer_of
from gan_lightning.trainer.module import Module

if TYPE_CHECKING:
    from lightning.pytorch import Trainer


class RecordsLogs(Module):
    """A module that records when each metric was logged last.

    The trainer keeps the newest value of every metric for callbacks, without its step.

    Attributes:
        last_logged: Index of the batch, counted over the fit, at which each metric was logged last.
        last_step: Number of the last step, and its loss terms.
        is_measured_at_steps: Whether a callback logs ``val/...`` at steps of its own, maybe long after a validation.
    """

    def __init__(self) -> None:
        super().__init__()
        self.last_logged: dict[str, int] = {}
        self.last_step: tuple[int, Mapping[str, Tensor]] = (0, {})
        self.is_measured_at_steps = False

    def log(self, name: str, *arguments: Any, **options: Any) -> None:
        record_log(self, name)
        super().log(name, *arguments, **options)


def record_log(game: Any, name: str) -> None:
    """Record that a metric is logged now."""
    if (trainer := trainer_of(game)) is not None:
        game.last_logged[name] = trainer.fit_loop.total_batch_idx


def is_monitored(trainer: Trainer, prefix: str) -> bool:
    """Whether a callback monitors a metric with this prefix, and may read it at any step."""
    return any(str(getattr(each, "monitor", None)).startswith(prefix) for each in trainer.callbacks)  # type: ignore[attr-defined]
