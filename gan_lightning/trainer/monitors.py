"""A checkpoint is filed under the value that was measured of it, and training stops early by new values only."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

_HOOKS = ("on_train_batch_end", "on_validation_end", "on_train_epoch_end")


class Noting(LightningModule):
    """A module that notes when each name was logged last.

    The trainer keeps the newest value of every name for those who watch one, and does not tell how old it is.

    Attributes:
        noted: The number of the batch, counted over the fit, after or in which a name was logged.
        newest: The number of the last step, and what came out of it.
        is_measured_at_steps: Whether a callback logs ``val/...`` at steps of its own, maybe long after a validation.
    """

    def __init__(self) -> None:
        super().__init__()
        self.noted: dict[str, int] = {}
        self.newest: tuple[int, Mapping[str, Tensor]] = (0, {})
        self.is_measured_at_steps = False

    def log(self, name: str, *arguments: Any, **options: Any) -> None:
        note(self, name)
        super().log(name, *arguments, **options)


def note(game: Any, name: str) -> None:
    """Note that a name is logged now."""
    if game._trainer is not None:
        game.noted[name] = game._trainer.fit_loop.total_batch_idx


def watched(trainer: Trainer, prefix: str) -> bool:
    """Whether a callback watches a name that begins so, and may look at any step."""
    return any(str(getattr(each, "monitor", None)).startswith(prefix) for each in trainer.callbacks)  # type: ignore[attr-defined]


def guard_monitors(trainer: Trainer) -> None:
    """Let the callbacks that watch a name wait for its next value where the one at hand is of an earlier step.

    Lightning's ``ModelCheckpoint`` saves step 8 under the FID of step 4, if steps are saved before they are measured,
    and ``EarlyStopping`` counts one value several times. A checkpoint that was due is saved when the name is measured.
    Names that nobody has logged through the game are left to Lightning. In manual optimisation Lightning does not look
    at ``train_time_interval`` either: here a checkpoint is due after the first step behind it.
    """
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, ModelCheckpoint | EarlyStopping) and (
            callback.monitor is not None or _interval(callback) is not None
        ):
            _Wait(callback).put_in()


def _interval(callback: Any) -> float | None:
    """The seconds between two checkpoints of a callback that saves by the clock."""
    interval = getattr(callback, "_train_time_interval", None)
    return None if interval is None else interval.total_seconds()


class _Wait:
    """The hooks of a callback that watches a name or the clock, each held back while the value is old."""

    def __init__(self, callback: ModelCheckpoint | EarlyStopping) -> None:
        self.callback = callback
        self.due = False

    def put_in(self) -> None:
        for name in _HOOKS:
            hook = getattr(self.callback, name)
            if callable(hook):  # A hook that does nothing may have been taken out.
                setattr(self.callback, name, self._held_back(name, getattr(hook, "before_wait", hook)))
        end = getattr(self.callback.on_train_end, "before_wait", self.callback.on_train_end)
        self.callback.on_train_end = self._at_the_end(end)  # type: ignore[method-assign]

    def _at_the_end(self, hook: Callable[..., Any]) -> Callable[..., Any]:
        def at_the_end(trainer: Trainer, game: Any) -> None:
            hook(trainer, game)
            if self.due and not self._is_known(trainer):
                rank_zero_warn(
                    f"{type(self.callback).__name__} watches {self.callback.monitor}, which nothing has logged: no "
                    "checkpoint was kept for it."
                )

        at_the_end.before_wait = hook  # type: ignore[attr-defined]
        return at_the_end

    def _held_back(self, name: str, hook: Callable[..., Any]) -> Callable[..., Any]:
        def held_back(trainer: Trainer, game: Any, *arguments: Any) -> None:
            if name == "on_train_batch_end":
                self.due = self.due or self._is_time(trainer)
            if (
                trainer.state.fn != TrainerFn.FITTING
                or trainer.sanity_checking
                or not self._is_old(name, trainer, game)
            ):
                self._catch_up(trainer)
                hook(trainer, game, *arguments)
            elif isinstance(self.callback, ModelCheckpoint):
                self.due = self.due or self._would_save(name, trainer)

        held_back.before_wait = hook  # type: ignore[attr-defined]
        return held_back

    def _is_old(self, name: str, trainer: Trainer, game: Any) -> bool:
        if self.callback.monitor is None:
            return False
        monitor = str(self.callback.monitor)
        if monitor in game.noted:
            return game.noted[monitor] != trainer.fit_loop.total_batch_idx
        if monitor in self._known(trainer):
            return False
        # It may yet come. Where it is due by now and is not there, Lightning says so.
        return name == "on_train_batch_end" or (game.is_measured_at_steps and monitor.startswith("val/"))

    def _known(self, trainer: Trainer) -> dict[str, Any]:
        return {**trainer.callback_metrics, "epoch": trainer.current_epoch, "step": trainer.global_step}

    def _is_known(self, trainer: Trainer) -> bool:
        return self.callback.monitor is None or self.callback.monitor in self._known(trainer)

    def _is_time(self, trainer: Trainer) -> bool:
        """Whether the interval of the clock is over, by the clock of the first process; it begins anew then."""
        callback: Any = self.callback
        interval = _interval(callback)
        if interval is None or callback._last_time_checked is None:
            return False
        now = time.monotonic()
        is_time = trainer.strategy.broadcast(now - callback._last_time_checked >= interval)
        if is_time:
            callback._last_time_checked = now
        return bool(is_time)

    # Lightning has no public way to save a checkpoint of a callback when one likes, or to ask whether it would.

    def _would_save(self, name: str, trainer: Trainer) -> bool:
        callback: Any = self.callback
        if name == "on_train_batch_end":
            return callback._every_n_train_steps > 0 and trainer.global_step % callback._every_n_train_steps == 0
        at_epoch_end = callback._should_save_on_train_epoch_end(trainer)
        every = callback._every_n_epochs
        in_its_hook = at_epoch_end == (name == "on_train_epoch_end")
        return in_its_hook and every > 0 and (trainer.current_epoch + 1) % every == 0

    def _catch_up(self, trainer: Trainer) -> None:
        callback: Any = self.callback
        if not self.due or not self._is_known(trainer):
            return
        if not callback._should_skip_saving_checkpoint(trainer):
            candidates = callback._monitor_candidates(trainer)
            callback._save_topk_checkpoint(trainer, candidates)
            callback._save_last_checkpoint(trainer, candidates)
        self.due = False
