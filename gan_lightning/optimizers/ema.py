"""Exponential moving average (EMA) of a network's weights."""

import copy
from typing import Self

import torch
from torch import nn

from gan_lightning.trainer.internals import foreach_lerp_
from gan_lightning.trainer.number_types import Conversion, has_few_digits, take_own_type, with_digits


class ExponentialMovingAverage(nn.Module):
    """Copy of a network whose weights are a moving average of the network's.

    After update ``t`` (from 1): ``average = decay_t * average + (1 - decay_t) * weights`` with
    ``decay_t = min(decay, t / (t + 9))``. The ramp lets the average leave the random initial weights at once; it
    is the rule of TensorFlow's ``ExponentialMovingAverage(num_updates=t - 1)``. Buffers (BatchNorm's statistics,
    spectral norm's vectors) are copied: they are estimates already, and their averages mean nothing. Where weights
    are frozen, their average stays. The average has float32's digits at least, whatever the number type of the network
    and whatever it is converted to, since in bfloat16 a step of less than half a percent is none.

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
        if any(has_few_digits(weight) for weight in module.parameters()):
            self.module._apply(lambda tensor: tensor.float() if has_few_digits(tensor) else tensor)
            take_own_type(self.module, always=True)

    def _apply(self, fn: Conversion, recurse: bool = True) -> Self:
        # torch's one place for .to(), .half(), .double() and .cuda().
        super()._apply(with_digits(fn, (*self.parameters(), *self.buffers())), recurse)
        if has_few_digits(fn(torch.empty(0))):
            take_own_type(self.module, always=True)
        return self

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Move the average towards ``module`` after its update number ``step``, counted from 1."""
        decay = min(self.decay, step / (step + 9))
        pairs = zip(self.module.parameters(), module.parameters(), strict=True)
        moving = [(mine, theirs) for mine, theirs in pairs if theirs.requires_grad]
        targets = [theirs if theirs.dtype == mine.dtype else theirs.to(mine.dtype) for mine, theirs in moving]
        foreach_lerp_([mine for mine, _ in moving], targets, 1 - decay)
        for mine, theirs in zip(self.module.buffers(), module.buffers(), strict=True):
            mine.copy_(theirs)
