"""Preparation of a trainer for a game: DDP, checkpoints, monitors, loaders; loggers are in ``loggers/guards.py``."""

from collections.abc import Callable
from typing import Any

from lightning.pytorch import Trainer

from gan_lightning.trainer.atomic_checkpoint import use_atomic_saves
from gan_lightning.trainer.ddp import leave_group_at_exit, use_alternating_ddp
from gan_lightning.trainer.internals import replace_method, restore_loader_classes
from gan_lightning.trainer.monitors import delay_outdated_monitors
from gan_lightning.trainer.step_batches import gather_step_batches


def prepare(trainer: Trainer, stage: str, batches_per_step: int) -> None:
    """Prepare a trainer for a game. A game calls it in its ``setup``. Idempotent.

    Args:
        trainer: Changed in place: its strategy, checkpoint IO, hooks of callbacks with a monitor, and training loader.
        stage: As Lightning passes it to ``setup``: ``fit``, ``validate``, ``test`` or ``predict``.
        batches_per_step: Batches that one step takes: ``n_critic * accumulate``.
    """
    leave_group_at_exit()
    _restore_loaders_on_exception(trainer)
    if stage == "fit":
        # ``setup`` comes before the strategy wraps the module: its class may still change.
        use_alternating_ddp(trainer.strategy)
        use_atomic_saves(trainer.strategy)
        delay_outdated_monitors(trainer)
    # In every stage: loaders of a validation have workers to shield as well.
    gather_step_batches(trainer, batches_per_step)


def _restore_loaders_on_exception(trainer: Trainer) -> None:
    """Restore the constructors of loaders if a run fails as Lightning creates them: a notebook's next run has them."""

    def layer(on_exception: Callable[..., Any]) -> Callable[..., Any]:
        def restore_and_call(exception: BaseException) -> None:
            restore_loader_classes()
            on_exception(exception)

        return restore_and_call

    replace_method(trainer.strategy, "on_exception", "loaders", layer)
