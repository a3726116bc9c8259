"""Which steps are logged."""

import signal
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
from lightning.pytorch.utilities.exceptions import SIGTERMException

from datamodules import DigitsDataModule
from gan_lightning.callbacks import LastCheckpoint, SampleGrid
from gan_lightning.games.base import AdversarialModule
from gan_lightning.loggers import RunLogger
from gan_lightning.loggers.step_values import is_logged
from gan_lightning.variants import BEGAN, DCGAN
from tests.helpers.games import last_state, metrics_file, play, small


class Watch(pl.Callback):
    """Notes what callbacks find at each step."""

    def __init__(self, stop_at: int = -1) -> None:
        self.found: list[float] = []
        self.losses: list[float] = []
        self.stop_at = stop_at

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, *_: Any) -> None:
        self.losses.append(outputs["generator"].item())
        self.found.append(trainer.callback_metrics["train/generator/loss"].item())
        trainer.should_stop = trainer.global_step == self.stop_at


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The steps that are logged."""
    steps: list[int] = []
    log_dict = DCGAN.log_dict

    def noted(game: Any, values: Any) -> None:
        steps.append(game.global_step)
        log_dict(game, values)

    monkeypatch.setattr(DCGAN, "log_dict", noted)
    return steps


def run(folder: Path, *callbacks: pl.Callback, game: AdversarialModule | None = None, **arguments: Any) -> None:
    pl.Trainer(
        accelerator="cpu",
        logger=RunLogger(str(folder), "run", 0),
        enable_model_summary=False,
        enable_progress_bar=False,
        callbacks=[*callbacks],
        **{"enable_checkpointing": False, **arguments},
    ).fit(game or small(DCGAN), DigitsDataModule(batch_size=200, image_size=16))  # 7 steps an epoch


def steps_of(folder: Path) -> list[int]:
    header, *rows = (line.split(",") for line in metrics_file(folder).splitlines())
    return [int(row[header.index("step")]) for row in rows]


def test_only_steps_that_somebody_reads_are_logged(tmp_path: Path, logged: list[int]) -> None:
    run(tmp_path, max_steps=12, log_every_n_steps=5)
    assert logged == [1, 5, 7, 10, 12]  # the first, the loggers', the end of an epoch, the last
    assert steps_of(tmp_path) == [5, 10]


def test_callbacks_find_the_newest_logged_loss_at_every_step(tmp_path: Path, logged: list[int]) -> None:
    watch = Watch()
    run(tmp_path, watch, max_steps=12, log_every_n_steps=5)
    newest = [max(step for step in logged if step <= at) for at in range(1, 13)]
    assert watch.found == [watch.losses[step - 1] for step in newest]


def test_a_stop_between_two_logged_steps_logs_no_old_value(tmp_path: Path) -> None:
    run(tmp_path, Watch(stop_at=6), max_epochs=5, log_every_n_steps=4)
    assert steps_of(tmp_path) == [4]


def test_what_a_variant_logs_by_itself_is_kept(tmp_path: Path) -> None:
    play(small(BEGAN), 3, tmp_path)
    header, *rows = (line.split(",") for line in metrics_file(tmp_path).splitlines())
    assert all(row[header.index("train/k")] for row in rows)


def test_no_interval_means_no_logged_step() -> None:
    trainer = pl.Trainer(fast_dev_run=True, accelerator="cpu")
    trainer.log_every_n_steps = 0  # type: ignore[attr-defined]
    assert not is_logged(trainer)


def test_a_run_shorter_than_the_interval_leaves_its_last_step(tmp_path: Path) -> None:
    run(tmp_path / "steps", max_steps=3, log_every_n_steps=50)
    assert steps_of(tmp_path / "steps") == [3]
    run(tmp_path / "epochs", max_epochs=1, log_every_n_steps=50)
    assert steps_of(tmp_path / "epochs") == [7]


class Signalled(pl.Callback):
    """A signal arrives in a step."""

    def __init__(self, number: int, step: int) -> None:
        self.number = number
        self.step = step

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step == self.step:
            signal.raise_signal(self.number)


@pytest.mark.parametrize("callbacks", [[LastCheckpoint], []], ids=["saved", "not saved"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_a_signal_stops_before_its_first_row_leaves_one(
    tmp_path: Path, number: int, callbacks: list[type[pl.Callback]]
) -> None:
    losses = Watch()
    stopped = SystemExit if number == signal.SIGINT and not callbacks else SIGTERMException
    watching = [*(kind() for kind in callbacks), losses, Signalled(number, 3)]
    with pytest.raises(stopped):
        run(tmp_path, *watching, max_steps=20, log_every_n_steps=50, enable_checkpointing=True)
    header, *rows = (line.split(",") for line in metrics_file(tmp_path).splitlines())
    assert [int(row[header.index("step")]) for row in rows] == [3]
    assert float(rows[0][header.index("train/generator/loss")]) == pytest.approx(losses.losses[-1])


def test_a_run_that_stops_early_before_its_first_row_leaves_one(tmp_path: Path) -> None:
    watch = Watch(stop_at=3)
    run(tmp_path, watch, max_steps=20, log_every_n_steps=50)
    header, *rows = (line.split(",") for line in metrics_file(tmp_path).splitlines())
    assert [int(row[header.index("step")]) for row in rows] == [3]
    assert float(rows[0][header.index("train/generator/loss")]) == pytest.approx(watch.losses[-1])


def test_rows_pictures_and_checkpoints_have_one_number(tmp_path: Path) -> None:
    trainer = play(small(DCGAN), 4, tmp_path, callbacks=[SampleGrid(4, n=1)], save_every=4)
    run_folder = tmp_path / "run" / "version_0"
    assert steps_of(tmp_path)[-1] == last_state(tmp_path)["global_step"] == trainer.global_step == 4
    assert sorted(path.stem for path in (run_folder / "samples").iterdir())[-1] == "step_00000004"
    judge = pl.Trainer(
        accelerator="cpu",
        logger=RunLogger(str(tmp_path / "judged"), "run", 0),
        callbacks=[pl.callbacks.LambdaCallback(on_validation_epoch_end=lambda _, game: game.log("val/x", 1.0))],
        enable_progress_bar=False,
    )
    data = DigitsDataModule(batch_size=200, image_size=16)
    judge.validate(small(DCGAN), data, run_folder / "checkpoints" / "last.ckpt", weights_only=True, verbose=False)
    assert steps_of(tmp_path / "judged") == [4]
