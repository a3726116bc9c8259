"""Number types other than float32: what follows the networks' type, and what keeps float32's digits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized
from torch.optim import Optimizer

from gan_lightning.trainer.layer_kinds import BATCH_NORMS

Conversion = Callable[[Tensor], Tensor]


def number_type(network: nn.Module) -> torch.dtype:
    """The type of a network's kernels; norm layers, whose weights are vectors, may have another. None there: float32.

    Args:
        network: Its first floating-point weight with two dimensions or more decides.
    """
    kinds = (weight.dtype for weight in network.parameters() if weight.ndim > 1 and weight.is_floating_point())
    return next(kinds, torch.float32)


def has_few_digits(tensor: Tensor) -> bool:
    """Whether a tensor is of floats with fewer digits than float32's."""
    return tensor.is_floating_point() and tensor.dtype.itemsize < 4


def needing_digits(game: nn.Module) -> Iterator[Tensor]:
    """What is moved by small steps, and would stand still in bfloat16, whose numbers are a percent apart.

    These are BatchNorm's statistics (and its scale and offset, which torch wants in the same type), and what a game
    itself remembers, such as BEGAN's balance. Averages of weights see to it themselves.
    """
    yield from game.buffers(recurse=False)
    for part in game.modules():
        if isinstance(part, BATCH_NORMS):
            yield from part.parameters()
            yield from part.buffers()


def with_digits(convert: Conversion, kept: Iterable[Tensor]) -> Conversion:
    """A conversion that leaves some tensors at least float32; to another device they go as all others do."""
    names = {id(one) for tensor in kept for one in (tensor, tensor.grad) if one is not None}

    def converted(tensor: Tensor) -> Tensor:
        made = convert(tensor)
        if id(tensor) in names and has_few_digits(made):
            return tensor.to(made.device, torch.float32)
        return made

    return converted


def warn_of_few_digits(optimizers: Iterable[Optimizer]) -> None:
    """Tell of weights that are moved in a type of few digits: what an optimiser remembers of them has the same type."""
    weights = [weight for each in optimizers for group in each.param_groups for weight in group["params"]]
    few = next((weight.dtype for weight in weights if has_few_digits(weight)), None)
    if few is not None:
        rank_zero_warn(
            f"The weights are {str(few).removeprefix('torch.')}, and so are the moments of their optimisers: small "
            "steps are rounded away, and a second moment with beta2 = 0.999 hardly moves. Train in bf16-mixed, which "
            "keeps both in float32."
        )


def take_own_type(game: nn.Module, always: bool = False) -> None:
    """Let every layer convert what it is given to its own type, once some are not in float32.

    Latents, averages and the images of penalties have float32's digits, whatever the type of the networks.

    Args:
        game: A game or a network.
        always: Also where all layers are in float32, as those of an average whose network is not.
    """
    layers = [
        part
        for part in game.modules()
        if is_parametrized(part) or any(weight.ndim > 1 for weight in part.parameters(recurse=False))
    ]
    if always or any(number_type(layer) != torch.float32 for layer in layers):
        for layer in layers:
            if not getattr(layer, "takes_own_type", False):
                layer.takes_own_type = True  # type: ignore[assignment]
                layer.register_forward_pre_hook(_in_own_type)


def _in_own_type(layer: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
    own = number_type(layer)
    return tuple(one.to(own) if isinstance(one, Tensor) and one.is_floating_point() else one for one in given)
