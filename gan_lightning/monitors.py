"""A checkpoint is filed under the value that was measured of it, and training stops early by new values only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import rank_zero_warn

_HOOKS = ("on_train_batch_end", "on_validation_end", "on_train_epoch_end")


class Noting(LightningModule):
    """A module that notes when each name was logged last.

    The trainer keeps the newest value of every name for those who watch one, and does not tell how old it is.

    Attributes:
        noted: The number of the batch, counted over the fit, after or in which a name was logged.
        is_measured_at_steps: Whether a callback logs ``val/...`` at steps of its own, maybe long after a validation.
    """

    def __init__(self) -> None:
        super().__init__()
        self.noted: dict[str, int] = {}
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
    Names that nobody has logged through the game are left to Lightning.
    """
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, ModelCheckpoint | EarlyStopping) and callback.monitor is not None:
            _Wait(callback).put_in()


class _Wait:
    """The hooks of a callback that watches a name, each held back while the value is old."""

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
            if self.due and self.callback.monitor not in self._known(trainer):
                rank_zero_warn(
                    f"{type(self.callback).__name__} watches {self.callback.monitor}, which nothing has logged: no "
                    "checkpoint was kept for it."
                )

        at_the_end.before_wait = hook  # type: ignore[attr-defined]
        return at_the_end

    def _held_back(self, name: str, hook: Callable[..., Any]) -> Callable[..., Any]:
        def held_back(trainer: Trainer, game: Any, *arguments: Any) -> None:
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
        monitor = str(self.callback.monitor)
        if monitor in game.noted:
            return game.noted[monitor] != trainer.fit_loop.total_batch_idx
        if monitor in self._known(trainer):
            return False
        # It may yet come. Where it is due by now and is not there, Lightning says so.
        return name == "on_train_batch_end" or (game.is_measured_at_steps and monitor.startswith("val/"))

    def _known(self, trainer: Trainer) -> dict[str, Any]:
        return {**trainer.callback_metrics, "epoch": trainer.current_epoch, "step": trainer.global_step}

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
        if not self.due or callback.monitor not in self._known(trainer):
            return
        if not callback._should_skip_saving_checkpoint(trainer):
            candidates = callback._monitor_candidates(trainer)
            callback._save_topk_checkpoint(trainer, candidates)
            callback._save_last_checkpoint(trainer, candidates)
        self.due = False
