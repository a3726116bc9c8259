"""What becomes of a run whose losses or weights are no longer numbers."""

import warnings
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn

from gan_lightning.arguments.ranges import check_whole
from gan_lightning.callbacks.checkpoint import LastCheckpoint
from gan_lightning.games.randomness import fold
from gan_lightning.trainer.ddp import average_over_processes


class DivergenceError(RuntimeError):
    """Training has diverged, and ``last.ckpt`` holds a state from before.

    It may be raised in another process than that which continues the run, so it says what that one needs.

    Attributes:
        rolls_back: Whether the run asks to be continued from its last checkpoint.
        directory: Of the run; None if it has none.
    """

    def __init__(self, sentence: str, rolls_back: bool = False, directory: Path | None = None) -> None:
        super().__init__(sentence)
        self.rolls_back = rolls_back
        self.directory = directory


class DivergenceGuard(Callback):
    """Looks for losses and weights that are NaN or infinite, and does something about them.

    The losses are watched at every step, but nothing is read off the device except at intervals and whenever a
    checkpoint is about to be written. So a state that has diverged never takes the place of a good one, unless
    ``on_divergence`` is warn. All processes decide alike.

    Args:
        on_divergence: warn: say so once and go on. stop: raise a DivergenceError. rollback: raise it as well, and the
            command line continues from the run's ``last.ckpt``, or begins again where there is none, with other draws.
            In Python: set ``attempt`` and call ``fit`` of a new trainer with ``ckpt_path``.
        every_n_steps: Generator updates between two looks.
        max_rollbacks: Give up after so many rollbacks to the same checkpoint.

    Attributes:
        attempt: How often the run has been rolled back to the checkpoint that it begins from. Each attempt draws
            other latents; checkpoints keep the seed of the draws, so that a run resumes in the same bits.
        directory: Of the run; None if it has none.

    Raises:
        ValueError: An argument is out of its range.
    """

    def __init__(
        self,
        on_divergence: Literal["warn", "stop", "rollback"] = "stop",
        every_n_steps: int = 100,
        max_rollbacks: int = 3,
    ) -> None:
        if on_divergence not in ("warn", "stop", "rollback"):
            raise ValueError(f"on_divergence is {on_divergence!r}: choose warn, stop or rollback.")
        check_whole(1, every_n_steps=every_n_steps, max_rollbacks=max_rollbacks)
        self.on_divergence = on_divergence
        self.every_n_steps = every_n_steps
        self.max_rollbacks = max_rollbacks
        self.attempt = 0
        self.directory: Path | None = None
        self._sums: dict[str, Tensor] = {}
        self._told = False

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        log_dir = trainer.log_dir  # Every rank asks: the answer is broadcast.
        self.directory = None if log_dir is None else Path(log_dir)

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        self._sums, self._told = {}, False
        if self.attempt:
            pl_module.seed = fold(pl_module.seed, self.attempt)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        for player, loss in (outputs or {}).items():
            # What is not finite stays so in a sum.
            self._sums[player] = self._sums[player] + loss if player in self._sums else loss
        if trainer.global_step % self.every_n_steps == 0:
            self._look(trainer, pl_module)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        self._look(trainer, pl_module)

    def _look(self, trainer: Trainer, pl_module: LightningModule) -> None:
        watched = {f"the {player}'s loss": total for player, total in self._sums.items()}
        watched |= {f"weights of {name}": size for name, child in pl_module.named_children() for size in _size(child)}
        self._sums = {}
        totals = torch.stack([total.float() for total in watched.values()])
        average_over_processes([totals])
        bad = [name for name, fine in zip(watched, totals.isfinite().tolist(), strict=True) if not fine]
        if not bad:
            self._told = False
        elif self.on_divergence != "warn":
            raise DivergenceError(_sentence(bad, trainer.global_step), self._rolls_back(trainer), self.directory)
        elif not self._told:
            self._told = True
            warnings.warn(f"{_sentence(bad, trainer.global_step)} Training goes on.", stacklevel=2)

    def _rolls_back(self, trainer: Trainer) -> bool:
        """Whether the run is to be rolled back; not if one of its processes was told to stop. All of them must ask."""
        if self.on_divergence != "rollback":
            return False
        callbacks = trainer.callbacks  # type: ignore[attr-defined]
        told_to_stop = [each.was_told_to_stop(trainer) for each in callbacks if isinstance(each, LastCheckpoint)]
        return not any(told_to_stop)


def _sentence(bad: list[str], step: int) -> str:
    return f"Training has diverged at step {step} or shortly before: NaN or infinite are {', '.join(bad)}."


def _size(module: nn.Module) -> list[Tensor]:
    """The norm of all numbers in a module, which is finite if they are; nothing if it has none."""
    numbers = [value.detach() for value in (*module.parameters(), *module.buffers()) if value.is_floating_point()]
    return [torch.stack([norm.float() for norm in torch._foreach_norm(numbers)]).norm()] if numbers else []
