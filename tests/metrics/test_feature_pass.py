"""One pass over the images: moments that lose no digits, nothing held that nobody asked for, broken images marked."""

import math
import weakref

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from datamodules.components.loading import TensorImages
from gan_lightning.metrics.evaluator import Evaluator
from gan_lightning.metrics.feature_pass import embed
from gan_lightning.metrics.features import Embedding, FeatureExtractor, Pixels
from gan_lightning.metrics.image_sources import Samples
from gan_lightning.metrics.running_moments import RunningMoments
from tests.metrics.tools import images, source


@pytest.mark.parametrize("mean", [0.0, 1e4, 1e6])
@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_moments_of_batches_agree_with_numpy(mean, batch_size):
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(100, 6, dtype=torch.float64, generator=generator) + mean
    features[50:] += 3  # the first batch does not know all
    running = RunningMoments()
    for batch in features.split(batch_size):
        running.add(batch)
    gaussian = running.result()
    assert gaussian.count == 100
    assert_close(gaussian.mean.numpy(), features.numpy().mean(axis=0), rtol=1e-14, atol=1e-14)
    assert_close(gaussian.cov.numpy(), np.cov(features.numpy(), rowvar=False), rtol=1e-9, atol=1e-9)


def test_moments_of_nothing():
    running = RunningMoments()
    with pytest.raises(ValueError, match="nothing"):
        running.result()
    running.add(torch.zeros(1, 3))
    with pytest.raises(ValueError, match="at least 2"):
        running.result()


class Watched(FeatureExtractor):
    """Pixels that count how many features are alive."""

    name = "watched"

    def __init__(self) -> None:
        super().__init__()
        self.made: list[weakref.ref[Tensor]] = []
        self.most_alive = 0

    def forward(self, batch: Tensor) -> Embedding:
        features = batch.flatten(1).float()
        self.made.append(weakref.ref(features))
        self.most_alive = max(self.most_alive, sum(made() is not None for made in self.made))
        return Embedding(features)


def test_moments_alone_hold_no_features():
    held = {}
    for part in ("gaussian", "features"):
        extractor = Watched()
        found = embed(source(64, 1), extractor, {part}, batch_size=8)
        held[part] = extractor.most_alive
        assert (found.features is None) == (part == "gaussian")
    assert held["gaussian"] <= 2
    assert held["features"] == 8


def test_samples_are_rounded_as_they_are_saved():
    levels = torch.arange(256)
    shown = (levels / 127.5 - 1 + 1e-3).view(256, 1, 1, 1)
    found = embed(Samples(lambda n, seed, start: shown[start : start + n], 256), Pixels(), {"features"}, 100)
    assert found.features is not None
    assert torch.equal(found.features.flatten(), levels.float() / 255)


def scores_of(samples: Tensor, metrics: tuple[str, ...] = ("fid", "kid", "precision", "recall")) -> dict[str, float]:
    evaluator = Evaluator(metrics, Pixels())
    made = Samples(lambda n, seed, start: samples[start : start + n], len(samples))
    return evaluator.score(made, evaluator.describe(source(100, 2, side=3)))


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("metrics", [("fid",), ("kid",), ("fid", "kid", "precision", "recall")])
def test_one_sample_that_is_not_a_number_is_told(value, metrics):
    samples = torch.rand(100, 3, 3, 3)
    samples[41, 1, 2, 0] = value
    with pytest.warns(UserWarning, match="infinite or not a number"):
        scores = scores_of(samples, metrics)
    assert list(scores) == [f"{name}_pixels" for name in metrics]
    assert all(math.isnan(score) for score in scores.values())


def test_constant_samples_have_a_finite_score():
    scores = scores_of(torch.zeros(100, 3, 3, 3))
    assert all(math.isfinite(score) for score in scores.values())
    assert scores["recall_pixels"] == 0
    assert scores["fid_pixels"] > 0.1


def test_too_few_samples_for_the_dimensions_are_told():
    with pytest.warns(UserWarning, match="20 samples in 27 feature dimensions: .* full rank"):
        scores_of(torch.rand(20, 3, 3, 3), ("fid",))


def test_inception_score_needs_classes():
    with pytest.raises(ValueError, match="pixels gives none"):
        Evaluator(["inception_score"], Pixels())
    with pytest.raises(ValueError, match="no metric 'fud'"):
        Evaluator(["fud"], Pixels())
    with pytest.raises(ValueError, match="No metric"):
        Evaluator([], Pixels())


def test_order_of_the_images_is_kept():
    shown = images(50, 1)
    found = embed(TensorImages(shown, None), Pixels(), {"features"}, batch_size=7)
    assert found.features is not None
    assert torch.equal(found.features, shown.flatten(1).float() / 255)
