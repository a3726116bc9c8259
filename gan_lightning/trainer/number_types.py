"""Reduced precision (bfloat16, float16) of networks, and the tensors that stay in float32."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized
from torch.optim import Optimizer

from datamodules.components.first_process import rank_zero_warn
from gan_lightning.trainer.layer_kinds import BATCH_NORMS

Conversion = Callable[[Tensor], Tensor]


def number_type(network: nn.Module) -> torch.dtype:
    """Dtype of a network's kernels; float32 if it has none. Norm layers, whose weights are vectors, may differ.

    Args:
        network: Its first floating-point weight with two dimensions or more decides.
    """
    kinds = (weight.dtype for weight in network.parameters() if weight.ndim > 1 and weight.is_floating_point())
    return next(kinds, torch.float32)


def is_low_precision(tensor: Tensor) -> bool:
    """Whether a tensor is floating-point with fewer bits than float32."""
    return tensor.is_floating_point() and tensor.dtype.itemsize < 4


def tensors_kept_in_float32(game: nn.Module) -> Iterator[Tensor]:
    """Tensors that small updates would not change in bfloat16, whose numbers are a percent apart.

    These are BatchNorm's statistics (with its scale and offset, which torch requires in the same dtype) and a game's
    own buffers, such as BEGAN's balance, and those of what it is given with ``keeps_float32``, such as a regulariser.
    Averages of weights convert themselves.
    """
    # Of the game alone: buffers of its networks are theirs, and follow their type.
    yield from game.buffers(recurse=False)
    for part in game.modules():
        if isinstance(part, BATCH_NORMS) or getattr(part, "keeps_float32", False):
            yield from part.parameters()
            yield from part.buffers()


def keeping_float32(convert: Conversion, kept: Iterable[Tensor]) -> Conversion:
    """Wrap a conversion so that some tensors keep at least float32; they follow to another device."""
    # By identity: torch hands a module's tensors and their gradients to the conversion one by one, without names.
    names = {id(one) for tensor in kept for one in (tensor, tensor.grad) if one is not None}

    def converted(tensor: Tensor) -> Tensor:
        made = convert(tensor)
        if id(tensor) in names and is_low_precision(made):
            # From the tensor and not from what was made of it, which has been rounded.
            return tensor.to(made.device, torch.float32)
        return made

    return converted


def warn_of_low_precision(optimizers: Iterable[Optimizer]) -> None:
    """Warn of weights in reduced precision: the moments of their optimisers have the same dtype."""
    # Of the optimisers and not of the networks: a frozen network in bfloat16 is no danger.
    weights = [weight for each in optimizers for group in each.param_groups for weight in group["params"]]
    few = next((weight.dtype for weight in weights if is_low_precision(weight)), None)
    if few is not None:
        rank_zero_warn(
            f"The weights are {str(few).removeprefix('torch.')}, and so are the moments of their optimisers: small "
            "steps are rounded away, and a second moment with beta2 = 0.999 hardly moves. Train in bf16-mixed, which "
            "keeps both in float32."
        )


def convert_layer_inputs(game: nn.Module, always: bool = False) -> None:
    """Let every layer convert its inputs to its own dtype, if any layer is not in float32.

    Latents, averages and the images of penalties are float32, whatever the dtype of the networks.

    Args:
        game: A game or a network.
        always: Also if all layers are in float32, as those of the average of a network that is not.
    """
    layers = [
        part
        for part in game.modules()
        if is_parametrized(part) or any(weight.ndim > 1 for weight in part.parameters(recurse=False))
    ]
    if always or any(number_type(layer) != torch.float32 for layer in layers):
        for layer in layers:
            # A mark, since every call would add one more hook.
            if not getattr(layer, "converts_inputs", False):
                layer.converts_inputs = True  # type: ignore[assignment]
                layer.register_forward_pre_hook(_convert_input)


def _convert_input(layer: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
    own = number_type(layer)
    return tuple(one.to(own) if isinstance(one, Tensor) and one.is_floating_point() else one for one in given)
