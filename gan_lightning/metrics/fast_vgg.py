"""torch-fidelity's VGG16 on CPUs, in other operations: see :mod:`gan_lightning.metrics.fast_convolution`."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_lightning.metrics.fast_convolution import Convolution, convolution, resized

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's colours, in [0, 1]."""


class FastVGG16:
    """torch-fidelity's network, of images on the CPU: its layer fc2_relu, to the rounding of float32.

    Args:
        network: A ``FeatureExtractorVGG16``; the weights of its convolutions are copied.

    Attributes:
        width: Features of an image.
    """

    width = 4096

    def __init__(self, network: Any) -> None:
        self._side: int = network.INPUT_IMAGE_SIZE
        self._top: nn.Sequential = network.model.classifier
        self._pool: nn.Module = network.model.avgpool
        self._layers: list[Convolution] = []
        size = self._side
        for layer in network.model.features:
            if isinstance(layer, nn.Conv2d):
                assert layer.bias is not None
                weight = layer.weight.detach(), layer.bias.detach()
                self._layers.append(convolution(*weight, stride=1, padding=(1, 1), size=size))
            else:
                size //= 2 if isinstance(layer, nn.MaxPool2d) else 1
                self._layers.append(layer)

    @torch.no_grad()
    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features of uint8 images, n x 3 x H x W.

        Returns:
            n x 4096, float32, twice: torch-fidelity has them in the place of classes too.
        """
        mean, std = (255 * torch.tensor(values)[:, None, None] for values in (_MEAN, _STD))
        # An image at a time stays in the processor's cache; the large matrices at the end are read once for all.
        maps = torch.cat([self._maps((resized(image[None], self._side) - mean) / std) for image in images])
        features = F.relu(self._top(self._pool(maps).flatten(1)))
        return features, features

    def _maps(self, image: Tensor) -> Tensor:
        for layer in self._layers:
            image = layer(image)
        return image
