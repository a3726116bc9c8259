"""Detection of NaN and infinity in losses and weights, and what follows: a warning, a stop or a rollback."""

import warnings
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn

from gan_lightning.arguments.ranges import check_whole
from gan_lightning.callbacks.checkpoint import LastCheckpoint
from gan_lightning.games.randomness import fold
from gan_lightning.trainer.collectives import average_over_processes
from gan_lightning.trainer.internals import foreach_norm


class DivergenceError(RuntimeError):
    """Training has diverged; ``last.ckpt`` holds an earlier, finite state.

    It crosses process boundaries, so it carries all that a rollback needs.

    Attributes:
        rolls_back: Whether to resume from the last checkpoint.
        directory: Of the run; None if it has none.
    """

    def __init__(self, sentence: str, rolls_back: bool = False, directory: Path | None = None) -> None:
        super().__init__(sentence)
        self.rolls_back = rolls_back
        self.directory = directory


class DivergenceGuard(Callback):
    """Detects NaN and infinity in losses and weights.

    Losses of every step are summed on the device; the sums and the weights' norms are read every ``every_n_steps``
    steps and before every checkpoint, so a diverged state never replaces a good one (unless ``on_divergence`` is warn).
    All ranks take the same decision.

    Args:
        on_divergence: warn: warn once and continue. stop: raise a DivergenceError. rollback: raise it, and the command
            line resumes from the run's ``last.ckpt`` (or restarts, if there is none) with other random numbers.
            In Python: set ``attempt`` and call ``fit`` of a new trainer with ``ckpt_path``.
        every_n_steps: Generator updates between two checks.
        max_rollbacks: Give up after so many rollbacks to the same checkpoint.

    Attributes:
        attempt: Rollbacks so far to the checkpoint that the run starts from. Each attempt has a seed of its own, which
            its checkpoints keep, so that it resumes bit for bit.
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
        self._has_warned = False

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        log_dir = trainer.log_dir  # Collective: rank 0 broadcasts it.
        self.directory = None if log_dir is None else Path(log_dir)

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        self._sums, self._has_warned = {}, False
        if self.attempt:
            # With the same random numbers the run would diverge in the same way.
            pl_module.seed = fold(pl_module.seed, self.attempt)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        for player, loss in (outputs or {}).items():
            # NaN and infinity survive a sum, so one value on the device stands for all steps since the last check.
            self._sums[player] = self._sums[player] + loss if player in self._sums else loss
        if trainer.global_step % self.every_n_steps == 0:
            self._check(trainer, pl_module)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        self._check(trainer, pl_module)

    def _check(self, trainer: Trainer, pl_module: LightningModule) -> None:
        watched = {f"the {player}'s loss": total for player, total in self._sums.items()}
        watched |= {
            f"weights of {name}": size for name, child in pl_module.named_children() for size in _norm_of(child)
        }
        self._sums = {}
        # One tensor, so that there is one transfer to the host for all that is watched.
        totals = torch.stack([total.float() for total in watched.values()])
        # NaN and infinity survive the mean over ranks, so all ranks see the same failure.
        average_over_processes([totals])
        bad = [name for name, fine in zip(watched, totals.isfinite().tolist(), strict=True) if not fine]
        if not bad:
            self._has_warned = False
        elif self.on_divergence != "warn":
            raise DivergenceError(_sentence(bad, trainer.global_step), self._rolls_back(trainer), self.directory)
        elif not self._has_warned:
            self._has_warned = True
            warnings.warn(f"{_sentence(bad, trainer.global_step)} Training goes on.", stacklevel=2)

    def _rolls_back(self, trainer: Trainer) -> bool:
        """Whether to roll back: not if any rank has a pending signal to stop. Collective."""
        if self.on_divergence != "rollback":
            return False
        callbacks = trainer.callbacks  # type: ignore[attr-defined]
        stopping = [each.is_stop_pending(trainer) for each in callbacks if isinstance(each, LastCheckpoint)]
        return not any(stopping)


def _sentence(bad: list[str], step: int) -> str:
    return f"Training has diverged at step {step} or shortly before: NaN or infinite are {', '.join(bad)}."


def _norm_of(module: nn.Module) -> list[Tensor]:
    """Norm of all weights and buffers of a module, finite only if they are; empty if it has none."""
    numbers = [value.detach() for value in (*module.parameters(), *module.buffers()) if value.is_floating_point()]
    # Norms and no isfinite(): one kernel for all tensors, and a NaN or an infinity anywhere shows in the result.
    return [torch.stack([norm.float() for norm in foreach_norm(numbers)]).norm()] if numbers else []
