"""Measures of pieces of music, as they are logged beside those of held-out bars."""

import csv
import json
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest

from datamodules import ChoralesDataModule
from gan_lightning.callbacks import MusicMeasures
from gan_lightning.loggers import RunLogger
from gan_lightning.metrics.music import music_measures
from gan_lightning.variants import DCGAN, MidiNet
from tests.helpers.games import run_directory, small


def test_samples_are_measured_beside_held_out_bars(tmp_path: Path) -> None:
    chord = [72, 67, 64, 48]
    pieces = [[chord] * 32, [[-1, 67, 64, 48]] * 16 + [[74, 67, 64, 48], [73, 67, 64, 48]] * 8]
    (tmp_path / "chorales.json").write_text(json.dumps({"train": pieces, "valid": pieces, "test": []}))
    model: Any = small(MidiNet, image_shape=(1, 16, 128))
    trainer = pl.Trainer(
        max_steps=2,
        accelerator="cpu",
        logger=RunLogger(str(tmp_path), "run", 0),
        log_every_n_steps=1,
        num_sanity_val_steps=0,
        enable_model_summary=False,
        enable_progress_bar=False,
        callbacks=[MusicMeasures(num_samples=3, seed=4)],
    )
    trainer.fit(model, ChoralesDataModule(str(tmp_path), keys="own", batch_size=2))
    (row,) = [
        row
        for row in csv.DictReader((run_directory(tmp_path) / "metrics.csv").open(newline=""))
        if row["val/empty_bars"]
    ]
    got = {name.removeprefix("val/"): float(value) for name, value in row.items() if name.startswith("val/") and value}
    # Four bars: two of one pitch, one silent, one of two pitches at every other step, one of them in the scale.
    real = {"empty_bars": 1 / 4, "pitch_classes": 4 / 3, "long_notes": 2 / 18, "in_scale": 5 / 6, "polyphonic_steps": 0}
    assert {name: got[f"real_{name}"] for name in real} == pytest.approx(real)
    samples = music_measures(model.bars_of(model.sample(3, seed=4)))
    assert {name: got[name] for name in samples} == pytest.approx(samples, abs=1e-6)


def test_a_game_of_images_is_refused(tmp_path: Path) -> None:
    trainer = pl.Trainer(max_steps=1, accelerator="cpu", logger=False, callbacks=[MusicMeasures()])
    with pytest.raises(ValueError, match="MusicMeasures measures bars of music, and DCGAN makes none"):
        trainer.callbacks[0].setup(trainer, small(DCGAN), "test")
