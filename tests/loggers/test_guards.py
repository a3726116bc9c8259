"""Loggers that fail while the game is played."""

import builtins
import os
import warnings
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
from lightning.pytorch.loggers import CSVLogger

from gan_lightning.callbacks import RunAnimation, SampleGrid
from gan_lightning.variants import DCGAN
from tests.helpers.games import assert_same_bits, last_state, metrics_file, play, run_directory, small

CALLS = ["log_metrics", "log_hyperparams", "log_graph", "log_image", "log_video", "save", "finalize"]


class Offline(CSVLogger):
    """Has no network at all, or not for one kind of call."""

    def __init__(self, folder: Path, *failing: str) -> None:
        super().__init__(str(folder / "offline"))
        self.failing = failing
        self.asked: list[str] = []

    def answer(self, name: str) -> None:
        self.asked.append(name)
        if name in self.failing:
            raise ConnectionError(f"no network for {name}")


for _name in CALLS:
    setattr(Offline, _name, lambda self, *_, name=_name, **__: self.answer(name))


class Beside(pl.Callback):
    """Puts a logger beside the run's own."""

    def __init__(self, logger: Any) -> None:
        self.logger = logger

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        trainer.loggers = [*trainer.loggers, self.logger]


def train(folder: Path, *callbacks: pl.Callback, steps: int = 3) -> list[str]:
    """The warnings about loggers."""
    pictures = [SampleGrid(1, n=1, scale=1), RunAnimation()]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        play(small(DCGAN, side=8), steps, folder, side=8, callbacks=[*callbacks, *pictures])
    return [str(warning.message) for warning in caught if "failed at step" in str(warning.message)]


@pytest.mark.parametrize("name", CALLS)
def test_a_logger_that_fails_does_not_stop_training(name: str, tmp_path: Path) -> None:
    logger = Offline(tmp_path, name)
    told = train(tmp_path, Beside(logger))
    assert last_state(tmp_path)["global_step"] == 3
    assert name in logger.asked
    assert len(told) == 1
    assert told[0].startswith("Offline failed at step ")
    assert f"no network for {name}" in told[0]


def test_the_step_of_the_first_failure_is_told_and_the_logger_is_asked_again(tmp_path: Path) -> None:
    logger = Offline(tmp_path, "log_metrics", "log_image")
    (told,) = train(tmp_path, Beside(logger))
    assert "failed at step 0: no network for log_image" in told
    assert logger.asked.count("log_image") == 4
    assert logger.asked.count("log_metrics") == 3


def test_a_failing_logger_changes_no_bit(tmp_path: Path) -> None:
    train(tmp_path / "with", Beside(Offline(tmp_path, *CALLS)))
    train(tmp_path / "without")
    assert_same_bits(last_state(tmp_path / "with"), last_state(tmp_path / "without"))
    assert metrics_file(tmp_path / "with") == metrics_file(tmp_path / "without")


class FullDisk(pl.Callback):
    """Refuses the run's metrics after half a row, from the end of one step to the beginning of another."""

    def __init__(self, first: int, last: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.first, self.last = first, last
        self.monkeypatch = monkeypatch

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step == self.first:
            self.monkeypatch.setattr(builtins, "open", self.open_, raising=False)
        if trainer.global_step == self.last:
            self.monkeypatch.undo()

    def open_(self, path: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
        if "metrics.csv" not in str(path) or "r" in mode:
            return io_open(path, mode, *arguments, **named)
        with io_open(path, mode) as file:
            file.write(b"1,0." if "b" in mode else "1,0.")
        raise OSError(28, "No space left on device")


io_open = open


def test_a_full_disk_costs_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (told,) = train(tmp_path / "full", FullDisk(2, 4, monkeypatch), steps=6)
    assert told.startswith("RunLogger failed at step 3: [Errno 28] No space left on device")
    train(tmp_path / "room", steps=6)
    assert_same_bits(last_state(tmp_path / "full"), last_state(tmp_path / "room"))
    assert metrics_file(tmp_path / "full") == metrics_file(tmp_path / "room")


@pytest.mark.parametrize(("first", "last"), [(2, 3), (2, 4)])
def test_a_full_disk_when_a_run_is_resumed_costs_no_row(
    first: int, last: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows beyond the resumed step are still there when the disk refuses to replace them."""
    play(small(DCGAN, side=8), 5, tmp_path / "straight", side=8)
    play(small(DCGAN, side=8), 5, tmp_path / "full", side=8, save_every=2, crash_at=3)
    full = FullDisk(first, last, monkeypatch)
    with pytest.warns(UserWarning, match="RunLogger failed"):
        play(small(DCGAN, side=8), 5, tmp_path / "full", side=8, resume=True, callbacks=[full])
    monkeypatch.undo()
    assert metrics_file(tmp_path / "full") == metrics_file(tmp_path / "straight")


def test_a_mistake_in_the_runs_own_log_is_not_forgiven(tmp_path: Path) -> None:
    class Mistake(pl.Callback):
        def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
            os.makedirs(run_directory(tmp_path), exist_ok=True)
            trainer.logger.experiment.metrics = [{"step": 1, object(): 1}]

    with pytest.raises(TypeError, match="not supported between"):
        train(tmp_path, Mistake())
