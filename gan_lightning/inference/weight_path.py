"""Generators whose weights lie between those of two checkpoints."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor

from gan_lightning.games.base import AdversarialModule


class WeightPath:
    """The way from a generator's weights to those of another one, ``(1 - a) theta_0 + a theta_1``.

    Wang, Yu, Dong, Tang, Loy, *Deep Network Interpolation for Continuous Imagery Effect Transition*, CVPR 2019, arXiv
    1811.10515. The networks in between make sense where both were trained from the same weights, such as two steps of
    one run, or runs that went on from one checkpoint with different losses.

    Args:
        model: A game, whose averaged generator has the weights on the way.
        other: A game with the same generator; it can be given away afterwards.

    Raises:
        ValueError: The generators have not the same weights by name and shape.
    """

    def __init__(self, model: AdversarialModule, other: AdversarialModule) -> None:
        self.network = model.averaged_generator
        self.start, self.end = (_state(game) for game in (model, other))
        if {name: value.shape for name, value in self.start.items()} != {
            name: value.shape for name, value in self.end.items()
        }:
            raise ValueError(
                f"The generators of the two checkpoints, {type(model).__name__} and {type(other).__name__}, have not "
                "the same weights by name and shape: give two of the same networks."
            )

    @contextmanager
    def at(self, strength: float) -> Iterator[None]:
        """Give the generator the weights at ``strength``, 0 its own and 1 the other's, and its own again afterwards."""
        # Counts, such as those of BatchNorm's batches, have nothing in between.
        between = {
            name: value.lerp(self.end[name].to(value), strength) if value.is_floating_point() else value
            for name, value in self.start.items()
        }
        self.network.load_state_dict(between)
        try:
            yield
        finally:
            self.network.load_state_dict(self.start)


def _state(game: AdversarialModule) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in game.averaged_generator.state_dict().items()}
