"""Assignment of optimisers to players by the weights that they hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from datamodules.components.first_process import rank_zero_warn
from gan_lightning.optimizers.schedulers import check_scheduler

PLAYERS = ("discriminator", "generator")


def places_of_players(game: nn.Module, optimizers: Sequence[Optimizer]) -> dict[str, int]:
    """Index of each player's optimiser in a list.

    Args:
        game: Has the players as attributes. Frozen weights (``requires_grad=False``) may be in any optimiser or none.
        optimizers: What ``configure_optimizers`` returned; Lightning's wrappers will do.

    Raises:
        ValueError: A player's weights are in no optimiser or in several, an optimiser holds weights of both players or
            of neither, or both players share trainable weights.
    """
    # Weights by identity: tensors compare by value, and a weight may be in several modules.
    weights = {player: {id(weight) for weight in getattr(game, player).parameters()} for player in PLAYERS}
    shared = set.intersection(*weights.values())
    held = [{id(weight) for group in optimizer.param_groups for weight in group["params"]} for optimizer in optimizers]
    start = (
        f"configure_optimizers of {type(game).__name__} gave {len(optimizers)} optimiser{'s'[: len(optimizers) > 1]}"
    )
    places: dict[str, int] = {}
    for player in PLAYERS:
        # Weights of both players decide nothing here; _check_the_rest refuses them if they are trainable.
        own = weights[player] - shared
        holding = [place for place, some in enumerate(held) if some & own]
        if len(holding) != 1:
            found = "none holds" if not holding else f"{len(holding)} hold"
            raise ValueError(
                f"{start}, of which {found} the {player}'s weights: one must hold all that are to move, in groups of "
                "its own if they are to differ."
            )
        places[player] = holding[0]
        # Trainable weights of the player that its optimiser lacks.
        left = {id(weight) for weight in getattr(game, player).parameters() if weight.requires_grad} - held[holding[0]]
        if left - shared:
            raise ValueError(
                f"{start}, and that of the {player} lacks {_named(game, left - shared)}, which would never move: let "
                "it hold all weights of the player, in groups if they are to differ, and freeze what is to stay by "
                "requires_grad_(False)."
            )
    if len(set(places.values())) < len(PLAYERS):
        raise ValueError(f"{start}, of which one holds the weights of both players: give each its own.")
    if len(optimizers) > len(PLAYERS):
        raise ValueError(
            f"{start}, and a step moves two: join further weights to the optimiser of the player they move with."
        )
    _check_the_rest(game, shared, set.union(*held))
    return places


def _check_the_rest(game: nn.Module, shared: set[int], held: set[int]) -> None:
    """Refuse trainable weights shared by both players; warn of weights in no optimiser."""
    to_move = {id(weight) for weight in game.parameters() if weight.requires_grad}
    if shared & to_move:
        raise ValueError(
            f"The generator and the discriminator of {type(game).__name__} share {_named(game, shared & to_move)}, "
            "which would never move, for each player's weights rest while the other moves: give each its own."
        )
    players = {id(weight) for player in PLAYERS for weight in getattr(game, player).parameters()}
    if rest := to_move - players - held:
        rank_zero_warn(
            f"No optimiser of {type(game).__name__} holds {_named(game, rest)}, which will not move: join what is to "
            "learn to the optimiser of a player in configure_optimizers, and freeze what is not by "
            "requires_grad_(False)."
        )


def _named(game: nn.Module, weights: Iterable[int]) -> str:
    """Describe weights by the name of the first and the number of the others."""
    names = [name for name, weight in game.named_parameters() if id(weight) in weights]
    return names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def check_optimizer(name: str, optimizer: object) -> None:
    """Refuse an optimiser that cannot update a player.

    Raises:
        ValueError: It is no optimiser, needs a closure (LBFGS), or has an eps that rounds to 0 in the weights' dtype.
    """
    if not isinstance(optimizer, Optimizer):
        raise ValueError(f"{name} made {type(optimizer).__name__}: it must make a torch.optim.Optimizer.")
    if isinstance(optimizer, torch.optim.LBFGS):
        raise ValueError(f"{name} is LBFGS, which asks for the loss several times in a step: choose another.")
    for group in optimizer.param_groups:
        # An eps that rounds to 0 divides 0 by 0 at the first gradient of 0: 1e-8 in float16.
        eps = group.get("eps")
        for kind in {weight.dtype for weight in group["params"]}:
            if isinstance(eps, float) and eps > 0 and torch.tensor(eps).to(kind) == 0:
                raise ValueError(
                    f"{name} has eps {eps}, which is 0 among the weights' {str(kind).removeprefix('torch.')}, so that "
                    "it would divide by nothing: set eps to 1e-4, or train in another precision, such as bf16-true or "
                    "16-mixed."
                )


def made_by(game: nn.Module, name: str, of: Any) -> Any:
    """Make an optimiser of weights, or a scheduler of an optimiser, by a game's recipe.

    Args:
        game: Has the recipe as an attribute.
        name: Of the attribute, such as ``generator_optimizer``.
        of: The weights, or the optimiser.

    Raises:
        ValueError: The recipe cannot make it, or it cannot serve a step of two players.
    """
    try:
        made = getattr(game, name)(of)
    except (TypeError, ValueError, ZeroDivisionError) as error:  # torch names neither the player nor the setting
        raise ValueError(f"{name} cannot be made: {str(error).rstrip('.')}.") from error
    if name.endswith("_optimizer"):
        check_optimizer(name, made)
    check_scheduler(made)
    return made
