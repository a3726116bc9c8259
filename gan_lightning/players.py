"""Whose optimiser is whose: found by the weights that it holds, in whatever order they are given."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

PLAYERS = ("discriminator", "generator")


def places_of_players(game: nn.Module, optimizers: Sequence[Optimizer]) -> dict[str, int]:
    """The place of each player's optimiser in a list.

    Args:
        game: Has the players as attributes. What both hold, such as a shared embedding, is nobody's own.
        optimizers: What ``configure_optimizers`` returned; Lightning's wrappers will do.

    Raises:
        ValueError: A player's weights are in no optimiser or in several, one holds those of both players, or one
            those of neither, which nobody would step.
    """
    weights = {player: {id(weight) for weight in getattr(game, player).parameters()} for player in PLAYERS}
    shared = set.intersection(*weights.values())
    held = [{id(weight) for group in optimizer.param_groups for weight in group["params"]} for optimizer in optimizers]
    start = (
        f"configure_optimizers of {type(game).__name__} gave {len(optimizers)} optimiser{'s'[: len(optimizers) > 1]}"
    )
    places: dict[str, int] = {}
    for player in PLAYERS:
        own = weights[player] - shared
        holding = [place for place, some in enumerate(held) if some & own]
        if len(holding) != 1:
            found = "none holds" if not holding else f"{len(holding)} hold"
            raise ValueError(f"{start}, of which {found} the {player}'s weights: one must hold all that are to move.")
        places[player] = holding[0]
    if len(set(places.values())) < len(PLAYERS):
        raise ValueError(f"{start}, of which one holds the weights of both players: give each its own.")
    if len(optimizers) > len(PLAYERS):
        raise ValueError(
            f"{start}, and a step moves two: join further weights to the optimiser of the player they move with."
        )
    return places


def check_optimizer(name: str, optimizer: object) -> None:
    """Refuse what cannot move a player.

    Raises:
        ValueError: It is no optimiser, or one that a step of two players cannot serve.
    """
    if not isinstance(optimizer, Optimizer):
        raise ValueError(f"{name} made {type(optimizer).__name__}: it must make a torch.optim.Optimizer.")
    if isinstance(optimizer, torch.optim.LBFGS):
        raise ValueError(f"{name} is LBFGS, which asks for the loss several times in a step: choose another.")
    for group in optimizer.param_groups:
        eps = group.get("eps")
        for kind in {weight.dtype for weight in group["params"]}:
            if isinstance(eps, float) and eps > 0 and torch.tensor(eps).to(kind) == 0:
                raise ValueError(
                    f"{name} has eps {eps}, which is 0 among the weights' {str(kind).removeprefix('torch.')}, so that "
                    "it would divide by nothing: set eps to 1e-4, or train in another precision, such as bf16-true or "
                    "16-mixed."
                )


def check_scheduler(scheduler: object) -> None:
    """Refuse a scheduler that waits for what a game has not.

    Raises:
        ValueError: It is ReduceLROnPlateau.
    """
    if isinstance(scheduler, ReduceLROnPlateau):
        raise ValueError("ReduceLROnPlateau waits for a loss to fall, and a GAN's losses do not: choose another.")
