"""Base class of callbacks that measure the samples: when, in which state, and where the scores are logged."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from gan_lightning.arguments.ranges import check_whole_if_given
from gan_lightning.trainer.collectives import synchronised_buffers


class Measurement(Callback, ABC):
    """Measures the game at every validation or every ``every_n_steps`` steps, and logs ``val/...`` or ``test/...``.

    Buffers are synchronised over ranks during a measurement. Training is bit-identical with and without the callback.

    Args:
        every_n_steps: Generator updates between two measurements. None: measure at every validation.

    Raises:
        ValueError: An argument is out of its range.
    """

    def __init__(self, every_n_steps: int | None) -> None:
        check_whole_if_given(1, every_n_steps=every_n_steps)
        self.every_n_steps = every_n_steps
        self._step = -1

    @property
    @abstractmethod
    def names(self) -> list[str]:
        """Names of the measures, without ``val/``; valid after ``setup``."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Warn before the run if it will contain no measurement.

        Raises:
            ValueError: Another callback monitors a measure that is never made.
        """
        # A trial run has one batch, and is not expected to measure anything.
        if stage != "fit" or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        reason, short = self._never(trainer), self._too_short(trainer)
        if not (reason or short):
            return
        # A callback that monitors a value which never comes is a mistake: raise before training.
        for other in trainer.callbacks if reason else []:  # type: ignore[attr-defined]
            if (monitor := getattr(other, "monitor", None)) in [f"val/{name}" for name in self._monitor_names()]:
                raise ValueError(
                    f"{type(other).__name__}.monitor is {monitor}, which {type(self).__name__} never measures: {reason}"
                )
        warnings.warn(f"{type(self).__name__} measures nothing in this run: {reason or short}", stacklevel=2)

    def _never(self, trainer: Trainer) -> str | None:
        """Reason why a run of any length has no measurement; None if it may have."""
        if self.every_n_steps is not None:
            return None
        instead = "give every_n_steps to measure without it."
        if trainer.limit_val_batches == 0:
            return f"it measures at every validation, and limit_val_batches is 0: {instead}"
        if not trainer.enable_validation:
            return f"it measures at every validation, and there is no validation loader: {instead}"
        data: Any = getattr(trainer, "datamodule", None)
        if data is not None and data.val_dataloader() == []:
            return f"it measures at every validation, and the data has no validation images: {instead}"
        return None

    def _too_short(self, trainer: Trainer) -> str | None:
        """Reason why a run of so few steps, perhaps a trial, has no measurement; None if it may have."""
        steps, every = trainer.max_steps, self.every_n_steps
        if every is not None:
            late = 0 <= steps < every
            return f"every_n_steps is {every}, and the run has {steps} steps: give a smaller one." if late else None
        interval, epochs = trainer.val_check_interval, trainer.check_val_every_n_epoch
        if epochs is None and isinstance(interval, int) and 0 <= steps < interval:
            return (
                f"it measures at every validation, and val_check_interval is {interval} in a run of {steps} steps: "
                "give a smaller one."
            )
        return None

    def _monitor_names(self) -> list[str]:
        """Names that a monitor may use."""
        return self.names

    @abstractmethod
    def measure(self, trainer: Trainer, game: Any) -> dict[str, float]:
        """Scores by name, equal on all ranks. It may use random numbers."""

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        pl_module.is_measured_at_steps = pl_module.is_measured_at_steps or self.every_n_steps is not None

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # `validate` always measures; within fit only without every_n_steps, and not in the sanity check.
        standing_alone = trainer.state.fn == TrainerFn.VALIDATING
        if standing_alone or (self.every_n_steps is None and not trainer.sanity_checking):
            self._log(pl_module, self._measure(trainer, pl_module, "val"), sync_dist=True)

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._log(pl_module, self._measure(trainer, pl_module, "test"), sync_dist=True)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        step = trainer.global_step
        if self.every_n_steps is None or step % self.every_n_steps or step == self._step:
            return
        self._step = step  # A batch without a step, at the end of an epoch, leaves global_step as it was.
        scores = self._measure(trainer, pl_module, "val")
        self._log(pl_module, scores, logger=False)
        # Directly: self.log would drop steps that are no multiple of log_every_n_steps.
        for logger in trainer.loggers:
            logger.log_metrics(scores, step=step)

    def _log(self, pl_module: LightningModule, scores: dict[str, float], **how: Any) -> None:
        pl_module.log_dict(scores, prog_bar=True, **how)

    def _measure(self, trainer: Trainer, pl_module: LightningModule, prefix: str) -> dict[str, float]:
        # All ranks measure one and the same generator: its BatchNorm statistics are their mean.
        with synchronised_buffers(pl_module), without_side_effects(pl_module.device):
            scores = self.measure(trainer, pl_module)
        return {f"{prefix}/{name}": score for name, score in scores.items()}


@contextmanager
def without_side_effects(device: torch.device) -> Iterator[None]:
    """Restore the random number generators afterwards, and make tensors that autograd may use later.

    Lightning validates in inference mode, whose tensors autograd refuses.
    """
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices), torch.inference_mode(False), torch.no_grad():
        yield
