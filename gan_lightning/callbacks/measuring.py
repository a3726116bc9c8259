"""What all measurements of the samples have in common: when they are made, in which state, where they are logged."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from gan_lightning.strategy import agreed


class Measurement(Callback, ABC):
    """Measures the game at every validation or at every so many steps, and logs ``val/...``; ``test/...`` when testing.

    The processes agree on the game while it is measured. Training goes on in the same bits with this callback or
    without it.

    Args:
        every_n_steps: Generator updates between two measurements. None: measure at every validation.

    Raises:
        ValueError: An argument is out of its range.
    """

    def __init__(self, every_n_steps: int | None) -> None:
        check_at_least(1, every_n_steps=every_n_steps)
        self.every_n_steps = every_n_steps
        self._step = -1

    @abstractmethod
    def measure(self, trainer: Trainer, game: Any) -> dict[str, float]:
        """The measures by name, the same in every process. It may draw random numbers."""

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        pl_module.is_measured_at_steps = pl_module.is_measured_at_steps or self.every_n_steps is not None

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        standing_alone = trainer.state.fn == TrainerFn.VALIDATING
        if standing_alone or (self.every_n_steps is None and not trainer.sanity_checking):
            pl_module.log_dict(self._measure(trainer, pl_module, "val"), prog_bar=True, sync_dist=True)

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        pl_module.log_dict(self._measure(trainer, pl_module, "test"), prog_bar=True, sync_dist=True)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        step = trainer.global_step
        if self.every_n_steps is None or step % self.every_n_steps or step == self._step:
            return
        self._step = step  # Batches that end without a step must not be measured again.
        scores = self._measure(trainer, pl_module, "val")
        pl_module.log_dict(scores, prog_bar=True, logger=False)
        # Lightning's own logging would leave out steps that log_every_n_steps does not fall on.
        for logger in trainer.loggers:
            logger.log_metrics(scores, step=step)

    def _measure(self, trainer: Trainer, pl_module: LightningModule, prefix: str) -> dict[str, float]:
        with agreed(pl_module), unnoticed(pl_module.device):
            scores = self.measure(trainer, pl_module)
        return {f"{prefix}/{name}": score for name, score in scores.items()}


@contextmanager
def unnoticed(device: torch.device) -> Iterator[None]:
    """Leave the random numbers as they are; make tensors that training may use, though validation may not train."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices), torch.inference_mode(False), torch.no_grad():
        yield


def check_at_least(minimum: int, **counts: int | None) -> None:
    """Raise a ValueError that names the first count below ``minimum``."""
    for name, count in counts.items():
        if count is not None and count < minimum:
            raise ValueError(f"{name} is {count}: it must be at least {minimum}.")
