"""Numbers that change while a game is trained: functions of the real images seen so far.

An argument annotated ``Schedule | float`` takes one of these or a number. The schedule stands first, so that the
command line can say what is wrong with one. In a config: ``class_path: LinearSchedule`` and its ``init_args``.

Images, and not steps, are counted, so that the same schedule serves another batch size, another ``n_critic`` and
another number of processes. The count is a game's ``images_seen``: real images that the updates of the discriminator
took, as papers count them (a thousand of them is their "kimg").
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from gan_lightning.arguments.ranges import check_whole
from gan_lightning.arguments.recordable import Recordable


class Schedule(Recordable, ABC):
    """A number as a function of the real images seen.

    A subclass keeps each constructor argument, a number or a list of numbers, under its own name: by these a checkpoint
    records it.
    """

    @abstractmethod
    def __call__(self, images: int) -> float:
        """The value after so many images, at least 0. A pure function: a resumed run finds the same value."""

    @property
    @abstractmethod
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest value that it ever has."""


class ConstantSchedule(Schedule):
    """A constant value.

    Args:
        value: The value.
    """

    def __init__(self, value: float) -> None:
        _check_finite(value=value)
        self.value = value

    def __call__(self, images: int) -> float:
        return self.value

    @property
    def bounds(self) -> tuple[float, float]:
        return self.value, self.value


class LinearSchedule(Schedule):
    """Linear change from one value to another: a ramp or a decay.

    Args:
        start: Value until ``delay`` images have been seen.
        end: Value from ``delay + images`` on.
        images: Real images that the change takes.
        delay: Real images before it begins.

    Raises:
        ValueError: A value is not finite, or a number of images is no whole number in its range.
    """

    def __init__(self, start: float, end: float, images: int, delay: int = 0) -> None:
        _check_finite(start=start, end=end)
        check_whole(1, images=images)
        check_whole(0, delay=delay)
        self.start, self.end, self.images, self.delay = start, end, images, delay

    def __call__(self, images: int) -> float:
        way = self._way(images)
        # This form gives both ends exactly, unlike start + way * (end - start).
        return (1 - way) * self.start + way * self.end

    def _way(self, images: int) -> float:
        """Share of the change that is done, from 0 to 1."""
        return min(max((images - self.delay) / self.images, 0.0), 1.0)

    @property
    def bounds(self) -> tuple[float, float]:
        return min(self.start, self.end), max(self.start, self.end)


class CosineSchedule(LinearSchedule):
    """Half a cosine from one value to another, slow at both ends (Loshchilov, Hutter, 2017, arXiv 1608.03983).

    Args:
        start: Value until ``delay`` images have been seen.
        end: Value from ``delay + images`` on.
        images: Real images that the change takes.
        delay: Real images before it begins.
    """

    def _way(self, images: int) -> float:
        return (1 - math.cos(math.pi * super()._way(images))) / 2


class StepSchedule(Schedule):
    """A value that is multiplied by a factor at each milestone.

    Args:
        start: Value before the first milestone.
        factor: What it is multiplied by at each, at least 0.
        milestones: Real images seen at which that happens, in rising order.

    Raises:
        ValueError: A value is not finite, the factor is negative, or the milestones do not rise.
    """

    def __init__(self, start: float, factor: float, milestones: Sequence[int]) -> None:
        _check_finite(start=start, factor=factor)
        if factor < 0:
            raise ValueError(f"factor is {factor}: it must be at least 0.")
        for each in milestones:
            check_whole(1, milestones=each)
        if list(milestones) != sorted(set(milestones)):
            raise ValueError(f"milestones is {list(milestones)}: they must rise.")
        self.start, self.factor, self.milestones = start, factor, list(milestones)

    def __call__(self, images: int) -> float:
        # A milestone that is reached counts as passed.
        return self.start * self.factor ** bisect_right(self.milestones, images)

    @property
    def bounds(self) -> tuple[float, float]:
        last = self.start * self.factor ** len(self.milestones)
        # Powers of a factor that is not negative are monotone, so the extremes are at the ends.
        return min(self.start, last), max(self.start, last)


class GrowthSchedule(Schedule):
    """The level of a network that grows: from level to level it stays for some images, then fades in the next one.

    Karras et al., ICLR 2018, arXiv 1710.10196, section 2 and appendix A. A network stops at its highest level.

    Args:
        stable: Real images at a level before the next one is faded in; 600,000 in the paper.
        fade: Real images of a fade; 600,000 in the paper.
        start: The first level: 0 is the coarsest map, in most networks 4 x 4.

    Raises:
        ValueError: A number is no whole number in its range.
    """

    def __init__(self, stable: int = 600_000, fade: int = 600_000, start: int = 0) -> None:
        check_whole(0, stable=stable, start=start)
        check_whole(1, fade=fade)
        self.stable, self.fade, self.start = stable, fade, start

    def __call__(self, images: int) -> float:
        grown, rest = divmod(images, self.stable + self.fade)
        return self.start + grown + max(0.0, (rest - self.stable) / self.fade)

    @property
    def bounds(self) -> tuple[float, float]:
        return self.start, math.inf


def value_of(number: Schedule | float, images: int) -> float:
    """The value of a number, or of a schedule after so many real images; on the host, without synchronisation."""
    return number(images) if isinstance(number, Schedule) else number


def _check_finite(**numbers: Any) -> None:
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
            raise ValueError(f"{name} is {number!r}: it must be a finite number.")
