"""Measures of sounds against SciPy, scikit-learn and cases worked by hand."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from gan_lightning.callbacks import SoundQuality
from gan_lightning.metrics.features import Embedding, FeatureExtractor
from gan_lightning.metrics.sound import (
    SoundClassifier,
    embedded,
    neighbour_distances,
    sound_scores,
    trained_sound_classifier,
)
from gan_lightning.networks.layers.mel import LogMel
from gan_lightning.variants import DCGAN, WaveGAN
from tests.helpers.games import assert_same_bits, last_state, play, small


class Levels(FeatureExtractor):
    """Features are a sound's first two samples, and it says surely whether the first is positive."""

    name = "levels"
    class_score = "sign_score"

    def forward(self, images: Tensor) -> Embedding:
        first = images[:, 0, :2]
        return Embedding(first, 1000 * torch.stack([first[:, 0], -first[:, 0]], dim=1))


def test_the_distance_is_scipys_and_the_score_by_hand() -> None:
    random = np.random.default_rng(0)
    samples, real = random.normal(0, 0.1, (40, 1, 8)), random.normal(0.1, 0.2, (50, 1, 8))
    samples[:20, 0, 0], samples[20:, 0, 0] = -0.5, 0.5
    scores = sound_scores(torch.from_numpy(samples).float(), torch.from_numpy(real).float(), Levels())
    (m1, c1), (m2, c2) = ((each[:, 0, :2].mean(0), np.cov(each[:, 0, :2].T)) for each in (samples, real))
    expected = ((m1 - m2) ** 2).sum() + np.trace(c1 + c2 - 2 * sqrtm(c1 @ c2).real)
    assert scores["frechet_levels"] == pytest.approx(expected, rel=1e-4)
    # Two kinds, sure of both: 2 where a split has as many of each; ten splits of four have not always.
    assert 1.5 < scores["sign_score"] < 2
    silent = sound_scores(torch.ones(20, 1, 8), torch.from_numpy(real).float(), Levels())
    assert silent["sign_score"] == pytest.approx(1)


def test_a_classifier_tells_tones_from_noise_and_is_the_same_every_time() -> None:
    torch.manual_seed(0)
    time = torch.arange(1024) / 8000
    pitches = 200 + 1000 * torch.rand(40, 1)
    sounds = torch.cat([0.5 * (2 * math.pi * pitches * time).sin(), 0.2 * torch.randn(40, 1024)])[:, None]
    labels = torch.arange(80) // 40
    state = torch.get_rng_state()
    train = torch.arange(80) % 2 == 0
    first = trained_sound_classifier(sounds[train], labels[train], 8000, steps=12)
    assert torch.equal(torch.get_rng_state(), state)
    again = trained_sound_classifier(sounds[train], labels[train], 8000, steps=12)
    assert_same_bits(dict(first.state_dict()), dict(again.state_dict()))
    logits = embedded(first, sounds[~train]).logits
    assert logits is not None
    assert float((logits.argmax(1) == labels[~train]).float().mean()) > 0.9


def test_features_of_any_length() -> None:
    classifier = SoundClassifier(8000, 3, width=4).eval()
    for length in (1024, 1500, 20_000):
        embedding = classifier(torch.randn(2, 1, length))
        assert tuple(embedding.features.shape) == (2, 32)
        assert embedding.logits is not None
        assert tuple(embedding.logits.shape) == (2, 3)


def test_neighbours_are_scikit_learns() -> None:
    torch.manual_seed(0)
    samples, training = torch.randn(6, 1, 2100), torch.randn(9, 1, 2100)
    training[4] = samples[2]
    among, to_training = neighbour_distances(samples, training, 8000)
    mel = LogMel(8000, n_mels=128, n_fft=2048, hop=128)
    points, others = (mel(sounds).flatten(1).double().numpy() for sounds in (samples, training))
    second = NearestNeighbors(n_neighbors=2).fit(points).kneighbors(points)[0][:, 1]
    assert among == pytest.approx(second.mean(), rel=1e-4)
    expected = NearestNeighbors(n_neighbors=1).fit(others).kneighbors(points)[0]
    assert to_training == pytest.approx(expected.mean(), rel=1e-3)
    assert float(expected[2, 0]) == pytest.approx(0, abs=1e-3)
    # Copies are no distance from the training sounds, and alike ones none from each other.
    copies = training[:1].repeat(3, 1, 1)
    assert neighbour_distances(copies, training, 8000) == pytest.approx((0, 0), abs=0.2)
    assert all(map(math.isfinite, neighbour_distances(samples[..., :100], training[..., :100], 8000)))


def test_a_run_logs_its_measures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datamodules.components import loading

    # The digits as sounds: rows of pixels are read as one waveform, int16.
    def sounding(self: Any, batches: Any) -> Any:
        for images in subset(self, batches):
            yield (images.flatten(1)[:, None].short() - 128) * 256

    subset = loading.Subset.image_batches
    monkeypatch.setattr(loading.Subset, "image_batches", sounding)
    monkeypatch.setattr("tests.helpers.games._sounding", lambda sounds, labels: (sounds, labels))
    monkeypatch.setitem(__import__("tests.helpers.games").helpers.games.EXAMPLES, WaveGAN, lambda s, y: (s, y))
    callback = SoundQuality(num_samples=12, every_n_steps=2, extractor=f"{__name__}.Levels")
    trainer = play(small(WaveGAN), 2, tmp_path / "measured", batch_size=20, callbacks=[callback])
    found = {name.removeprefix("val/") for name in trainer.callback_metrics if name.startswith("val/")}
    assert found == {*callback.names}
    assert "frechet_levels" in found
    play(small(WaveGAN), 2, tmp_path / "plain", batch_size=20)
    assert_same_bits(last_state(tmp_path / "measured")["state_dict"], last_state(tmp_path / "plain")["state_dict"])


def test_what_makes_no_sounds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="SoundQuality measures sounds of latents, and DCGAN makes none"):
        play(small(DCGAN), 1, tmp_path, batch_size=20, callbacks=[SoundQuality()])
