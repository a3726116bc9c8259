"""A checkpoint holds the state whose value names it, whatever is measured and saved when."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint

from gan_lightning.callbacks import TrainingHealth
from gan_lightning.callbacks.measurement import Measurement
from gan_lightning.variants import DCGAN
from tests.helpers.games import play, small

EVERY: dict[str, Any] = {"check_val_every_n_epoch": None, "limit_val_batches": 1}


class StepAsMetric(Measurement):
    """A measure that says of which step it is."""

    def __init__(self, every_n_steps: int | None = None) -> None:
        super().__init__(every_n_steps)

    @property
    def names(self) -> list[str]:
        return ["step"]

    def measure(self, trainer: pl.Trainer, game: Any) -> dict[str, float]:
        return {"step": float(trainer.global_step)}


class Logged(DCGAN):
    """A user's game that logs the step in a validation of its own."""

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val/step", float(self.global_step))


def filed(folder: Path, steps: int, *callbacks: pl.Callback, model: Any = None, **saving: Any) -> list[tuple[int, ...]]:
    """Train, five steps an epoch: of every checkpoint the step and the value in its name, and the step it holds."""
    options = {name: saving.pop(name) for name in ("val_check_interval", "check_val_every_n_epoch") if name in saving}
    keep = ModelCheckpoint(
        folder / "kept",
        filename="{step}-{value:.0f}".replace("value", saving.get("monitor", "val/step")),
        **{"monitor": "val/step", "save_top_k": -1, "auto_insert_metric_name": False, **saving},
    )
    play(
        model or small(DCGAN, side=8),
        steps,
        folder,
        side=8,
        batch_size=300,
        save_every=100,
        callbacks=[*callbacks, keep],
        limit_val_batches=1,
        **options,
    )
    found = []
    for path in sorted((folder / "kept").rglob("*.ckpt")):
        step, value = re.findall(r"\d+", path.relative_to(folder / "kept").as_posix())[:2]
        found.append((int(step), int(value), torch.load(path, weights_only=True)["global_step"]))
    return sorted(found)


def same(*steps: int) -> list[tuple[int, ...]]:
    return [(step, step, step) for step in steps]


@pytest.mark.parametrize(
    ("measured", "options", "saved"),
    [
        (None, {"every_n_train_steps": 4, "val_check_interval": 4, "check_val_every_n_epoch": None}, same(4, 8, 12)),
        # A save that is due before the next measurement waits for it.
        (None, {"every_n_train_steps": 4, "val_check_interval": 6, "check_val_every_n_epoch": None}, same(6, 12)),
        (None, {"every_n_train_steps": 5}, same(5, 10)),
        (4, {"every_n_train_steps": 4}, same(4, 8, 12)),
        (6, {"every_n_train_steps": 4}, same(6, 12)),
        (4, {"save_on_train_epoch_end": True}, same(8, 12)),
        (4, {}, same(8, 12)),
        (6, {}, same(6, 12)),
        (None, {}, same(5, 10)),
        (None, {"save_on_train_epoch_end": True}, same(5, 10)),
    ],
)
def test_a_checkpoint_is_filed_under_its_own_value(
    measured: int | None, options: dict[str, Any], saved: list[tuple[int, ...]], tmp_path: Path
) -> None:
    assert filed(tmp_path, 12, StepAsMetric(measured), **options) == saved


def test_what_a_game_logs_itself_in_a_validation_is_waited_for(tmp_path: Path) -> None:
    options = {"every_n_train_steps": 4, "val_check_interval": 4, "check_val_every_n_epoch": None}
    assert filed(tmp_path, 9, model=small(Logged, side=8), **options) == same(4, 8)


def test_losses_are_those_of_the_step_that_is_saved(tmp_path: Path) -> None:
    """Loggers take a loss at every fiftieth step; who watches one is given that of each."""
    losses: dict[int, float] = {}

    class Watch(pl.Callback):
        def on_train_batch_end(self, trainer: pl.Trainer, game: Any, outputs: Any, *_: Any) -> None:
            losses[trainer.global_step] = float(outputs["generator"])

    keep = ModelCheckpoint(tmp_path / "kept", monitor="train/generator/loss", every_n_train_steps=2, save_top_k=-1)
    model = small(DCGAN, side=8)
    trainer = pl.Trainer(
        max_steps=6,
        accelerator="cpu",
        logger=False,
        log_every_n_steps=50,
        callbacks=[Watch(), TrainingHealth(), keep],
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, torch.utils.data.DataLoader(2 * torch.rand(80, 1, 8, 8) - 1, 10))
    scores = {torch.load(path, weights_only=True)["global_step"]: float(v) for path, v in keep.best_k_models.items()}
    assert scores == {step: pytest.approx(losses[step]) for step in (2, 4, 6)}


def test_early_stopping_counts_a_value_once(tmp_path: Path) -> None:
    """Measured at every eighth step and validated at every second, it would see one value four times."""
    stop = EarlyStopping("val/step", patience=2, mode="max")
    options = {"val_check_interval": 2, "check_val_every_n_epoch": None}
    trainer = play(
        small(DCGAN, side=8), 24, tmp_path, side=8, batch_size=300, callbacks=[StepAsMetric(8), stop], **options
    )
    assert trainer.global_step == 24


def test_a_name_that_nothing_logs_is_told(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="watches val/setp, which nothing has logged"):
        assert filed(tmp_path, 6, StepAsMetric(4), monitor="val/setp", every_n_train_steps=2) == []


@pytest.mark.parametrize(
    ("saving", "expected"),
    [
        ({"monitor": None, "filename": "{step}"}, [1, 2, 3, 4]),
        # Where a name is watched, once it is measured.
        ({}, [2, 4]),
    ],
)
def test_a_checkpoint_is_saved_by_the_clock(tmp_path: Path, saving: dict[str, Any], expected: list[int]) -> None:
    keep = ModelCheckpoint(
        tmp_path / "kept", train_time_interval=timedelta(0), **{"monitor": "val/step", **saving}, save_top_k=-1
    )
    late = ModelCheckpoint(tmp_path / "late", train_time_interval=timedelta(days=1), save_top_k=-1)
    play(small(DCGAN, side=8), 4, tmp_path, side=8, callbacks=[StepAsMetric(2), keep, late], save_every=100)
    steps = sorted(torch.load(path, weights_only=True)["global_step"] for path in (tmp_path / "kept").iterdir())
    assert steps == expected
    assert not (tmp_path / "late").exists()
