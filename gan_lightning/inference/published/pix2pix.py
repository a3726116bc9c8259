"""Conversion of weights from github.com/junyanz/pytorch-CycleGAN-and-pix2pix, the authors' code.

Such a file is a state dict without any description of its network, which is recognised by the names and shapes of the
layers. This holds for that code since October 2017; its U-Net was a different one before.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn

from gan_lightning.inference.published.networks import Published, PublishedDiscriminator, PublishedTranslator
from gan_lightning.inference.published.reading import Weights
from gan_lightning.networks import PatchDiscriminator, ResidualTranslator, UNet

ABOUT = "pix2pix and CycleGAN (U-Net with BatchNorm, ResNet with InstanceNorm and PatchGAN)"

_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def recognise(weights: Weights) -> Published | None:
    """The network that a state dict belongs to; None: none of these.

    Recognised are ``unet_256`` and ``unet_128`` with BatchNorm, ``resnet_9blocks`` and ``resnet_6blocks`` with
    InstanceNorm, and the discriminators ``basic`` and ``n_layers`` with either norm, of any width and channels. The
    U-Net keeps its dropout; dropout in residual blocks and running statistics of old InstanceNorm are dropped.
    """
    if not all(name.startswith("model.") for name in weights):
        return None
    # Submodules of the U-Net are nested in one another, blocks of the ResNet are named, PatchGAN is one plain sequence.
    if any(name.startswith("model.model.") for name in weights):
        return _unet(weights)
    return _resnet(weights) if any(".conv_block." in name for name in weights) else _patch(weights)


def network_of(weights: Weights) -> nn.Module:
    """Build the network that weights belong to, and load them; in evaluation mode.

    Args:
        weights: Their state dict, with or without the ``module.`` of ``DataParallel``; see :func:`recognise`.

    Returns:
        A :class:`UNet`, a :class:`ResidualTranslator` or a :class:`PatchDiscriminator`.

    Raises:
        ValueError: They belong to another network.
    """
    try:
        published = recognise({name.removeprefix("module."): weight for name, weight in weights.items()})
        if published is not None:
            return published.network()
    except (IndexError, KeyError, RuntimeError, ValueError):  # A layer is missing, left over or another.
        pass
    raise ValueError(f"its weights fit none of the networks that are known: {ABOUT}")


def _unet(weights: Weights) -> Published:
    # A convolution down and one up at each level.
    depth = sum(weight.ndim == 4 for weight in weights.values()) // 2
    first, last = weights["model.model.0.weight"], weights["model.model.3.weight"]
    side = 2**depth
    # Their code has dropout on the layers between the innermost one and the last four.
    recipe = partial(UNet, width=first.shape[0], depth=depth, dropout_layers=tuple(range(1, depth - 4)))
    names = _unet_layers(depth)

    def rename(name: str) -> str:
        layer, _, part = name.rpartition(".")
        return f"{names[layer]}.{part}"

    return PublishedTranslator(
        recipe, _renamed(weights, rename), (first.shape[1], side, side), (last.shape[1], side, side)
    )


def _unet_layers(depth: int) -> dict[str, str]:
    """Our layers by their names there, where each level's sequence contains the next level."""
    names: dict[str, str] = {}
    inside = "model.model."
    for level in range(depth):
        down, up = f"encoder.{level}", f"decoder.{depth - 1 - level}"
        # Places in their sequences: outermost conv 0, inner 1, deconv 3; in between activation, conv, norm, inner at 3,
        # activation, deconv, norm; the innermost has no norm after its convolution and nothing inside.
        if level == 0:
            places, middle = {0: f"{down}.0", 3: f"{up}.1"}, 1
        elif level < depth - 1:
            places, middle = {1: f"{down}.1", 2: f"{down}.2", 5: f"{up}.1", 6: f"{up}.2"}, 3
        else:
            places, middle = {1: f"{down}.1", 3: f"{up}.1", 4: f"{up}.2"}, -1
        names |= {f"{inside}{place}": ours for place, ours in places.items()}
        inside += f"{middle}.model."
    return names


def _resnet(weights: Weights) -> Published:
    # The authors' nn.Sequential: layers 0 to 9, n_blocks blocks, 7 layers, the last convolution.
    n_blocks = len({name.split(".")[1] for name in weights if ".conv_block." in name})
    first, last = weights["model.1.weight"], weights[f"model.{17 + n_blocks}.weight"]
    recipe = partial(ResidualTranslator, width=first.shape[0], n_blocks=n_blocks)

    def rename(name: str) -> str:
        # With dropout, the second convolution of a block has index 6 instead of 5.
        name = name.replace(".conv_block.6.", ".conv_block.5.").replace(".conv_block.", ".layers.")
        return name.replace("model.", "layers.", 1)

    renamed = _renamed(_without_statistics(weights), rename)
    return PublishedTranslator(recipe, renamed, (first.shape[1], 256, 256), (last.shape[0], 256, 256))


def _patch(weights: Weights) -> Published:
    first = weights["model.0.weight"]
    # A first and a last convolution beside n_layers strided or widening ones.
    n_layers = sum(weight.ndim == 4 for weight in weights.values()) - 2
    normalises_batches = "model.3.weight" in weights
    recipe = partial(
        PatchDiscriminator,
        width=first.shape[0],
        n_layers=n_layers,
        normalization="batch" if normalises_batches else "instance",
    )
    renamed = _renamed(
        weights if normalises_batches else _without_statistics(weights),
        lambda name: name.replace("model.", "layers.", 1),
    )
    # The smallest side that the layers take: weights do not tell the side of the images.
    return PublishedDiscriminator(recipe, renamed, (first.shape[1], 3 * 2**n_layers, 3 * 2**n_layers))


def _without_statistics(weights: Weights) -> Weights:
    """Without what InstanceNorm kept before torch 0.4, which these networks do not read."""
    return {name: weight for name, weight in weights.items() if not name.endswith(_STATISTICS)}


def _renamed(weights: Weights, rename: Callable[[str], str]) -> Weights:
    return {rename(name): weight for name, weight in weights.items()}
