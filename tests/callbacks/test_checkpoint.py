"""The newest state, saved where it is whole: at epochs' ends, around validations, and when a run is stopped."""

import signal
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest

from gan_lightning.callbacks import LastCheckpoint
from gan_lightning.trainer.atomic_checkpoint import AtomicCheckpointIO
from gan_lightning.variants import DCGAN
from tests.helpers.games import assert_same_bits, last_state, metrics_file, play, run_directory, small

EVERY_FOUR: dict[str, Any] = {"val_check_interval": 4, "check_val_every_n_epoch": None}


class StopAt(pl.Callback):
    """Asks the run to stop, by SIGTERM, Ctrl-C or from within, at a step, in training or in a validation."""

    def __init__(self, step: int, hook: str, how: str) -> None:
        self.step = step
        self.how = how
        setattr(self, hook, self.stop)

    def stop(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step == self.step and not trainer.sanity_checking:
            if self.how == "sigterm":
                trainer._signal_connector.received_sigterm = True
            elif self.how == "ctrl_c":
                signal.raise_signal(signal.SIGINT)
            else:
                trainer.should_stop = True


class LogAtValidation(pl.Callback):
    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        pl_module.log("val/step", float(trainer.global_step))


def game() -> DCGAN:
    return small(DCGAN, side=8)


def run(folder: Path, steps: int = 11, callbacks: Any = (), save_every: int = 100, **options: Any) -> None:
    """Batches of 300: five an epoch."""
    with_validation = [LogAtValidation(), *callbacks]
    try:
        play(game(), steps, folder, side=8, batch_size=300, save_every=save_every, callbacks=with_validation, **options)
    except SystemExit:  # What Lightning makes of a SIGTERM.
        assert callbacks


@pytest.mark.parametrize("how", ["sigterm", "ctrl_c", "should_stop"])
@pytest.mark.parametrize(
    ("step", "hook", "options"),
    [
        (3, "on_train_batch_end", {}),
        (5, "on_train_batch_end", {}),
        (3, "on_train_batch_end", {"limit_val_batches": 0}),
        (5, "on_train_batch_end", {"limit_val_batches": 0}),
        (4, "on_train_batch_end", EVERY_FOUR),
        (8, "on_validation_batch_end", EVERY_FOUR),
        (8, "on_validation_end", EVERY_FOUR),
    ],
)
def test_a_stopped_run_continues_in_the_same_bits(
    step: int, hook: str, options: dict[str, Any], how: str, tmp_path: Path
) -> None:
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    run(straight, **options)
    run(stopped, callbacks=[StopAt(step, hook, how)], **options)
    assert last_state(stopped)["global_step"] == step
    run(stopped, resume=True, **options)
    assert_same_bits(last_state(stopped), last_state(straight))
    assert losses(stopped) == losses(straight)
    if how != "should_stop":  # Lightning validates once more before it obeys should_stop.
        assert metrics_file(stopped) == metrics_file(straight)


def test_a_sigterm_in_the_middle_of_a_validation_saves_first(tmp_path: Path) -> None:
    """Ten validation batches; the run is stopped after the second, and that validation is left out."""

    class InTheMiddle(StopAt):
        def stop(self, trainer: pl.Trainer, *arguments: Any) -> None:
            if arguments[3] == 1:  # the number of the batch
                super().stop(trainer)

    options: dict[str, Any] = {"side": 8, "batch_size": 10, "save_every": 100, **EVERY_FOUR}
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    play(game(), 9, straight, **options)
    with pytest.raises(SystemExit):
        play(game(), 9, stopped, callbacks=[InTheMiddle(4, "on_validation_batch_end", "sigterm")], **options)
    assert last_state(stopped)["global_step"] == 4
    play(game(), 9, stopped, resume=True, **options)
    assert_same_bits(last_state(stopped), last_state(straight))
    assert losses(stopped) == losses(straight)


def test_intervals_are_kept_at_epochs_ends_without_a_validation_loader(tmp_path: Path) -> None:
    class NoValidation(pl.Callback):
        def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
            trainer.datamodule.val_dataloader = no_batches

    run(tmp_path, 7, callbacks=[NoValidation()], save_every=5, crash_at=6)
    assert last_state(tmp_path)["global_step"] == 5


def test_a_step_is_logged_before_it_is_saved_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a kill between the two, nobody would log it."""
    save, rows = AtomicCheckpointIO.save_checkpoint, []

    def saving(self: AtomicCheckpointIO, checkpoint: dict[str, Any], *rest: Any, **options: Any) -> None:
        rows.append((checkpoint["global_step"], len(metrics_file(tmp_path).splitlines()) - 1))
        save(self, checkpoint, *rest, **options)

    monkeypatch.setattr(AtomicCheckpointIO, "save_checkpoint", saving)
    run(tmp_path, 4, save_every=1, limit_val_batches=0)
    assert rows == [(1, 1), (2, 2), (3, 3), (4, 4)]
    assert len(metrics_file(tmp_path).splitlines()) == 5


def test_the_signals_are_given_back(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    run(tmp_path, 2)
    assert signal.getsignal(signal.SIGINT) is before
    run(tmp_path, 9, callbacks=[StopAt(3, "on_train_batch_end", "ctrl_c")], resume=True)
    assert signal.getsignal(signal.SIGINT) is before


def test_nothing_is_saved_when_nothing_moved(tmp_path: Path) -> None:
    run(tmp_path, 2, fast_dev_run=2)
    assert not (run_directory(tmp_path) / "checkpoints").exists()
    with pytest.raises(ValueError, match="every_n_steps is 0"):
        LastCheckpoint(0)


def no_batches() -> list[Any]:
    return []


def losses(folder: Path) -> list[str]:
    """The rows of the training steps, without those of the validations."""
    return [row.rsplit(",", 1)[0] for row in metrics_file(folder).splitlines()[1:] if ",,," not in row]
