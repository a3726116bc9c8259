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
from gan_lightning.metrics import classifier, frechet_distance, moments
from gan_lightning.metrics.features import Embedding, Pixels
from gan_lightning.variants import DCGAN
from tests.games import assert_same_bits, last_state, metrics_file, play, small


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def metrics(**arguments: Any) -> GenerativeMetrics:
    return GenerativeMetrics(**{"extractor": "pixels", "num_samples": 300, **arguments})


def fid_by_hand(model: Any, n: int = 300) -> float:
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
    assert [int(row[step]) for row in rows[1:] if row[fid]] == [2, 4]
    assert "val/fid" in trainer.callback_metrics


class Drawing(Pixels):
    """An extractor that rolls dice."""

    def forward(self, batch: torch.Tensor) -> Embedding:
        torch.rand(1)
        return super().forward(batch)


def test_training_does_not_notice(tmp_path):
    states = []
    for name, callbacks in [("with", [metrics(extractor=Drawing()), metrics(every_n_steps=1)]), ("without", [])]:
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


def trainer(folder: Path, *callbacks: pl.Callback) -> pl.Trainer:
    return pl.Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=list(callbacks),
        default_root_dir=folder,
    )


def test_alone_it_measures_whatever_the_interval(tmp_path):
    model, data = small(DCGAN), DigitsDataModule(image_size=16)
    for stage, name in [("validate", "val/fid"), ("test", "test/fid")]:
        playing = trainer(tmp_path, metrics(every_n_steps=1000))
        getattr(playing, stage)(model, datamodule=data, verbose=False)
        assert playing.callback_metrics[name].item() == pytest.approx(fid_by_hand(model), rel=1e-6)


def test_all_metrics_with_a_classifier(tmp_path, monkeypatch):
    monkeypatch.setattr(classifier, "_STEPS", 3)
    names = ["fid", "kid", "inception_score", "precision", "recall"]
    playing = trainer(tmp_path, metrics(metrics=names, extractor="classifier", split="val", num_samples=200))
    playing.validate(small(DCGAN), datamodule=DigitsDataModule(image_size=16), verbose=False)
    expected = {"val/fid", "val/kid", "val/classifier_score", "val/precision", "val/recall"}
    assert set(playing.callback_metrics) == expected
    assert all(value.isfinite() for value in playing.callback_metrics.values())


def test_a_broken_generator_does_not_end_the_training(tmp_path):
    model = small(DCGAN)
    with torch.no_grad():
        for weight in model.averaged_generator.parameters():
            weight.fill_(torch.nan)
    keeper = ModelCheckpoint(tmp_path / "best", monitor="val/fid", mode="min")
    with pytest.warns(UserWarning, match="not a number"):
        playing = play(model, 4, tmp_path, callbacks=[metrics(), keeper], val_check_interval=2)
    assert playing.global_step == 4
    assert playing.callback_metrics["val/fid"].isnan()


def test_latents_are_fixed_by_the_seed(tmp_path):
    model, data = small(DCGAN), DigitsDataModule(image_size=16)
    found = []
    for seed in (0, 0, 1):
        torch.manual_seed(len(found))
        playing = trainer(tmp_path, metrics(seed=seed, batch_size=32 + len(found)))
        playing.validate(model, datamodule=data, verbose=False)
        found.append(playing.callback_metrics["val/fid"].item())
    assert found[0] == pytest.approx(found[1], rel=1e-6)
    assert found[0] != pytest.approx(found[2], rel=1e-6)


def test_as_many_samples_as_images_unless_told(tmp_path, monkeypatch):
    model, made = small(DCGAN), []
    sample = model.sample
    monkeypatch.setattr(model, "sample", lambda n, **place: (made.append(n), sample(n, **place))[1])
    for given, expected in [({"num_samples": 30}, 30), ({"num_real": 40}, 40), ({"split": "val"}, None)]:
        made.clear()
        data = DigitsDataModule(image_size=16)
        trainer(tmp_path, metrics(**{"num_samples": None, **given})).validate(model, datamodule=data, verbose=False)
        assert sum(made) == (len(data.splits.val) if expected is None else expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metrics": ["fud"]}, "no metric 'fud'"),
        ({"split": "training"}, "split is 'training'"),
        ({"every_n_steps": 0}, "every_n_steps is 0"),
        ({"num_samples": 1}, "num_samples is 1"),
    ],
)
def test_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        metrics(**arguments)


def test_mistakes_are_told_before_training(tmp_path):
    """Not after the first epoch: missing weights, and data that is not in a data module."""
    model, data = small(DCGAN), DigitsDataModule(image_size=16)
    data.setup()
    with pytest.raises(FileNotFoundError, match="weights_path names nowhere"):
        trainer(tmp_path, metrics(extractor="inception", weights_path="nowhere")).fit(model, datamodule=data)
    with pytest.raises(ValueError, match="datamodule="):
        trainer(tmp_path, metrics()).fit(model, data.train_dataloader(), data.val_dataloader())
    assert model.global_step == 0
