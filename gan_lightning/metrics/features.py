"""What the metrics look at: networks that turn images into features.

They stay outside the LightningModule, whose checkpoints, average and processes they would weigh down.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

from gan_lightning.metrics.digest import digest_of_weights

INCEPTION = "inception-v3-compat"


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
        name: Names the extractor in the cache.
        class_score: What the score of its classes is called; None if it knows none.
    """

    name: str
    class_score: str | None = None

    @abstractmethod
    def forward(self, images: Tensor) -> Embedding:
        """Embed uint8 images, n x C x H x W."""

    def fingerprint(self) -> str:
        """Names the features: another one if they may differ."""
        return f"{self.name}-{digest_of_weights(self)}"


class Pixels(FeatureExtractor):
    """The pixels themselves, in [0, 1]: for toy data and tiny images."""

    name = "pixels"

    def forward(self, images: Tensor) -> Embedding:
        return Embedding(images.flatten(1).float() / 255)


class RegisteredExtractor(FeatureExtractor):
    """An extractor from torch-fidelity's registry, with the layers that it names for FID and Inception Score.

    Inception has torch-fidelity's weights and its resize to 299 x 299, TensorFlow's. Grey images are shown as RGB.

    Args:
        name: Under which torch-fidelity knows it.
        weights_path: File with its weights. None: torch-fidelity downloads them.

    Raises:
        FileNotFoundError: The weights are not there and cannot be downloaded.
        ValueError: The file is something else.
    """

    def __init__(self, name: str, weights_path: str | Path | None = None) -> None:
        super().__init__()
        self.name = name
        kind = FEATURE_EXTRACTORS_REGISTRY[name]
        layers = {use: kind.get_default_feature_layer_for_metric(use) for use in ("fid", "isc")}
        self._places = [list(dict.fromkeys(layers.values())).index(layers[use]) for use in ("fid", "isc")]
        self.network = _with_weights(name, list(dict.fromkeys(layers.values())), weights_path)
        self.requires_grad_(False).eval()
        head = getattr(self.network, "fc", None) if name == INCEPTION else None
        # Files without a classifier have zeros in its place, and every image would look like every class.
        headless = head is not None and not head.weight.any()
        self.class_score = None if headless else "inception_score" if name == INCEPTION else f"{name}_score"

    def forward(self, images: Tensor) -> Embedding:
        rgb = images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images
        layers = self.network(rgb)
        features, logits = (layers[place].flatten(1) for place in self._places)
        return Embedding(features, logits)


def _with_weights(name: str, layers: list[str], weights_path: str | Path | None) -> nn.Module:
    if weights_path is not None and not Path(weights_path).is_file():
        raise FileNotFoundError(f"weights_path names {weights_path}, and there is no such file.")
    path = None if weights_path is None else str(weights_path)
    try:
        with torch.random.fork_rng():
            return FEATURE_EXTRACTORS_REGISTRY[name](name, layers, feature_extractor_weights_path=path, verbose=False)
    except OSError as error:
        if weights_path is not None:
            raise
        file = f"the file {URL_INCEPTION_V3}" if name == INCEPTION else "the file of its weights"
        raise FileNotFoundError(
            f"The weights of {name} could not be downloaded ({error}): where there is a network, get {file}, and give "
            "its path here as weights_path."
        ) from error
    except Exception as error:  # a wrong file breaks torch's reader in any of many ways
        if weights_path is None:
            raise
        raise ValueError(f"{weights_path} does not hold the weights of {name}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
