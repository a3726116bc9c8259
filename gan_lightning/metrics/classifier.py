"""Feature extractor trained on the data's own labels, for images unlike ImageNet's, such as digits."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from datamodules.components.loading import ImageSource
from gan_lightning.metrics.cache import TensorCache
from gan_lightning.metrics.digest import digest_of, digest_of_images
from gan_lightning.metrics.features import Embedding, FeatureExtractor
from gan_lightning.trainer.processes import on_rank_zero
from gan_lightning.visualization.images import to_uint8

_STEPS, _BATCH, _LEARNING_RATE = 1000, 128, 1e-3


class Classifier(FeatureExtractor):
    """Two convolutions and two linear layers; the features are the 128 values before the last.

    Args:
        channels: Of the images.
        num_classes: Of the data.
    """

    name = "classifier"
    class_score = "classifier_score"

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            # n x C x H x W to n x 32 x H/2 x W/2
            nn.Conv2d(channels, 32, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3, stride=2, padding=1),
            nn.ReLU(),
            # n x 64 x 4 x 4 for images of any size
            nn.AdaptiveMaxPool2d(4),
            nn.Flatten(),
            nn.Linear(64 * 16, 128),
            nn.ReLU(),
        )
        self.head = nn.Linear(128, num_classes)

    def forward(self, images: Tensor) -> Embedding:
        # uint8 to [-1, 1]
        features = self.trunk(images / 127.5 - 1)
        return Embedding(features, self.head(features))


def trained_classifier(images: ImageSource, cache: TensorCache, steps: int | None = None) -> Classifier:
    """The classifier of these images: from the cache, or trained by the first process, the same every time.

    Args:
        images: With labels.
        cache: Where trained ones are kept.
        steps: Updates of the training, of 128 images each. None: 1000.

    Raises:
        ValueError: The images have no labels.
    """
    if images.labels is None:
        raise ValueError("The extractor 'classifier' learns from labels, which this data has not: choose another.")
    # On rank 0 alone, and sent to the others: trained on each, they would differ by rounding.
    weights = on_rank_zero(lambda: _weights(images, cache, steps or _STEPS))
    num_classes, channels = len(weights["head.bias"]), weights["trunk.0.weight"].shape[1]
    with torch.random.fork_rng([]):
        # Initial weights, which are replaced at once, must not draw from training's random numbers.
        classifier = Classifier(channels, num_classes)
    classifier.load_state_dict(weights)
    return classifier.requires_grad_(False).eval()


def _weights(images: ImageSource, cache: TensorCache, steps: int) -> dict[str, Tensor]:
    assert images.labels is not None
    key: dict[str, str | int] = {"data": digest_of_images(images), "labels": digest_of(images.labels), "steps": steps}
    name = f"classifiers/{digest_of(*key.values())}"
    weights = cache.load(name, key)
    if weights is None:
        # On the CPU with a generator of its own: the same weights every time, and the global state is untouched.
        with torch.random.fork_rng([]), torch.inference_mode(False), torch.enable_grad():
            torch.manual_seed(0)
            weights = _train(images, images.labels, steps).state_dict()
        cache.store(name, key, weights)
    return weights


def _train(images: ImageSource, labels: Tensor, steps: int) -> Classifier:
    # As many epochs as the steps need.
    order = torch.cat([torch.randperm(len(images)) for _ in range(-(-steps * _BATCH // len(images)))])
    batches = order[: steps * _BATCH].split(_BATCH)
    first = next(iter(images.image_batches([order[:1]])))
    classifier = Classifier(first.shape[1], int(labels.max()) + 1)
    optimizer = torch.optim.Adam(classifier.parameters(), lr=_LEARNING_RATE)
    # Cross-entropy on uint8 images; labels 0 ... num_classes - 1
    title = "Training the classifier that judges the samples"
    for indices, batch in zip(batches, tqdm(images.image_batches(batches), title, len(batches)), strict=True):
        loss = F.cross_entropy(classifier(to_uint8(batch)).logits, labels[indices])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return classifier
