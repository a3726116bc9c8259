"""Networks that grow with the training (Karras et al., ICLR 2018, arXiv 1710.10196, section 2).

The level of a network is the number of times that its coarsest maps are doubled, from 0 on. Between two levels the
finer one is faded in: at 2.3 images have the size of level 3, and are 0.3 of what its layers make and 0.7 of what level
2 made, enlarged. Layers of higher levels exist from the start, take no part and get no gradient.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Growing(nn.Module):
    """Base of growing networks: the level is part of their state.

    Args:
        levels: The highest level; the network has it until :attr:`level` is set.
    """

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.levels = levels
        self.level: float = levels

    @property
    def stage(self) -> int:
        """The level whose size the images have."""
        return min(math.ceil(self.level), self.levels)

    @property
    def fade(self) -> float:
        """Weight of the finest layers, above 0 and up to 1, which is no fade."""
        return 1.0 if self.level >= self.levels else self.level - self.stage + 1

    def get_extra_state(self) -> Tensor:
        """The level, for the state dict: on the host, for it decides what is computed."""
        return torch.tensor(float(self.level), dtype=torch.float64)

    def set_extra_state(self, state: Tensor) -> None:
        """Take the level of a state dict."""
        self.level = state.item()


def faded(images: Tensor, network: Growing) -> Tensor:
    """Images (N, C, H, W) of the highest level in the size of the network's, blended as its own are.

    Real images are averaged down; during a fade they are blended with their own copies averaged by two and enlarged, so
    that the finest details come to real and fake images at the same time.
    """
    images = F.avg_pool2d(images, 2 ** (network.levels - network.stage))
    if network.fade == 1:
        return images
    coarse = enlarged(F.avg_pool2d(images, 2), 2)
    return torch.lerp(coarse, images, network.fade)


def enlarged(images: Tensor, times: int) -> Tensor:
    """Images (N, C, H, W) with each pixel copied to ``times`` x ``times``."""
    return images if times == 1 else F.interpolate(images, scale_factor=float(times))
