"""An exponential moving average of a network's weights."""

import copy
from typing import cast

import torch
from torch import Tensor, nn


class ExponentialMovingAverage(nn.Module):
    """Keeps a copy of a network whose weights follow the network's slowly.

    After update ``t`` (from 1): ``average = decay_t * average + (1 - decay_t) * weights`` with
    ``decay_t = min(decay, t / (t + 9))``. The ramp lets the average leave the random initial weights at once; it
    is the rule of TensorFlow's ``ExponentialMovingAverage(num_updates=t - 1)``. Buffers (BatchNorm's statistics,
    spectral norm's vectors) are copied: they are estimates already, and their averages mean nothing. Where weights
    are frozen, their average stays.

    Args:
        module: The network to follow. It is copied; the copy takes no gradient.
        decay: Between 0 (no memory) and 1 (excluded).
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        super().__init__()
        if not 0 <= decay < 1:
            raise ValueError(f"ema_decay is {decay}: it must be at least 0 and less than 1 (None turns EMA off).")
        self.decay = decay
        self.module = copy.deepcopy(module).requires_grad_(False)

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Move the average towards ``module`` after its update number ``step``, counted from 1."""
        decay = min(self.decay, step / (step + 9))
        # One walk over the parts: parameters() and buffers(), of both, are felt in a small game.
        weights: dict[nn.Parameter, nn.Parameter] = {}
        for mine, theirs in zip(self.module.modules(), module.modules(), strict=True):
            for name, weight in theirs._parameters.items():
                if weight is not None and weight.requires_grad:
                    weights[cast(nn.Parameter, mine._parameters[name])] = weight
            for name, buffer in theirs._buffers.items():
                if buffer is not None:
                    cast(Tensor, mine._buffers[name]).copy_(buffer)
        torch._foreach_lerp_([*weights], [*weights.values()], 1 - decay)
