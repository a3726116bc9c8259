"""A small extractor that torch-fidelity knows too, and images to show it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch_fidelity import FeatureExtractorBase, register_feature_extractor
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

from datamodules.components.loading import TensorImages
from gan_lightning.visualization.images import write_png

TINY = "gan-lightning-tiny"


class Tiny(FeatureExtractorBase):
    """Eight features and five classes; the weights are the same every time.

    In double precision: torch-fidelity computes KID and distances in the number type of the features, and in float32
    the last digits of its sums depend on the processor.
    """

    def __init__(self, name: str, features_list: list[str], feature_extractor_weights_path: Any = None, **_: Any):
        super().__init__(name, features_list)
        with torch.random.fork_rng():
            torch.manual_seed(1)
            self.trunk = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.Tanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
            self.head = nn.Linear(8, 5)
        self.double()

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        return ("features", "classes")

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        return "classes" if metric == "isc" else "features"

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        features = self.trunk(images.double() / 64 - 2)
        layers = {"features": features, "classes": 4 * self.head(features)}
        return tuple(layers[name] for name in self.features_list)


if TINY not in FEATURE_EXTRACTORS_REGISTRY:
    register_feature_extractor(TINY, Tiny)


def images(n: int, seed: int, side: int = 12, channels: int = 3) -> Tensor:
    """Smooth uint8 images, n x channels x side x side, of a distribution that the seed moves."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(n, channels, 4, 4, generator=generator) * (1 - 0.05 * seed)
    return (nn.functional.interpolate(coarse, (side, side), mode="bilinear") * 255).to(torch.uint8)


def source(n: int, seed: int, **arguments: int) -> TensorImages:
    return TensorImages(images(n, seed, **arguments), None)


def write_folder(folder: Path, pictures: Sequence[Tensor]) -> Path:
    folder.mkdir(parents=True)
    for number, image in enumerate(pictures):
        write_png(folder / f"{number:04d}.png", image)
    return folder


class Counting(TensorImages):
    """Images that count how many of them were handed out."""

    def __init__(self, images: Tensor) -> None:
        super().__init__(images, None)
        self.seen = 0

    def image_batches(self, batches: Sequence[Tensor]) -> Iterator[Tensor]:
        for batch in super().image_batches(batches):
            self.seen += len(batch)
            yield batch
