"""Keep the newest state of a run, so that it can be continued in the same bits."""

from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.exceptions import SIGTERMException


class LastCheckpoint(Checkpoint):
    """Writes ``checkpoints/last.ckpt`` in the run directory: at intervals, at the last step, and on SIGTERM.

    Lightning's ``ModelCheckpoint`` keeps the best; in manual optimisation its time interval saves nothing, its last
    step is not saved unless it falls on the interval, and a state saved after an epoch that ``max_steps`` cut short
    does not continue where the epoch stopped. This one saves between two steps only, where the state is whole.

    Args:
        every_n_steps: Generator updates between two saves.
    """

    def __init__(self, every_n_steps: int = 500) -> None:
        super().__init__()
        if every_n_steps < 1:
            raise ValueError(f"every_n_steps is {every_n_steps}: it must be at least 1.")
        self.every_n_steps = every_n_steps
        self.path: Path | None = None
        self._saved_step = 0
        self._due = False

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage == "fit":
            folder = trainer.log_dir or trainer.default_root_dir
            self.path = Path(trainer.strategy.broadcast(folder)) / "checkpoints" / "last.ckpt"

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._saved_step = trainer.global_step

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        step = trainer.global_step
        self._due = step % self.every_n_steps == 0 or step == trainer.max_steps or _stops_here(trainer)
        # A state saved before a validation that is due would skip it when resumed.
        if self._due and not _validation_follows(trainer):
            self._save(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if (self._due or _stops_here(trainer)) and not trainer.sanity_checking:
            self._save(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._save(trainer)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        # Lightning raises this one between two steps, or in a validation, which is then left out. Any other may come in
        # the middle of a step, when one player has moved and the other has not, or when a batch has been fetched and
        # not used: the last whole state stands.
        if isinstance(exception, SIGTERMException) and not trainer.sanity_checking:
            self._save(trainer)

    def _save(self, trainer: Trainer) -> None:
        self._due = False
        fitting = trainer.state.fn == TrainerFn.FITTING
        if not fitting or trainer.global_step == self._saved_step or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        assert self.path is not None
        trainer.save_checkpoint(self.path, weights_only=False)  # False: the whole state, to train on
        self._saved_step = trainer.global_step


def _validation_follows(trainer: Trainer) -> bool:
    """Whether a validation is due between this step and the next; Lightning has no public way to ask."""
    loop = trainer.fit_loop
    assert loop._data_fetcher is not None
    # Lightning validates once more before it obeys should_stop; when the run is resumed, none is due there.
    stop, trainer.should_stop = trainer.should_stop, False
    due = loop.epoch_loop._should_check_val_fx(loop._data_fetcher)
    trainer.should_stop = stop
    # A validation without a batch is due like any other, but it is skipped, and no hook is called.
    return due and sum(trainer.num_val_batches) > 0


def _stops_here(trainer: Trainer) -> bool:
    """Whether the run ends before its last step: what Lightning saves later has counted the epoch as finished."""
    return trainer.received_sigterm or trainer.should_stop
