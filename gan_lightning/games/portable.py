"""What a game gives away of itself to be run without it: one network, by named inputs (``gan-lightning export``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from gan_lightning.trainer.layer_kinds import BATCH_NORMS

Axis = int | str
"""A length, or the name of an axis whose length is free: ``batch``, ``height``, ``width``."""


@dataclass(frozen=True)
class Input:
    """An input of a portable network.

    Attributes:
        shape: Its axes, such as ``("batch", 100)``.
        about: What it is, in a few words.
        draw: Makes an example of a shape.
    """

    shape: tuple[Axis, ...]
    about: str
    draw: Callable[[Sequence[int]], Tensor] = torch.randn


@dataclass(frozen=True)
class Portable:
    """The network that makes a game's images, and what it takes.

    Attributes:
        network: Takes the inputs by name and returns images, N x C x H x W in [-1, 1]; values beyond are to be clamped.
        inputs: The inputs by their names.
        sides: Height and width where they cannot be free, which the network may not allow: those of training.
        side_multiple: What ``height`` and ``width`` must be multiples of.
        smallest_side: The least of either.
        facts: What else is to be known to use it, such as the names of classes: plain values.
    """

    network: Applied
    inputs: Mapping[str, Input]
    sides: tuple[int, int] | None = None
    side_multiple: int = 1
    smallest_side: int = 1
    facts: Mapping[str, object] = field(default_factory=dict)


class Applied(nn.Module):
    """A function of tensors as a network, with the networks that it calls as its parts.

    Args:
        function: From the inputs to images.
        *parts: The networks.
    """

    def __init__(self, function: Callable[..., Tensor], *parts: nn.Module) -> None:
        super().__init__()
        self.function = function
        self.parts = nn.ModuleList(parts)
        # The function itself, and no method: torch.export reads the inputs' names off its arguments.
        self.forward = function


def integers(n: int) -> Callable[[Sequence[int]], Tensor]:
    """Draws of whole numbers, 0 to n - 1."""
    return lambda shape: torch.randint(n, tuple(shape))


def uniform(shape: Sequence[int]) -> Tensor:
    """Draw numbers in [-1, 1], as images have them."""
    return 2 * torch.rand(tuple(shape)) - 1


def zeros_and_ones(shape: Sequence[int]) -> Tensor:
    """Draw zeros and ones."""
    return torch.randint(2, tuple(shape)).float()


def images_of(channels: int, about: str) -> Input:
    """An input of images of any size, N x C x H x W in [-1, 1]."""
    return Input(("batch", channels, "height", "width"), about, uniform)


def with_statistics_of_images(network: nn.Module) -> nn.Module:
    """A copy of a network whose BatchNorms take the statistics of each image, as in training with batches of one."""
    network = deepcopy(network)
    for owner in list(network.modules()):
        for name, part in list(owner.named_children()):
            if isinstance(part, BATCH_NORMS):
                norm = nn.InstanceNorm2d(part.num_features, part.eps, affine=part.affine)
                norm.load_state_dict(part.state_dict(), strict=False)
                setattr(owner, name, norm)
    return network
