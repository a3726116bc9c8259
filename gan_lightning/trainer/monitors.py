"""Checkpoints are named after metrics of the same step, and early stopping counts each value once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.trainer.states import TrainerFn

from datamodules.components.first_process import rank_zero_warn
from gan_lightning.trainer.internals import (
    replace_method,
    restart_clock,
    save_now,
    seconds_between_checkpoints,
    seconds_since_checkpoint,
    would_save,
)

_HOOKS = ("on_train_batch_end", "on_validation_end", "on_train_epoch_end")


def delay_outdated_monitors(trainer: Trainer) -> None:
    """Delay the hooks of callbacks that monitor a metric until it has a value of the current step.

    Lightning's ``ModelCheckpoint`` saves step 8 under the FID of step 4, if steps are saved before they are measured,
    and ``EarlyStopping`` counts one value several times. A checkpoint that was due is saved when the metric is
    measured. Metrics that are not logged through the game are left to Lightning. Lightning ignores
    ``train_time_interval`` in manual optimisation: here a checkpoint is due after the first step behind it.
    """
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, ModelCheckpoint | EarlyStopping) and (
            callback.monitor is not None or seconds_between_checkpoints(callback) is not None
        ):
            _DelayedHooks(callback).install()


class _DelayedHooks:
    """Hooks of a callback that saves by a metric or by time, each delayed while the metric is outdated."""

    def __init__(self, callback: ModelCheckpoint | EarlyStopping) -> None:
        self.callback = callback
        self.due = False

    def install(self) -> None:
        for name in _HOOKS:
            # By purpose: a second fit replaces the delay instead of delaying twice.
            replace_method(self.callback, name, "delay", partial(self._delayed, name))
        replace_method(self.callback, "on_train_end", "delay", self._with_warning_at_end)

    def _with_warning_at_end(self, hook: Callable[..., Any]) -> Callable[..., Any]:
        def warn_at_end(trainer: Trainer, game: Any) -> None:
            hook(trainer, game)
            if self.due and not self._is_known(trainer):
                rank_zero_warn(
                    f"{type(self.callback).__name__} watches {self.callback.monitor}, which nothing has logged: no "
                    "checkpoint was kept for it."
                )

        return warn_at_end

    def _delayed(self, name: str, hook: Callable[..., Any]) -> Callable[..., Any]:
        def delayed(trainer: Trainer, game: Any, *arguments: Any) -> None:
            if name == "on_train_batch_end":
                # Asked on every rank at every step, since it is a collective.
                self.due = self.due or self._is_time(trainer)
            if (
                trainer.state.fn != TrainerFn.FITTING
                or trainer.sanity_checking
                or not self._is_outdated(name, trainer, game)
            ):
                # First what was due. Lightning's own hook then skips a step that has its checkpoint.
                self._run_delayed(trainer)
                hook(trainer, game, *arguments)
            elif isinstance(self.callback, ModelCheckpoint):
                self.due = self.due or would_save(self.callback, trainer, name)

        return delayed

    def _is_outdated(self, name: str, trainer: Trainer, game: Any) -> bool:
        if self.callback.monitor is None:
            return False
        monitor = str(self.callback.monitor)
        # Compared with the step, since the trainer keeps a value until it is logged again.
        if monitor in game.last_logged:
            return game.last_logged[monitor] != trainer.fit_loop.total_batch_idx
        if monitor in self._known(trainer):
            return False
        # It may yet come. Where it is due by now and is not there, Lightning says so.
        return name == "on_train_batch_end" or (game.is_measured_at_steps and monitor.startswith("val/"))

    def _known(self, trainer: Trainer) -> dict[str, Any]:
        return {**trainer.callback_metrics, "epoch": trainer.current_epoch, "step": trainer.global_step}

    def _is_known(self, trainer: Trainer) -> bool:
        return self.callback.monitor is None or self.callback.monitor in self._known(trainer)

    def _is_time(self, trainer: Trainer) -> bool:
        """Whether the time interval has passed on rank 0; if so, restart it. Collective."""
        interval = seconds_between_checkpoints(self.callback)
        if interval is None or not isinstance(self.callback, ModelCheckpoint):
            return False
        elapsed = seconds_since_checkpoint(self.callback)
        if elapsed is None:
            return False
        # One clock decides: saving is collective, and clocks differ.
        is_time = bool(trainer.strategy.broadcast(elapsed >= interval))
        if is_time:
            restart_clock(self.callback)
        return is_time

    def _run_delayed(self, trainer: Trainer) -> None:
        if not self.due or not self._is_known(trainer):
            return
        if isinstance(self.callback, ModelCheckpoint):
            save_now(self.callback, trainer)
        self.due = False
