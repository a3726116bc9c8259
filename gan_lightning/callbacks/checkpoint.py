"""Checkpoint of the newest state of a run, from which it resumes bit for bit."""

import math
import signal
from pathlib import Path
from typing import Any
from weakref import proxy

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.exceptions import SIGTERMException

from datamodules.components.first_process import rank_zero_warn
from gan_lightning.arguments.ranges import check_whole
from gan_lightning.trainer.atomic_checkpoint import SaveError
from gan_lightning.trainer.internals import log_step_now, validation_is_due
from gan_lightning.trainer.slurm import SlurmJob
from gan_lightning.trainer.stop_signals import StopSignals


class LastCheckpoint(ModelCheckpoint):
    """Writes ``checkpoints/last.ckpt`` in the run directory: at intervals, at the last step, on SIGTERM and on Ctrl-C.

    Lightning's ``ModelCheckpoint`` cannot do this in manual optimisation: its time interval saves nothing, the last
    step is saved only if it falls on the interval, and a state saved after an epoch cut short by ``max_steps`` does not
    resume inside that epoch. This callback saves between two steps only, where the state is consistent.

    A failed save is a warning; the previous file is kept and training continues. If the last save failed, the run ends
    with a ``SaveError``. In a Slurm job near its time limit it saves, stops the run and requeues the job.

    ``ckpt_path="last"`` finds its file, and ``"best"`` that of another ``ModelCheckpoint`` with a ``monitor``, or this
    one where there is none.

    Args:
        every_n_steps: Generator updates between two saves.
    """

    def __init__(self, every_n_steps: int = 500) -> None:
        self._best = ""
        self._compared: list[ModelCheckpoint] = []
        super().__init__()
        check_whole(1, every_n_steps=every_n_steps)
        self.every_n_steps = every_n_steps
        self.path: Path | None = None
        self._saved_step = 0
        self._due = False
        self._failed: SaveError | None = None
        self._signals = StopSignals()
        self._job: SlurmJob | None = None

    @property
    def best_model_path(self) -> str:
        """Path that Lightning uses for ``ckpt_path="best"`` and as the default; it reads the first callback only."""
        compared = (each.best_model_path for each in self._compared)
        return next(filter(None, compared), self._best)

    @best_model_path.setter
    def best_model_path(self, path: str) -> None:  # Set by a launcher, from its child processes.
        self._best = path

    @property
    def state_key(self) -> str:
        return type(self).__qualname__

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Do nothing: the path follows from the run directory."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        others = (each for each in trainer.checkpoint_callbacks if isinstance(each, ModelCheckpoint))
        # Callbacks with a monitor: theirs is the best checkpoint.
        self._compared = [each for each in others if each.monitor is not None and each is not self]
        if stage == "fit":
            self.path = _path_of_last(trainer)
            self.dirpath = str(self.path.parent)  # where Lightning looks for the last
            self._job = SlurmJob.of(trainer)
            self._signals = StopSignals()
            self._signals.listen_from_the_start(trainer)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Now all callbacks know their folders.
        self.path = self.path or _path_of_last(trainer)
        for other in trainer.checkpoint_callbacks:
            if not isinstance(other, ModelCheckpoint) or isinstance(other, LastCheckpoint) or not other.dirpath:
                continue
            if Path(other.dirpath).resolve() == self.path.parent.resolve():
                _protect_last(other)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # A resumed run has this step in its file already.
        self._saved_step = trainer.global_step
        self._failed = None

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        step = trainer.global_step
        # At the last step itself: a state saved after an epoch that max_steps cut short would not resume in it.
        self._due = step % self.every_n_steps == 0 or step == trainer.max_steps or _stops_here(trainer)
        alone = trainer.world_size == 1 and self._job is None
        if alone and not self._due:
            return  # Fast path: one process, no Slurm job and no save due need no check of signals or validation.
        follows = _validation_follows(trainer)
        if not follows:
            self._act_on_signals(trainer)
            self._due = self._due or _stops_here(trainer)
        # A state saved before a validation that is due would skip it when resumed.
        if self._due and not follows:
            # Lightning does it afterwards, and a kill in between would cost a row.
            log_step_now(trainer)
            self._save(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking:
            return
        self._act_on_signals(trainer)
        # What was due at the step is saved now, with the validation done.
        if self._due or _stops_here(trainer):
            self._save(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Do nothing: Lightning's counters are inconsistent here, and a state saved now would not resume."""

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._save(trainer)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        # Only rank 0 writes and knows of a failure. It raises here, where no other rank waits for it in a collective.
        if self._failed is not None:
            raise self._failed

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        # Lightning raises SIGTERMException between two steps, or in a validation, which is then skipped. Any other
        # error may occur within a step, with one player updated and the other not, or with a batch fetched and not
        # used: nothing is saved then.
        if not isinstance(exception, SIGTERMException):
            return
        exception.code = 128 + (self._signals.received or signal.SIGTERM)  # Lightning would leave with 0.
        if not trainer.sanity_checking:
            self._save(trainer)
            if self._failed is None:
                exception.add_note(f"Stopped at step {_progress(trainer)}, and saved.")
            if self._job is not None and self._job.will_requeue and self._failed is None and trainer.is_global_zero:
                self._job.requeue()

    def _act_on_signals(self, trainer: Trainer) -> None:
        """Stop the run if a signal, or Slurm's, asks for it. Collective."""
        if trainer.state.fn == TrainerFn.FITTING and trainer.global_step != trainer.max_steps:
            self._signals.stop_if_requested(trainer)
            if self._job is not None:
                self._job.stop_if_requested(trainer)

    def is_stop_pending(self, trainer: Trainer) -> bool:
        """Whether any rank has a pending signal to stop. Collective."""
        pending = trainer.received_sigterm or self._signals.received is not None
        pending = pending or (self._job is not None and self._job.is_requested)
        return trainer.strategy.reduce_boolean_decision(pending, all=False)

    def _save(self, trainer: Trainer) -> None:
        self._due = False
        fitting = trainer.state.fn == TrainerFn.FITTING
        # No file outside of fit, none twice for a step, none in a trial run.
        if not fitting or trainer.global_step == self._saved_step or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        self.path = self.path or _path_of_last(trainer)
        self._saved_step = trainer.global_step
        try:
            trainer.save_checkpoint(self.path, weights_only=False)  # False: the whole state, to train on
        except SaveError as error:
            self._failed = error
            rank_zero_warn(f"Step {trainer.global_step}: {error}")
            trainer.strategy.barrier()  # Rank 0 saves, and the others wait here.
        else:
            self._failed = None
            self.last_model_path = self._best = str(self.path)
            if trainer.is_global_zero:
                for logger in trainer.loggers:
                    logger.after_save_checkpoint(proxy(self))  # Such as W&B with log_model: uploads the file.


def _path_of_last(trainer: Trainer) -> Path:
    folder = trainer.strategy.broadcast(trainer.log_dir or trainer.default_root_dir)
    return Path(folder) / "checkpoints" / "last.ckpt"


def _protect_last(other: ModelCheckpoint) -> None:
    """Keep another callback in the same folder from overwriting ``last.ckpt``, possibly with weights only."""
    if other.filename == "last":
        raise ValueError(
            "ModelCheckpoint.filename is last, but last.ckpt in this folder is the newest state, which LastCheckpoint "
            "keeps: choose another name, such as best."
        )
    if other.save_last and other.CHECKPOINT_NAME_LAST == "last":
        other.CHECKPOINT_NAME_LAST = "last_of_model_checkpoint"
        rank_zero_warn(
            "ModelCheckpoint(save_last=...) writes last_of_model_checkpoint.ckpt here: last.ckpt is the newest state, "
            "which LastCheckpoint keeps to continue the run."
        )


def _validation_follows(trainer: Trainer) -> bool:
    """Whether a validation is made between this step and the next."""
    # A validation without a batch is due like any other, but it is skipped, and no hook is called.
    return validation_is_due(trainer) and sum(trainer.num_val_batches) > 0


def _progress(trainer: Trainer) -> str:
    """``1,200 of 5,000``; without the second number where an epoch has no length."""
    steps = trainer.max_steps if trainer.max_steps >= 0 else trainer.estimated_stepping_batches
    return f"{trainer.global_step:,}" + (f" of {int(steps):,}" if 0 <= steps < math.inf else "")


def _stops_here(trainer: Trainer) -> bool:
    """Whether the run ends before its last step: what Lightning saves later has counted the epoch as finished."""
    return trainer.received_sigterm or trainer.should_stop
