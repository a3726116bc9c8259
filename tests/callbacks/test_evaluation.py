"""Metrics during training, against the same metrics computed by hand."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from datamodules import DigitsDataModule
from gan_lightning.callbacks import GenerativeMetrics
from gan_lightning.images import to_uint8
from gan_lightning.metrics import frechet_distance, moments
from gan_lightning.variants import DCGAN
from tests.games import assert_same_bits, last_state, metrics_file, play, small


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def metrics(**arguments: Any) -> GenerativeMetrics:
    return GenerativeMetrics(**{"extractor": "pixels", "num_samples": 100, **arguments})


def fid_by_hand(model: Any, n: int = 100) -> float:
    data = DigitsDataModule(image_size=16)
    data.setup()
    indices = torch.arange(len(data.splits.train))
    real = next(iter(data.splits.train.image_batches([indices]))).flatten(1) / 255
    fake = to_uint8(model.sample(n)).flatten(1) / 255
    return frechet_distance(*moments(real), *moments(fake))


def test_fid_on_pixels_is_the_distance_of_the_pixels(tmp_path):
    model = small(DCGAN)
    trainer = play(model, 3, tmp_path, callbacks=[metrics()], val_check_interval=3)
    assert trainer.callback_metrics["val/fid"].item() == pytest.approx(fid_by_hand(model), rel=1e-6)


def test_model_checkpoint_keeps_the_best(tmp_path):
    keeper = ModelCheckpoint(tmp_path / "best", monitor="val/fid", mode="min")
    play(small(DCGAN), 6, tmp_path, callbacks=[metrics(), keeper], val_check_interval=2)
    rows = [line.split(",") for line in metrics_file(tmp_path).splitlines()]
    column = rows[0].index("val/fid")
    scores = [float(row[column]) for row in rows[1:] if row[column]]
    assert len(scores) == 3
    assert keeper.best_model_score is not None
    assert keeper.best_model_score.item() == pytest.approx(min(scores))
    assert Path(keeper.best_model_path).is_file()


def test_every_n_steps_is_logged_at_those_steps(tmp_path):
    """At every one of them, whatever log_every_n_steps says of the losses."""
    rarely = pl.callbacks.LambdaCallback(on_train_start=lambda trainer, _: setattr(trainer, "log_every_n_steps", 50))
    trainer = play(small(DCGAN), 5, tmp_path, callbacks=[metrics(every_n_steps=2), rarely])
    rows = [line.split(",") for line in metrics_file(tmp_path).splitlines()]
    step, fid = rows[0].index("step"), rows[0].index("val/fid")
    assert [int(row[step]) for row in rows[1:] if row[fid]] == [1, 3]  # Lightning counts from 0
    assert "val/fid" in trainer.callback_metrics


def test_training_does_not_notice(tmp_path):
    states = []
    for name, callbacks in [("with", [metrics(), metrics(every_n_steps=1)]), ("without", [])]:
        folder = tmp_path / name
        play(small(DCGAN), 4, folder, callbacks=callbacks, val_check_interval=2)
        states.append((last_state(folder), torch.get_rng_state()))
    assert_same_bits(*states)


def test_checkpoints_do_not_know_of_it(tmp_path):
    play(small(DCGAN), 2, tmp_path, callbacks=[metrics(every_n_steps=1)])
    path = tmp_path / "run" / "version_0" / "checkpoints" / "last.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    assert not any("GenerativeMetrics" in name for name in checkpoint["callbacks"])
    assert checkpoint["state_dict"].keys() == small(DCGAN).state_dict().keys()


def test_sanity_check_measures_nothing(tmp_path, monkeypatch):
    model, calls = small(DCGAN), []
    monkeypatch.setattr(model, "sample", lambda *_, **__: calls.append(1))
    trainer = pl.Trainer(
        max_steps=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=1,
        check_val_every_n_epoch=2,
        callbacks=[metrics()],
        default_root_dir=tmp_path,
    )
    trainer.fit(model, datamodule=DigitsDataModule(image_size=16))
    assert not calls
