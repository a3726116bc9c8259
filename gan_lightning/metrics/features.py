"""What the metrics look at: networks that turn images into features. They stay outside the LightningModule, whose
checkpoints, average and processes they would weigh down.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class Embedding:
    """What an extractor sees in n images.

    Attributes:
        features: n x d, float32.
        logits: Class scores, n x classes; None from an extractor that knows no classes.
    """

    features: Tensor
    logits: Tensor | None = None


class FeatureExtractor(nn.Module, ABC):
    """Base of all extractors.

    Attributes:
        name: Names the extractor in the cache, and the score that its classes give.
        needs: Names of what the extractor offers, see :class:`Embedding`.
    """

    name: str
    has_classes: bool = False

    @abstractmethod
    def forward(self, images: Tensor) -> Embedding:
        """Embed uint8 images, n x C x H x W."""


class Pixels(FeatureExtractor):
    """The pixels themselves, in [0, 1]: for toy data and tiny images."""

    name = "pixels"

    def forward(self, images: Tensor) -> Embedding:
        return Embedding(images.flatten(1).float() / 255)


EXTRACTORS: dict[str, Callable[[], FeatureExtractor]] = {"pixels": Pixels}


def make_extractor(extractor: str | FeatureExtractor) -> FeatureExtractor:
    """An extractor by its name.

    Raises:
        ValueError: There is no extractor of that name.
    """
    if isinstance(extractor, FeatureExtractor):
        return extractor
    if extractor not in EXTRACTORS:
        raise ValueError(f"There is no extractor {extractor!r}: choose from {', '.join(EXTRACTORS)}.")
    return EXTRACTORS[extractor]()
