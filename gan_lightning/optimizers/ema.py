"""Exponential moving average (EMA) of a network's weights."""

import copy
from typing import Self

import torch
from torch import nn

from gan_lightning.arguments import Schedule, value_of
from gan_lightning.arguments.ranges import check_limits
from gan_lightning.arguments.recipes import resolve_number
from gan_lightning.trainer.internals import foreach_lerp_
from gan_lightning.trainer.number_types import Conversion, convert_layer_inputs, is_low_precision, keeping_float32


class ExponentialMovingAverage(nn.Module):
    """Copy of a network whose weights are a moving average of the network's.

    After update ``t`` (from 1): ``average = decay_t * average + (1 - decay_t) * weights`` with
    ``decay_t = min(decay, t / (t + 9))``. The ramp lets the average leave the random initial weights at once; it
    is the rule of TensorFlow's ``ExponentialMovingAverage(num_updates=t - 1)``. Buffers (BatchNorm's statistics,
    spectral norm's vectors) are copied: they are estimates already, and their averages mean nothing. Where weights
    are frozen, their average stays. The average is in float32 at least, whatever the dtype of the network and whatever
    it is converted to: in bfloat16 an update of less than half a percent would be rounded away.

    With a half-life instead, ``decay_t = 0.5 ** (images / half_life)`` where ``images`` are those of one update, so
    that another batch size averages over the same images (Karras et al., 2020, arXiv 1912.04958, and EDM2).

    Args:
        module: The network to follow. It is copied; the copy takes no gradient.
        decay: Between 0 (no memory) and 1 (excluded). None: there is a half-life.
        half_life: Real images after which a weight counts half, or a schedule of that; at 0 the average is the
            weights.
        ramp_up: The half-life is at most this share of the images seen before an update; 0.05 in StyleGAN2, where the
            first update copies the weights. None: it is what it is from the beginning.
        start: Update, counted from 1, from which on this is an average: before, it is a copy of the weights. The decay
            then has no ramp. 0: an average from the beginning.
        half_life_updates: The half-life in updates, in place of images: with another batch size it is of other images.

    Raises:
        ValueError: There are a decay and a half-life, two half-lives or none of them, a ramp without a half-life, or
            one is out of its range.
    """

    def __init__(
        self,
        module: nn.Module,
        decay: float | None = None,
        half_life: Schedule | float | None = None,
        ramp_up: float | None = None,
        start: int = 0,
        half_life_updates: float | None = None,
    ) -> None:
        super().__init__()
        if half_life_updates is not None and (decay, half_life) != (None, None):
            raise ValueError(
                f"ema_half_life_updates is {half_life_updates}, so ema_decay and ema_half_life must be null, and they "
                f"are {decay} and {half_life}."
            )
        if half_life_updates is None and (decay is None) == (half_life is None):
            raise ValueError(
                f"ema_decay is {decay} and ema_half_life is {half_life}: give one of them, and null for the other."
            )
        if ramp_up is not None and half_life is None and half_life_updates is None:
            raise ValueError(f"ema_ramp_up is {ramp_up}, and it limits an ema_half_life: give that too.")
        check_limits(
            {
                "ema_decay": decay,
                "ema_ramp_up": ramp_up,
                "ema_start": start,
                "ema_half_life_updates": half_life_updates,
            }
        )
        for each in half_life.bounds if isinstance(half_life, Schedule) else (half_life,):
            check_limits({"ema_half_life": each})
        self.decay = decay
        self.half_life = half_life
        self.half_life_updates = half_life_updates
        self.ramp_up = ramp_up
        self.start = start
        # Initially a copy, so that samples can be made before the first update.
        self.module = copy.deepcopy(module).requires_grad_(False)
        if any(is_low_precision(weight) for weight in module.parameters()):
            # A network in bfloat16 has an average in float32, whose layers then convert what they are given.
            self.module._apply(lambda tensor: tensor.float() if is_low_precision(tensor) else tensor)
            convert_layer_inputs(self.module, always=True)

    def _apply(self, fn: Conversion, recurse: bool = True) -> Self:
        # torch's one place for .to(), .half(), .double() and .cuda().
        super()._apply(keeping_float32(fn, (*self.parameters(), *self.buffers())), recurse)
        if is_low_precision(fn(torch.empty(0))):
            convert_layer_inputs(self.module, always=True)
        return self

    def decay_at(self, step: int, images: int, seen: int) -> float:
        """The share of the average that stays in an update; arguments as of :meth:`update`."""
        if step < self.start:
            return 0.0
        if self.decay is not None:
            if self.start:
                # The weights it starts from are trained: nothing to leave at once.
                return self.decay
            # t = 1 keeps a tenth of the random initial weights; a decay of 0.999 is reached at t = 8991.
            return min(self.decay, step / (step + 9))
        if self.half_life_updates is not None:
            half_life = self.half_life_updates * images
        else:
            assert self.half_life is not None
            half_life = value_of(self.half_life, seen)
        if self.ramp_up is not None:
            # 0 images at first: the first update copies the weights.
            half_life = min(half_life, seen * self.ramp_up)
        return 0.5 ** (images / half_life) if half_life > 0 else 0.0

    @torch.no_grad()
    def update(self, module: nn.Module, step: int, images: int = 0, seen: int = 0) -> None:
        """Move the average towards ``module`` after one of its updates.

        Args:
            module: The network that it follows.
            step: Number of the update, counted from 1.
            images: Real images that the update took, in all processes. A half-life needs them.
            seen: Real images before that, in all processes.
        """
        decay = self.decay_at(step, images, seen)
        pairs = zip(self.module.parameters(), module.parameters(), strict=True)
        # Of a network that grows, layers that take no part yet are what they were, and so are their averages.
        idle = {id(weight) for weight in getattr(module, "idle_weights", tuple)()}
        moving = [(mine, theirs) for mine, theirs in pairs if theirs.requires_grad and id(theirs) not in idle]
        targets = [theirs if theirs.dtype == mine.dtype else theirs.to(mine.dtype) for mine, theirs in moving]
        # Only weights that move. One call for all of them: on a GPU a launch for each would cost more than the sums.
        foreach_lerp_([mine for mine, _ in moving], targets, 1 - decay)
        for mine, theirs in zip(self.module.buffers(), module.buffers(), strict=True):
            # Copied, not averaged: BatchNorm's statistics are averages already, spectral norm's vectors are directions.
            mine.copy_(theirs)


def average_of(
    module: nn.Module,
    decay: float | None,
    half_life: Schedule | float | None,
    ramp_up: float | None,
    start: int = 0,
    half_life_updates: float | None = None,
) -> ExponentialMovingAverage | None:
    """Make the average that a game's arguments describe; None: no average."""
    if decay is None and half_life is None and ramp_up is None and half_life_updates is None:
        return None
    half_life = None if half_life is None else resolve_number(half_life)
    return ExponentialMovingAverage(module, decay, half_life, ramp_up, start, half_life_updates)
