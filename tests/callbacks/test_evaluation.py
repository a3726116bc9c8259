"""Metrics during training, against the same metrics computed by hand."""

import re
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

from datamodules import DigitsDataModule
from gan_lightning.callbacks import GenerativeMetrics
from gan_lightning.metrics import classifier, features, frechet_distance, moments
from gan_lightning.metrics.features import Embedding, FeatureExtractor, Pixels
from gan_lightning.variants import DCGAN
from gan_lightning.visualization.images import to_uint8
from tests.helpers.games import assert_same_bits, last_state, metrics_file, play, small
from tests.metrics.tools import Tiny


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def metrics(**arguments: Any) -> GenerativeMetrics:
    return GenerativeMetrics(**{"extractor": "pixels", "num_samples": 300, **arguments})


class Own(FeatureExtractor):
    """As many features as it is asked for, of images of 16 x 16 or more."""

    name = "Own"

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, batch: torch.Tensor) -> Embedding:
        if self.width == 19:
            raise RuntimeError("too small")
        return Embedding(torch.zeros(len(batch), self.width))


class Scoring(Pixels):
    """Pixels, and two classes."""

    name = "scoring"
    class_score = "scoring_score"

    def forward(self, batch: torch.Tensor) -> Embedding:
        features = super().forward(batch).features
        return Embedding(features, features[:, :2])


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
    column = rows[0].index("val/fid_pixels")
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
    step, fid = rows[0].index("step"), rows[0].index("val/fid_pixels")
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
    others = [f"{name}_classifier" for name in names if name != "inception_score"]
    assert set(playing.logged_metrics) == {"val/classifier_score", *(f"val/{name}" for name in others)}
    # A monitor may name them plainly.
    assert set(playing.callback_metrics) == {*playing.logged_metrics, *(f"val/{name}" for name in names)}
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
        ({"metrics": "fid"}, "metrics is 'fid': it must be a list"),
        ({"metrics": None}, "metrics is None: it must be a list"),
        ({"metrics": [1]}, "no metric 1"),
        ({"metrics": []}, "No metric was chosen"),
        ({"split": "training"}, "split is 'training'"),
        ({"split": None}, "split is None"),
        ({"every_n_steps": 0}, "every_n_steps is 0: it must be a whole number, at least 1"),
        ({"every_n_steps": 1.5}, "every_n_steps is 1.5: it must be a whole number, at least 1"),
        ({"num_samples": 1}, "num_samples is 1: it must be a whole number, at least 2"),
        ({"num_real": "all"}, "num_real is 'all': it must be a whole number"),
        ({"batch_size": None}, "batch_size is None: it must be a whole number, at least 1"),
        ({"batch_size": True}, "batch_size is True: it must be a whole number"),
        ({"seed": None}, "seed is None: it must be a whole number"),
        ({"kid_subsets": 0}, "kid_subsets is 0: it must be a whole number, at least 1"),
        ({"kid_subset_size": None}, "kid_subset_size is None: it must be a whole number, at least 2"),
        ({"weights_path": 5}, "weights_path is 5: it must be a path"),
        ({"weights_path": {"vgg16": None}}, "weights_path is {'vgg16': None}: it must be a path"),
        ({"cache_dir": ""}, "cache_dir is '': it must be a path"),
    ],
)
def test_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metrics": ["inception_score"]}, "inception_score needs class scores, and the extractor pixels gives none"),
        ({"metrics": ["recall"], "num_samples": 3}, "recall takes at least 4 samples, .* and there are 3: .*num_samp"),
        ({"metrics": ["precision"], "num_real": 3}, "precision takes at least 4 real images, .* there are 3: .*num_re"),
        ({"metrics": ["kid"], "num_samples": 50_000_000}, r"kid of 50000000 samples .* takes \d+ GB"),
        ({"extractor": Own(19)}, "Own cannot look at images of 1 x 16 x 16"),
        ({"extractor": Own(12288)}, r"FID of 12288 features takes covariances .* 1\.2 GB"),
        (
            {"extractor": Scoring(), "metrics": ["inception_score"], "num_samples": 19},
            "at least 20 samples, .* 10 parts",
        ),
    ],
)
def test_what_cannot_be_measured_is_said_before_training(tmp_path, arguments, message):
    model = small(DCGAN)
    with pytest.raises(ValueError, match=message):
        play(model, 2, tmp_path, callbacks=[metrics(**arguments)])
    assert model.global_step == 0


def test_subsets_that_are_larger_than_the_sets_are_said_before_training(tmp_path):
    said = "KID is to take subsets of 1000 images .* 50 samples and 1597 real images: subsets of 50 are taken"
    with pytest.warns(UserWarning, match=said):
        play(small(DCGAN), 1, tmp_path, callbacks=[metrics(metrics=["kid"], num_samples=50, every_n_steps=1)])


class Blind(DigitsDataModule):
    """Digits without a validation set."""

    def val_dataloader(self) -> Any:
        return []


@pytest.mark.parametrize("kind", [ModelCheckpoint, EarlyStopping])
def test_a_monitor_of_what_is_never_measured_is_refused(tmp_path, kind):
    options, reason = {"limit_val_batches": 0}, "limit_val_batches is 0: give every_n_steps"
    for name in ("fid", "fid_pixels"):
        watch = kind(monitor=f"val/{name}")
        with pytest.raises(ValueError, match=rf"{kind.__name__}\.monitor is val/{name}, .* never measures: .*{reason}"):
            play(small(DCGAN), 2, tmp_path, callbacks=[metrics(), watch], **options)
    with pytest.warns(UserWarning, match=f"GenerativeMetrics measures nothing in this run: .*{reason}"):
        play(small(DCGAN), 2, tmp_path, callbacks=[metrics()], **options)


@pytest.mark.parametrize(
    ("options", "arguments", "reason"),
    [
        ({}, {"every_n_steps": 3}, "every_n_steps is 3, and the run has 2 steps"),
        ({"val_check_interval": 3, "check_val_every_n_epoch": None}, {}, "val_check_interval is 3 in a run of 2 steps"),
    ],
)
def test_a_run_that_is_too_short_to_be_measured_is_a_trial(tmp_path, options, arguments, reason):
    watch = [ModelCheckpoint(tmp_path, monitor="val/fid")]
    with pytest.warns(UserWarning, match=f"GenerativeMetrics measures nothing in this run: .*{reason}"):
        play(small(DCGAN), 2, tmp_path, callbacks=[metrics(**arguments), *watch], **options)


def test_data_without_validation_images_is_said(tmp_path):
    run = pl.Trainer(max_steps=1, accelerator="cpu", logger=False, enable_checkpointing=False,
                     enable_progress_bar=False, callbacks=[metrics()], default_root_dir=tmp_path)  # fmt: skip
    with pytest.warns(UserWarning, match="measures nothing in this run: .* the data has no validation images"):
        run.fit(small(DCGAN), datamodule=Blind(image_size=16))


def test_a_trial_run_may_be_shorter_than_the_interval(tmp_path, recwarn):
    play(small(DCGAN), 2, tmp_path, callbacks=[metrics(every_n_steps=1000)], fast_dev_run=1)
    assert not [each for each in recwarn if "measures nothing" in str(each.message)]


def test_two_extractors_in_one_callback(tmp_path, monkeypatch):
    """Each metric of its own; what published figures are of has the plain name."""
    # Inception is made without torch-fidelity's registry.
    monkeypatch.setitem(FEATURE_EXTRACTORS_REGISTRY, "vgg16", Tiny)
    monkeypatch.setattr(features, "LAYERS", ("features", "classes"))
    monkeypatch.setattr(features, "_with_weights", lambda name, layers, path: Tiny(name, layers))
    names = ["recall", "fid", "inception_score", "precision"]
    playing = trainer(tmp_path, metrics(metrics=names, extractor=None))
    playing.validate(small(DCGAN), datamodule=DigitsDataModule(image_size=16), verbose=False)
    assert list(playing.logged_metrics) == [f"val/{name}" for name in names]
