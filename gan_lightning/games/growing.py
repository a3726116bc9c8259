"""Games whose networks grow with the real images seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from gan_lightning.arguments import Schedule, value_of
from gan_lightning.arguments.ranges import check_limits
from gan_lightning.arguments.recipes import resolve_number
from gan_lightning.arguments.schedules import GrowthSchedule
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.image import ImageGame
from gan_lightning.games.players import PLAYERS
from gan_lightning.networks.layers.growing import Growing, faded
from gan_lightning.trainer.internals import is_compiled


class GrowingGame(ImageGame):
    """A game that begins with small images; layers for larger ones are faded in (Karras et al., 2018, section 2).

    Both players and the average have the same level, a function of ``images_seen`` that is constant within a step, and
    is in checkpoints with the weights. Real images of a step are averaged to the size of its fakes. Samples have the
    full size from the start: those of smaller ones are enlarged.

    Args:
        growth: The level, or its schedule; the highest of the networks at most. A run that begins with the weights of
            another begins with the schedule too: a number is the level for all of it.
        reset_optimizers: Whether the optimisers forget their moments where a level is added, as in ProGAN's code.
        **game: Arguments of :class:`~gan_lightning.games.image.ImageGame`.

    Raises:
        TypeError: A network does not grow.
        ValueError: The level is ever below 0.
    """

    generator: Any
    discriminator: Any

    def __init__(self, growth: Schedule | float | None = None, reset_optimizers: bool = True, **game: Any) -> None:
        super().__init__(**game)
        for player in PLAYERS:
            if not isinstance(getattr(self, player), Growing):
                raise TypeError(
                    f"{type(self).__name__}'s networks grow, and its {player} is a "
                    f"{type(getattr(self, player)).__name__}, which does not: take one of ProGAN's or StyleGAN's."
                )
        self.growth = GrowthSchedule() if growth is None else resolve_number(growth)
        for each in self.growth.bounds if isinstance(self.growth, Schedule) else (self.growth,):
            check_limits({"growth": each})
        self.reset_optimizers = reset_optimizers
        self._set_level(value_of(self.growth, 0))

    @property
    def level(self) -> float:
        """Doublings of the coarsest map so far; in a fade a fraction, rounded up for the size of the images."""
        level: float = self.generator.level
        return level

    @property
    def next_level(self) -> float:
        """The level of the next step."""
        level: float = min(value_of(self.growth, self.images_seen), self.generator.levels)
        return level

    def _set_level(self, level: float) -> None:
        networks: list[Any] = [self.generator, self.discriminator, self.averaged_generator]
        for network in networks:
            network.level = min(level, network.levels)

    def training_step(self, batches: list[Any], batch_idx: int) -> dict[str, Tensor]:
        stage = self.generator.stage
        self._set_level(self.next_level)
        if self.generator.stage != stage and any(is_compiled(getattr(self, player)) for player in PLAYERS):
            # What was compiled for other levels counts to the most that torch compiles before it gives up.
            torch.compiler.reset()
        if self.generator.stage > stage and self.reset_optimizers:
            for player in PLAYERS:
                self.optimizer_of(player).optimizer.state.clear()
        return super().training_step(batches, batch_idx)

    def prepare_batch(self, raw: Any) -> GameBatch:
        batch = super().prepare_batch(raw)
        return replace(batch, real=faded(batch.real, self.discriminator)) if self.training else batch
