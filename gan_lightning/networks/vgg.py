"""VGG19's feature maps (Simonyan, Zisserman, 2015, arXiv 1409.1556): what an image shows, rather than its pixels."""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from gan_lightning.networks.pretrained import downloaded, read_weights

_CONVOLUTIONS = (2, 2, 4, 4, 4)
"""Convolutions before each of the five poolings."""


class VGG19Features(nn.Module):
    """phi_ij of SRGAN: the maps of convolution j before pooling i, after its ReLU.

    Its weights take no gradient. A game keeps it in :class:`~gan_lightning.networks.layers.frozen.Frozen`, so that it
    is neither saved nor averaged.

    Args:
        pooling: i, from 1 to 5.
        convolution: j, from 1 to 2 for the first two poolings, to 4 for the others.
        weights: File with the weights: torchvision's ``vgg19``, or the ``vgg_normalized.pth`` of AdaIN, whose maps
            have a mean of 1 each. None: torchvision's, downloaded unless they have been before.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file holds something else.
        ConnectionError: The weights cannot be downloaded.
    """

    def __init__(self, pooling: int = 5, convolution: int = 4, weights: str | Path | None = None) -> None:
        super().__init__()
        source = "torchvision's vgg19" if weights is None else str(weights)
        convolutions = _convolutions(read_weights(_download() if weights is None else weights), source)
        # Number of convolutions up to phi_ij
        wanted = sum(_CONVOLUTIONS[: pooling - 1]) + convolution
        layers: list[nn.Module] = [convolutions[0]]
        for number, layer in enumerate(convolutions[1 : 1 + wanted]):
            # A pooling before convolutions 2, 4, 8 and 12
            if number in (2, 4, 8, 12):
                layers.append(nn.MaxPool2d(2))
            layers += [layer, nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers).requires_grad_(False).eval()

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, 3 or 1, H, W) in [-1, 1] to maps (N, channels, H / 2^(i - 1), W / 2^(i - 1)), at least 0."""
        # [-1, 1] to [0, 1], and grey to three channels
        return self.layers((images.expand(-1, 3, -1, -1) + 1) / 2)


def _convolutions(weights: Mapping[str, Tensor], source: str) -> list[nn.Conv2d]:
    """What prepares images in [0, 1], a convolution with 1 x 1 kernels, and the sixteen convolutions."""
    names = [re.fullmatch(r"(?:features\.)?(\d+)\.weight", name) for name in weights]
    numbers = sorted(int(match[1]) for match in names if match)
    prefix = "features." if "features.0.weight" in weights else ""
    layers = []
    try:
        for number in numbers:
            weight, bias = (weights[f"{prefix}{number}.{kind}"] for kind in ("weight", "bias"))
            outputs, inputs, height, width = weight.shape
            # Without initial weights, which would be replaced at once: to draw them would move the random numbers.
            layer = nn.utils.skip_init(nn.Conv2d, inputs, outputs, (height, width), padding=height // 2)
            layer.load_state_dict({"weight": weight, "bias": bias})
            layers.append(layer)
    except (KeyError, ValueError, RuntimeError):
        layers = []
    # AdaIN's file has 17: its first, 1 x 1, normalises colours; torchvision's expects normalised images.
    if len(layers) == 16:
        layers.insert(0, _imagenet_statistics())
    if [layer.kernel_size[0] for layer in layers] != [1, *[3] * 16] or layers[0].in_channels != 3:
        raise ValueError(
            f"{source} does not hold VGG19's sixteen convolutions, as torchvision's vgg19 or AdaIN's "
            "vgg_normalized.pth have them."
        )
    return layers


def _imagenet_statistics() -> nn.Conv2d:
    """(x - mean) / deviation of ImageNet's colours: the input of torchvision's weights, x in [0, 1]."""
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    layer = nn.utils.skip_init(nn.Conv2d, 3, 3, 1)
    layer.load_state_dict({"weight": torch.diag(1 / deviation)[:, :, None, None], "bias": -mean / deviation})
    return layer


def _download() -> Path:
    from torchvision.models import VGG19_Weights  # It takes as long to import as torch.

    try:
        return downloaded(VGG19_Weights.IMAGENET1K_V1.url)
    except ConnectionError as error:
        raise ConnectionError(f"VGG19's weights: {error}: give the path of a file with them.") from error
