"""torch-fidelity's Inception on CPUs, in less than half of its time.

The same features to rounding. What makes it fast:

- TensorFlow's resize is a product with two constant matrices.
- BatchNorm is part of the weights.
- Convolutions of 1 x 1 that read the same maps are one; the average over 3 x 3 pixels comes after its convolution and
  not before, where there are fewer channels. The same with ReLU and the maximum over pixels.
- Memory is channels-last, and so few images are together that they stay in the processor's cache.
- Larger kernels take fewer multiplications (:mod:`gan_lightning.metrics.fast_convolution`).
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_lightning.metrics.fast_convolution import convolution, resized

Layer = Callable[[Tensor], Tensor]
Names = Sequence[str | tuple[str, ...]]
"""Of layers one after the other; those in a tuple read the same maps, and their results are joined."""

SIDE = 299
_FIRST_IMAGES, _IMAGES = 2, 16
"""How many images are together in the first layers, whose maps are large, and in the others, whose weights are."""

_7X7 = ["branch7x7dbl_2", "branch7x7dbl_3", "branch7x7dbl_4", "branch7x7dbl_5"]
_BLOCK_A: dict[str, Names] = {
    "branch1x1": [],
    "branch5x5_1": ["branch5x5_2"],
    "branch3x3dbl_1": ["branch3x3dbl_2", "branch3x3dbl_3"],
}
_BLOCK_C: dict[str, Names] = {"branch1x1": [], "branch7x7_1": ["branch7x7_2", "branch7x7_3"], "branch7x7dbl_1": _7X7}
_BLOCK_E: dict[str, Names] = {
    "branch1x1": [],
    "branch3x3_1": [("branch3x3_2a", "branch3x3_2b")],
    "branch3x3dbl_1": ["branch3x3dbl_2", ("branch3x3dbl_3a", "branch3x3dbl_3b")],
}


class FastInception:
    """torch-fidelity's network, of images on the CPU: its layers 2048 and logits_unbiased.

    They differ by the rounding of float32, as they do from processor to processor.

    Args:
        network: A ``FeatureExtractorInceptionV3``; its weights are copied.

    Attributes:
        width: Features of an image.
    """

    width = 2048

    def __init__(self, network: Any) -> None:
        self._first: list[Layer] = [
            _chain(network, ["Conv2d_1a_3x3"], SIDE),
            _chain(network, ["Conv2d_2a_3x3"], 149),
            _then_largest(network.Conv2d_2b_3x3, 147),
            _chain(network, ["Conv2d_3b_1x1"], 73),
            _then_largest(network.Conv2d_4a_3x3, 73),
            *(
                _averaging_block(block, _BLOCK_A, 35)
                for block in (network.Mixed_5b, network.Mixed_5c, network.Mixed_5d)
            ),
        ]
        self._others: list[Layer] = [
            _joined(
                _chain(network.Mixed_6a, ["branch3x3"], 35),
                _chain(network.Mixed_6a, [f"branch3x3dbl_{i}" for i in (1, 2, 3)], 35),
                _largest,
            ),
            *(_averaging_block(getattr(network, f"Mixed_6{letter}"), _BLOCK_C, 17) for letter in "bcde"),
            _joined(
                _chain(network.Mixed_7a, ["branch3x3_1", "branch3x3_2"], 17),
                _chain(network.Mixed_7a, [f"branch7x7x3_{i}" for i in (1, 2, 3, 4)], 17),
                _largest,
            ),
            _averaging_block(network.Mixed_7b, _BLOCK_E, 8),
            _joined(
                _block(network.Mixed_7c, _BLOCK_E, 8),
                _in_turn(
                    lambda maps: F.max_pool2d(maps, 3, stride=1, padding=1),
                    _chain(network.Mixed_7c, ["branch_pool"], 8),
                ),
            ),
        ]

        self._classes = network.fc.weight

    @torch.no_grad()
    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features and class scores of uint8 images, n x 3 x H x W.

        Returns:
            n x 2048; and n x 1008, without the classifier's bias, as the Inception Score has them. float32.
        """
        # Values of TensorFlow's graph, (x - 128) / 128.
        maps = torch.cat(
            [_in_turn(*self._first)(resized(part, SIDE) / 128 - 1) for part in images.split(_FIRST_IMAGES)]
        )
        # The mean over 8 x 8 pixels.
        features = torch.cat([_in_turn(*self._others)(part).mean(dim=(2, 3)) for part in maps.split(_IMAGES)])
        return features, features @ self._classes.T


def _folded(layers: Sequence[Any]) -> tuple[Tensor, Tensor]:
    """Weight, float32, and bias, float64, of layers that read the same maps, each a convolution and its BatchNorm."""
    weights, biases = [], []
    for layer in layers:
        scale = layer.bn.weight.double() / (layer.bn.running_var.double() + layer.bn.eps).sqrt()
        weights.append(layer.conv.weight.float() * scale.float()[:, None, None, None])
        biases.append(layer.bn.bias.double() - layer.bn.running_mean.double() * scale)
    return torch.cat(weights) if len(weights) > 1 else weights[0], torch.cat(biases)


def _convolution(layer: Any, size: int) -> Layer:
    (stride, _), padding = layer.conv.stride, layer.conv.padding
    return convolution(*_folded([layer]), stride, padding, size)


def _in_turn(*layers: Layer) -> Layer:
    def apply(maps: Tensor) -> Tensor:
        for layer in layers:
            maps = layer(maps)
        return maps

    return apply


def _joined(*branches: Layer) -> Layer:
    return lambda maps: torch.cat([branch(maps) for branch in branches], dim=1)


def _chain(block: nn.Module, names: Names, size: int) -> Layer:
    """Layers of a block by their names, with their ReLU."""
    layers: list[Layer] = []
    for name in names:
        if isinstance(name, tuple):
            layers.append(_joined(*(_chain(block, [each], size) for each in name)))
        else:
            layers += [_convolution(getattr(block, name), size), torch.relu_]
    return _in_turn(*layers)


def _largest(maps: Tensor) -> Tensor:
    return F.max_pool2d(maps, 3, stride=2)


def _then_largest(layer: Any, size: int) -> Layer:
    # ReLU after the maximum: the same, of a fourth of the numbers.
    return _in_turn(_convolution(layer, size), _largest, torch.relu_)


def _block(block: Any, branches: dict[str, Names], size: int, averaged: str | None = None) -> Layer:
    """Branches that begin with convolutions of 1 x 1, computed as one."""
    first = [getattr(block, name) for name in [*branches, *([averaged] if averaged else [])]]
    weight, bias = _folded(first)
    counts = [len(layer.conv.weight) for layer in first]
    tails = [_chain(block, names, size) for names in branches.values()]
    last_bias = bias[-counts[-1] :].float()[:, None, None]
    if averaged:
        bias[-counts[-1] :] = 0
    heads = convolution(weight, bias, 1, (0, 0), size)

    def apply(maps: Tensor) -> Tensor:
        parts = heads(maps).split(counts, dim=1)
        found = [tail(part.relu()) for tail, part in zip(tails, parts, strict=False)]
        if averaged:
            # A mean of the pixels that there are, as TensorFlow has it.
            mean = F.avg_pool2d(parts[-1], 3, stride=1, padding=1, count_include_pad=False)
            found.append(mean.add_(last_bias).relu_())
        return torch.cat(found, dim=1)

    return apply


def _averaging_block(block: Any, branches: dict[str, Names], size: int) -> Layer:
    return _block(block, branches, size, "branch_pool")
