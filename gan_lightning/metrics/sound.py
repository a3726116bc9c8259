"""Measures of generated sounds: a classifier of the data's own kinds, its score and distance, and nearest neighbours.

The evaluation of Donahue, McAuley, Puckette, ICLR 2019, arXiv 1802.04208, section 5, on any data with classes.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from gan_lightning.metrics.features import Embedding, FeatureExtractor
from gan_lightning.metrics.frechet import frechet_distance, moments
from gan_lightning.metrics.inception_score import class_score
from gan_lightning.networks.layers.mel import LogMel

_STEPS, _BATCH, _LEARNING_RATE = 300, 32, 2e-3
_FRAMES = 16
_PIECE = 256
"""Sounds that are embedded, or compared, at a time."""


class SoundClassifier(FeatureExtractor):
    """Convolutions over the logarithmic mel spectrogram; the features are the values before the last layer.

    An eighth of the width of the classifier that scored the paper's spoken digits, and one frequency axis of 64 bands.
    Sounds are N x 1 x T, floats in [-1, 1], of any length from 1,024 samples.

    Args:
        sample_rate: Samples a second.
        num_classes: Number of kinds.
        width: Channels of each layer.
    """

    name = "sound_classifier"
    class_score = "classifier_score"

    def __init__(self, sample_rate: int, num_classes: int, width: int = 16) -> None:
        super().__init__()
        self.mel = LogMel(sample_rate, n_mels=64, n_fft=512, hop=128)
        layers: list[nn.Module] = [nn.BatchNorm2d(1)]
        for inner in (1, width, width, width):
            # Each halves bands and frames.
            layers += [nn.Conv2d(inner, width, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.BatchNorm2d(width)]
        self.trunk = nn.Sequential(*layers, nn.AdaptiveMaxPool2d((4, 2)), nn.Flatten())
        self.head = nn.Linear(8 * width, num_classes)

    def forward(self, images: Tensor) -> Embedding:
        """Embed sounds, N x 1 x T."""
        mel = self.mel(images)
        # Enough frames for four halvings: of shorter sounds silence is appended.
        mel = F.pad(mel, (0, max(0, _FRAMES - mel.shape[2])), value=math.log(1e-5))
        features = self.trunk(mel[:, None])
        return Embedding(features, self.head(features))


def trained_sound_classifier(sounds: Tensor, labels: Tensor, sample_rate: int, steps: int = _STEPS) -> SoundClassifier:
    """A classifier of these sounds, the same every time; random numbers elsewhere are left alone.

    Args:
        sounds: N x 1 x T in [-1, 1].
        labels: Their classes, int64, (N,).
        sample_rate: Samples a second.
        steps: Updates, of 32 sounds each.
    """
    with torch.random.fork_rng([]), torch.inference_mode(False), torch.enable_grad():
        torch.manual_seed(0)
        classifier = SoundClassifier(sample_rate, int(labels.max()) + 1)
        optimizer = torch.optim.Adam(classifier.parameters(), lr=_LEARNING_RATE)
        title = "Training the classifier that judges the sounds"
        for _ in tqdm(range(steps), title, disable=None, leave=False):
            chosen = torch.randint(len(sounds), (_BATCH,))
            # Louder and softer, for a class is no loudness.
            scaled = sounds[chosen] * (0.25 + 0.75 * torch.rand(_BATCH, 1, 1))
            loss = F.cross_entropy(classifier(scaled).logits, labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return classifier.requires_grad_(False).eval()


@torch.no_grad()
def embedded(extractor: FeatureExtractor, sounds: Tensor) -> Embedding:
    """Features, and logits if there are any, of all sounds, N x 1 x T, on the CPU."""
    parts: list[Embedding] = [extractor(some) for some in sounds.split(_PIECE)]
    logits = [part.logits for part in parts if part.logits is not None]
    return Embedding(torch.cat([part.features for part in parts]), torch.cat(logits) if logits else None)


def sound_scores(samples: Tensor, real: Tensor, extractor: FeatureExtractor) -> dict[str, float]:
    """The Frechet distance of the features of samples and real sounds, and the score of the classes if there are any.

    Args:
        samples: N x 1 x T, N at least 2.
        real: M x 1 x T, M at least 2.
        extractor: Embeds sounds.

    Returns:
        ``frechet_<extractor>``; and the extractor's ``class_score``, of samples and, as ``real_...``, of real sounds.
    """
    of_samples, of_real = embedded(extractor, samples), embedded(extractor, real)
    distance = frechet_distance(*moments(of_real.features), *moments(of_samples.features))
    scores = {f"frechet_{extractor.name}": distance}
    if extractor.class_score and of_samples.logits is not None and of_real.logits is not None:
        scores[extractor.class_score] = class_score(of_samples.logits)
        scores[f"real_{extractor.class_score}"] = class_score(of_real.logits)
    return scores


def neighbour_distances(samples: Tensor, training: Tensor, sample_rate: int) -> tuple[float, float]:
    """How far samples are from each other and from the training sounds, in logarithmic mel spectrograms.

    Mean Euclidean distances to the nearest other sample (``|D|_self``: small where samples are alike) and to the
    nearest training sound (``|D|_train``: small where they are copies), with a window of 2,048 samples, 128 apart, and
    128 bands, of shorter sounds fewer.

    Args:
        samples: N x 1 x T, N at least 2.
        training: M x 1 x T.
        sample_rate: Samples a second.
    """
    window = 2048
    while window > samples.shape[2]:
        window //= 2
    mel = LogMel(sample_rate, n_mels=min(128, window // 16), n_fft=window, hop=min(128, window // 2))
    with torch.no_grad():
        points, others = (
            torch.cat([mel(some.float()).flatten(1) for some in sounds.split(_PIECE)]) for sounds in (samples, training)
        )
    within = torch.cdist(points, points).fill_diagonal_(math.inf)
    return float(within.amin(1).mean()), float(torch.cdist(points, others).amin(1).mean())
