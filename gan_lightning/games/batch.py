"""What the players see of one batch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor


@dataclass(frozen=True)
class GameBatch:
    """One exchange between the players.

    Attributes:
        real: What the data shows. Images are N x C x H x W, float, in [-1, 1].
        condition: What both players are told beforehand: labels (N,), images, text; None if nothing.
        latent: What the generator is fed, None if nothing.
        fake: What the generator answers, shaped like ``real``. None before it has moved.
    """

    real: Any
    condition: Any = None
    latent: Any = None
    fake: Any = None

    @property
    def examples(self) -> Any:
        """The real images; those of the first domain where there are several."""
        return next(iter(self.real.values())) if isinstance(self.real, dict) else self.real

    def detached(self) -> GameBatch:
        """The same exchange, with no path from the fakes back into the generator."""
        fake = self.fake
        alone = isinstance(fake, Tensor)  # Fast path: a plain tensor needs no traversal, a dict of fakes does.
        return replace(self, fake=fake.detach() if alone else apply_to_collection(fake, Tensor, Tensor.detach))
