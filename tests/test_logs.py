"""Which steps are logged."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl

from datamodules import DigitsDataModule
from gan_lightning.game import AdversarialModule
from gan_lightning.loggers import RunLogger
from gan_lightning.logs import is_logged
from gan_lightning.variants import BEGAN, DCGAN
from tests.games import metrics_file, play, small


class Watch(pl.Callback):
    """Notes how often the game logs, and what callbacks find at each step."""

    def __init__(self, stop_at: int = -1) -> None:
        self.calls: list[int] = []
        self.found: list[float] = []
        self.losses: list[float] = []
        self.stop_at = stop_at

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        log = pl_module.log_dict

        def noted(*arguments: Any, **named: Any) -> None:
            self.calls.append(trainer.global_step)
            log(*arguments, **named)

        pl_module.log_dict = noted

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, *_: Any) -> None:
        self.losses.append(outputs["generator"].item())
        self.found.append(trainer.callback_metrics["train/generator/loss"].item())
        trainer.should_stop = trainer.global_step == self.stop_at


def run(folder: Path, watch: Watch, **arguments: Any) -> None:
    game: AdversarialModule = small(DCGAN)
    pl.Trainer(
        accelerator="cpu",
        logger=RunLogger(str(folder), "run", 0),
        enable_model_summary=False,
        enable_progress_bar=False,
        enable_checkpointing=False,
        callbacks=[watch],
        **arguments,
    ).fit(game, DigitsDataModule(batch_size=200, image_size=16))  # 7 steps an epoch


def steps_of(folder: Path) -> list[int]:
    header, *rows = (line.split(",") for line in metrics_file(folder).splitlines())
    return [int(row[header.index("step")]) for row in rows]


def test_only_steps_that_somebody_reads_are_logged(tmp_path: Path) -> None:
    watch = Watch()
    run(tmp_path, watch, max_steps=12, log_every_n_steps=5)
    assert watch.calls == [1, 5, 7, 10, 12]  # the first, the loggers', the end of an epoch, the last
    assert steps_of(tmp_path) == [4, 9]  # counted from 0


def test_callbacks_find_the_newest_logged_loss_at_every_step(tmp_path: Path) -> None:
    watch = Watch()
    run(tmp_path, watch, max_steps=12, log_every_n_steps=5)
    newest = [max(step for step in watch.calls if step <= at) for at in range(1, 13)]
    assert watch.found == [watch.losses[step - 1] for step in newest]


def test_a_stop_between_two_logged_steps_logs_no_old_value(tmp_path: Path) -> None:
    run(tmp_path, Watch(stop_at=6), max_epochs=5, log_every_n_steps=4)
    assert steps_of(tmp_path) == [3]


def test_what_a_variant_logs_by_itself_is_kept(tmp_path: Path) -> None:
    play(small(BEGAN), 3, tmp_path)
    header, *rows = (line.split(",") for line in metrics_file(tmp_path).splitlines())
    assert all(row[header.index("train/k")] for row in rows)


def test_no_interval_means_no_logged_step() -> None:
    trainer = pl.Trainer(fast_dev_run=True, accelerator="cpu")
    trainer.log_every_n_steps = 0  # type: ignore[attr-defined]
    assert not is_logged(trainer)
