"""The progress bar."""

import re
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest

from datamodules import DigitsDataModule
from gan_lightning.callbacks import progress
from gan_lightning.callbacks.progress import RunProgressBar
from gan_lightning.variants import DCGAN, WGAN
from tests.helpers.games import small


class Says(pl.Callback):
    """Logs a validation metric."""

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        pl_module.log("val/fid", 12.5)


def train(
    bar: RunProgressBar, variant: Any = DCGAN, batch_size: int = 100, more: Any = (), **arguments: Any
) -> pl.Trainer:
    trainer = pl.Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        callbacks=[bar, Says(), *more],
        **arguments,
    )
    trainer.fit(small(variant), DigitsDataModule(batch_size=batch_size, image_size=16))
    return trainer


def test_one_bar_counts_generator_updates_over_all_epochs(capsys: pytest.CaptureFixture[str]) -> None:
    train(RunProgressBar(file_interval=3600), WGAN, max_epochs=3)  # 15 batches make 3 steps an epoch
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Training")]
    assert len(lines) == 2  # the beginning and the end: a pipe is not flooded
    assert "0/9" in lines[0]
    assert "9/9" in lines[1]


def test_the_last_line_shows_the_losses_and_the_newest_metric(capsys: pytest.CaptureFixture[str]) -> None:
    trainer = train(RunProgressBar(), max_steps=15, max_epochs=-1)
    line = next(line for line in capsys.readouterr().err.splitlines() if "15/15" in line)
    d, g = (float(trainer.callback_metrics[f"train/{player}/loss"]) for player in ("discriminator", "generator"))
    assert f"D={d:.3g}, G={g:.3g}, fid=12.5" in line


class Sick(pl.Callback):
    """Logs the health of a game of two discriminators."""

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        named = {"accuracy_real_A": 0.25, "accuracy_real_B": 0.75, "accuracy_fake": 1.0, "gradient_norm": 3.5}
        pl_module.log_dict({f"train/discriminator/{name}": value for name, value in named.items()})
        pl_module.log("train/generator/gradient_norm", 1.5)
        _ = trainer.callback_metrics


def test_the_bar_shows_the_games_health(capsys: pytest.CaptureFixture[str]) -> None:
    train(RunProgressBar(), max_steps=2, more=[Sick()])
    line = next(line for line in capsys.readouterr().err.splitlines() if "2/2" in line)
    for said in ("|dD|=3.5", "|dG|=1.5", "real=0.5", "fake=1"):
        assert said in line


def test_a_resumed_bar_starts_where_the_run_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(RunProgressBar(), max_steps=2).save_checkpoint(tmp_path / "x.ckpt")
    capsys.readouterr()
    trainer = pl.Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        callbacks=[RunProgressBar()],
        max_steps=4,
    )
    data = DigitsDataModule(batch_size=100, image_size=16)
    trainer.fit(small(DCGAN), data, ckpt_path=tmp_path / "x.ckpt", weights_only=True)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Training")]
    assert re.search(r"\b2/4\b", lines[0])
    assert re.search(r"\b4/4\b", lines[-1])


def test_losses_are_read_by_the_clock_and_not_by_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    figures = progress._postfix
    monkeypatch.setattr(
        progress, "_postfix", lambda trainer, losses: looks.append(trainer.global_step) or figures(trainer, losses)
    )
    train(RunProgressBar(file_interval=1000), max_steps=10)
    assert looks == [10]
    looks.clear()
    train(RunProgressBar(file_interval=1e-9), max_steps=10)
    assert looks == [*range(1, 11), 10]


def test_the_other_commands_count_batches(capsys: pytest.CaptureFixture[str]) -> None:
    trainer = pl.Trainer(accelerator="cpu", logger=False, callbacks=[RunProgressBar(file_interval=1e-9)])
    trainer.test(small(DCGAN), DigitsDataModule(batch_size=40, image_size=16, test_size=100), verbose=False)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Testing")]
    assert re.search(r"\b0/3\b", lines[0])
    assert re.search(r"\b3/3\b", lines[-1])


@pytest.mark.parametrize("argument", ["interval", "file_interval"])
def test_arguments_out_of_range_are_refused(argument: str) -> None:
    with pytest.raises(ValueError, match=f"{argument} is 0"):
        RunProgressBar(**{argument: 0})
