"""The batch that both players' losses receive."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor


@dataclass(frozen=True)
class GameBatch:
    """Real images, their condition, latents and fakes of one update of a player.

    Attributes:
        real: Real images, N x C x H x W, float, in [-1, 1]; a dictionary of them in games of several domains.
        condition: Condition of both players: labels (N,), images, text; None if there is none.
        latent: Input of the generator beside the condition, N x ...; None if there is none.
        fake: Output of the generator, shaped like ``real``; None before :meth:`AdversarialModule.generate_fakes`.
    """

    real: Any
    condition: Any = None
    latent: Any = None
    fake: Any = None

    @property
    def examples(self) -> Any:
        """Real images, of the first domain where there are several."""
        return next(iter(self.real.values())) if isinstance(self.real, dict) else self.real

    def detached(self) -> GameBatch:
        """Return the batch with detached fakes, through which no gradient reaches the generator."""
        fake = self.fake
        alone = isinstance(fake, Tensor)  # Fast path: a plain tensor needs no traversal, a dict of fakes does.
        return replace(self, fake=fake.detach() if alone else apply_to_collection(fake, Tensor, Tensor.detach))
