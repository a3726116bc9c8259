"""Freezing of a network's weights, for an update or for a run, and its evaluation mode."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from typing import Any

import torch
from torch import nn


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Set ``requires_grad`` of the weights to False within, and restore it afterwards."""
    # Only those that take gradients now: what a user has frozen stays frozen afterwards.
    weights = [weight for weight in module.parameters() if weight.requires_grad]
    for weight in weights:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(True)


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients, for sampling; each submodule's own mode is restored afterwards."""
    # Part by part: a user may keep some layer in evaluation mode throughout, and train() would switch it on.
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for part, training in modes.items():
            part.training = training


def freeze_layers(name: str, network: nn.Module, layers: int | Sequence[str]) -> set[str]:
    """Freeze the first layers of a player for good: their weights take no gradient.

    Buffers are no weights: running statistics of BatchNorm go on following the batches, which normalise in training as
    before, and spectral norm goes on estimating.

    Args:
        name: Of the argument, for messages.
        network: The player, changed in place.
        layers: How many, see :func:`layers_of`; or prefixes of the names of weights, such as ``["layers.0"]``.

    Returns:
        Names of the weights that are frozen.

    Raises:
        ValueError: There are no such layers, or all are to be frozen.
    """
    kind = type(network).__name__
    known = layers_of(network)
    names = [weight for layer in known for weight in layer]
    if isinstance(layers, int):
        if layers >= max(len(known), 1):
            raise ValueError(
                f"{name} is {layers}: this {kind} has {len(known)} layers, of which at most {max(len(known) - 1, 0)} "
                "can be frozen."
            )
        chosen = {weight for layer in known[:layers] for weight in layer}
    else:
        for prefix in layers:
            if not any(_is_under(prefix, weight) for weight in names):
                places = dict.fromkeys(weight.rpartition(".")[0] for weight in names)
                raise ValueError(f"{name} names {prefix!r}, and this {kind} has the layers {', '.join(places)}.")
        chosen = {weight for weight in names if any(_is_under(prefix, weight) for prefix in layers)}
        if len(chosen) == len(names) > 0:
            raise ValueError(f"{name} names all layers of this {kind}: leave one to train.")
    for weight in chosen:
        network.get_parameter(weight).requires_grad_(False)
    return chosen


def layers_of(network: nn.Module) -> list[list[str]]:
    """Names of a network's weights, layer by layer, in the order in which the network defines them.

    A network that computes in another order has a method ``parts_in_order``, which yields its parts by name from the
    input on, as those that grow.

    A layer is a convolution, a linear layer, a residual block, an attention: a part with weight matrices or kernels,
    and the norm or the learned activation behind it. Sequences and lists are no layers, but what is in them. Networks
    side by side in an ``nn.ModuleDict`` are counted together: their first layers are the first layer.
    """
    if isinstance(network, nn.ModuleDict):
        several = [_prefixed(layers_of(part), name) for name, part in network.items()]
        return [[weight for layer in layers for weight in layer] for layers in zip_longest(*several, fillvalue=[])]
    own = [name for name, _ in network.named_parameters(recurse=False)]
    layers = [[*own]] if own else []  # Such as a learned input, which goes with the layer behind it.
    parts: Any = getattr(network, "parts_in_order", network.named_children)
    for name, part in parts():
        nested = isinstance(part, nn.Sequential | nn.ModuleList | nn.ModuleDict)
        inside = layers_of(part) if nested else [[weight for weight, _ in part.named_parameters()]]
        for layer in _prefixed(inside, name):
            # Scales and offsets alone are no layer.
            alone = all(network.get_parameter(weight).ndim < 2 for weight in layer)
            if layers and (alone or layers == [own]):
                layers[-1] += layer
            elif layer:
                layers.append(layer)
    return layers


def _prefixed(layers: list[list[str]], name: str) -> list[list[str]]:
    return [[f"{name}.{weight}" for weight in layer] for layer in layers]


def _is_under(prefix: str, name: str) -> bool:
    return f"{name}.".startswith(f"{prefix}.")
