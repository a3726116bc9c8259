"""Feature extractors: networks that map images to feature vectors.

They are kept out of the LightningModule: its checkpoints, its average and DDP must not contain them.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gan_lightning.metrics.digest import digest_of_weights
from gan_lightning.metrics.fast_inception import FastInception
from gan_lightning.metrics.fast_vgg import FastVGG16
from gan_lightning.metrics.inception import ADDRESS, LAYERS, Inception
from gan_lightning.metrics.inception import NAME as INCEPTION
from gan_lightning.networks.pretrained import downloaded, read_weights

VGG16, DINOV2 = "vgg16", "dinov2"


@dataclass(frozen=True)
class Embedding:
    """Features of n images.

    Attributes:
        features: n x d, float32.
        logits: Class scores, n x classes; None if the extractor has no classifier.
    """

    features: Tensor
    logits: Tensor | None = None


class FeatureExtractor(nn.Module, ABC):
    """Base of all extractors.

    Attributes:
        name: Names the extractor in the cache.
        class_score: Name of the score of its classes; None if it has no classifier.
    """

    name: str
    class_score: str | None = None

    @abstractmethod
    def forward(self, images: Tensor) -> Embedding:
        """Embed uint8 images, n x C x H x W."""

    @torch.no_grad()
    def width_of(self, image_shape: Sequence[int]) -> int:
        """Number of features d of an image, C x H x W; whatever :meth:`forward` raises if it does not accept such."""
        device = next((weight.device for weight in self.parameters()), torch.device("cpu"))
        # One black image tells the width.
        embedding: Embedding = self(torch.zeros(1, *image_shape, dtype=torch.uint8, device=device))
        return embedding.features.shape[1]

    def fingerprint(self) -> str:
        """Digest of the extractor; it changes if the features may."""
        return f"{self.name}-{digest_of_weights(self)}"


class Pixels(FeatureExtractor):
    """The pixels themselves, in [0, 1]: for toy data and tiny images."""

    name = "pixels"

    def forward(self, images: Tensor) -> Embedding:
        return Embedding(images.flatten(1).float() / 255)


_Fast = FastInception | FastVGG16
_FAST: dict[str, tuple[type[_Fast], tuple[str, str]]] = {
    INCEPTION: (FastInception, LAYERS),
    VGG16: (FastVGG16, ("fc2_relu", "fc2_relu")),
}
"""What is faster on a CPU, and the layers that it computes, for features and classes."""


class RegisteredExtractor(FeatureExtractor):
    """An extractor from torch-fidelity's registry, with the layers that it names for FID and Inception Score.

    Inception has torch-fidelity's weights and its resize to 299 x 299, TensorFlow's. On a CPU it and VGG16 are computed
    in other operations, to the rounding of float32. Grey images are shown as RGB.

    Args:
        name: Its name in torch-fidelity's registry.
        weights_path: File with its weights. None: they are downloaded.

    Raises:
        FileNotFoundError: The weights are not there and cannot be downloaded.
        ValueError: The file is something else, or the extractor takes none.
    """

    def __init__(self, name: str, weights_path: str | Path | None = None) -> None:
        super().__init__()
        self.name = name
        # Layer of each metric: Inception's 2048-d pooling for FID and KID, its logits for the Inception Score.
        layers = _layers(name)
        if len({layers[use] for use in ("fid", "kid", "prc")}) > 1:
            raise ValueError(
                f"{name} looks at other layers for FID, for KID and for precision: give a FeatureExtractor of your own."
            )
        self._places = [list(dict.fromkeys(layers.values())).index(layers[use]) for use in ("fid", "isc")]
        self.network = _with_weights(name, list(dict.fromkeys(layers.values())), weights_path)
        self.requires_grad_(False).eval()
        head = getattr(self.network, "fc", None) if name == INCEPTION else None
        # Files without a classifier have zeros in its place, and every image would look like every class. VGG16, CLIP
        # and DINOv2 answer with their features where classes are asked for.
        headless = layers["isc"] == layers["fid"] or (head is not None and not head.weight.any())
        self.class_score = None if headless else "inception_score" if name == INCEPTION else f"{name}_score"
        self._fast: _Fast | None = None
        kind_of_fast, of_layers = _FAST.get(name, (None, ()))
        self._kind_of_fast = kind_of_fast if of_layers == (layers["fid"], layers["isc"]) else None

    def width_of(self, image_shape: Sequence[int]) -> int:
        if self._kind_of_fast is None:
            return super().width_of(image_shape)
        # Known: the pass of an image would be a fourth of what a start takes.
        self._check(torch.empty(0, *image_shape, dtype=torch.uint8))
        return self._kind_of_fast.width

    def forward(self, images: Tensor) -> Embedding:
        self._check(images)
        # n x 1 x H x W to n x 3 x H x W
        rgb = images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images
        # Features in bfloat16 have two digits, whatever training computes in.
        with torch.autocast(rgb.device.type, enabled=False):
            # GPUs' libraries choose by themselves how to be fast.
            if self._kind_of_fast is not None and rgb.device.type == "cpu" and len(rgb):
                self._fast = self._fast or self._kind_of_fast(self.network)
                features, logits = self._fast(rgb)
            else:
                layers = self.network(rgb)
                features, logits = (layers[place].flatten(1) for place in self._places)
        return Embedding(features, None if self.class_score is None else logits)

    def _check(self, images: Tensor) -> None:
        if images.ndim == 4 and images.shape[1] not in (1, 3):
            raise ValueError(
                f"{self.name} has learnt from RGB, and an image has {images.shape[1]} channels: choose another "
                "extractor, classifier where the data has labels, or pixels, or leave these metrics out."
            )
        # Pixels in [-1, 1] would be taken for levels of nearly black images.
        if images.dtype != torch.uint8 or images.ndim != 4:
            raise ValueError(
                f"{self.name} takes uint8 images, N x 3 x H x W or N x 1 x H x W: got {images.dtype} "
                f"{tuple(images.shape)}."
            )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_fast": None}  # made of functions, and quickly made again


@dataclass(frozen=True)
class _Weights:
    """Where torch-fidelity's weights of a network come from, and what it is given in place of a path.

    Attributes:
        address: Of the file, and its name in torch's cache where that is another one, by the extractor's name.
        hand_over: Makes of a path what torch-fidelity may read, for it unpickles whatever a file holds.
    """

    address: Callable[[str], tuple[str, str | None]]
    hand_over: Callable[[Path], Any]


def _tensors_alone(path: Path) -> BytesIO:
    """The tensors in a file, once more, so that torch-fidelity reads what we have written."""
    copy = BytesIO()
    torch.save(read_weights(path), copy)
    copy.seek(0)
    return copy


def registered_extractors() -> dict[str, Any]:
    """The classes of torch-fidelity's registry by their names. Its import takes as long as torch's: here alone."""
    from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

    registry: dict[str, Any] = FEATURE_EXTRACTORS_REGISTRY
    return registry


def _layers(name: str) -> dict[str, str]:
    """Name of the layer that each metric takes."""
    if name == INCEPTION:
        features, logits = LAYERS
        return {"fid": features, "kid": features, "prc": features, "isc": logits}
    kind = registered_extractors()[name]
    return {use: kind.get_default_feature_layer_for_metric(use) for use in ("fid", "kid", "prc", "isc")}


def _weights_by_class() -> dict[type, _Weights]:
    from torch_fidelity.feature_extractor_clip import MODEL_METADATA, MODEL_URLS, FeatureExtractorCLIP
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3, FeatureExtractorInceptionV3
    from torch_fidelity.feature_extractor_vgg16 import FeatureExtractorVGG16
    from torchvision.models import VGG16_Weights

    return {
        FeatureExtractorInceptionV3: _Weights(lambda _: (URL_INCEPTION_V3, None), _tensors_alone),
        FeatureExtractorVGG16: _Weights(lambda _: (VGG16_Weights.IMAGENET1K_V1.url, None), _tensors_alone),
        # TorchScript, which torch.jit.load reads: it knows no pickles of Python objects.
        FeatureExtractorCLIP: _Weights(
            lambda name: (MODEL_URLS[name], f"{name}-{MODEL_METADATA[name]['hash']}.pt"), lambda path: str(path)
        ),
    }


def _maker(name: str, layers: list[str], takes_file: bool) -> tuple[Callable[[Any], nn.Module], _Weights | None]:
    """What makes the network from what it may read of its weights, and where these come from."""
    if name == INCEPTION:  # Without torch-fidelity, whose import takes as long as torch's.
        return Inception, _Weights(lambda _: (ADDRESS, None), read_weights)
    from torch_fidelity.feature_extractor_dinov2 import FeatureExtractorDinoV2

    kind = registered_extractors()[name]
    if takes_file and issubclass(kind, FeatureExtractorDinoV2):
        raise ValueError(
            f"The extractor {name} takes no weights_path: torch-fidelity has torch.hub fetch its code and its weights "
            "from GitHub, and reads no file. Leave weights_path out, or take another extractor."
        )
    source = next((source for known, source in _weights_by_class().items() if issubclass(kind, known)), None)
    return partial(_registered, kind, name, layers), source


def _registered(kind: type[nn.Module], name: str, layers: list[str], given: Any) -> nn.Module:
    return kind(name, layers, feature_extractor_weights_path=given, verbose=False)


def _with_weights(name: str, layers: list[str], weights_path: str | Path | None) -> nn.Module:
    make, source = _maker(name, layers, weights_path is not None)
    if weights_path is not None and not Path(weights_path).is_file():
        raise FileNotFoundError(f"weights_path names {weights_path}, and there is no such file.")
    path = None if weights_path is None else Path(weights_path)
    given: Any = path and str(path)
    try:
        if source is not None:
            path = path or downloaded(*source.address(name))
            given = source.hand_over(path)
        with torch.random.fork_rng():
            return make(given)
    except OSError as error:
        if weights_path is not None:
            raise
        if source is None:
            raise FileNotFoundError(
                f"What {name} is made of could not be downloaded ({error}), and no file can take its place: choose "
                "another extractor."
            ) from error
        raise FileNotFoundError(
            f"The weights of {name}: {error}. Where there is a network, get that file, and give its path here as "
            "weights_path."
        ) from error
    except Exception as error:  # a wrong file breaks torch's reader in any of many ways
        if path is None:
            raise
        raise ValueError(f"{path} does not hold the weights of {name}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
