"""Weights, gradients and buffers of a module averaged, broadcast and collected over the ranks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, distributed, nn

from gan_lightning.trainer.internals import foreach_copy_
from gan_lightning.trainer.layer_kinds import BATCH_NORMS
from gan_lightning.trainer.processes import rank_and_size
from gan_lightning.trainer.state_dict import uncompiled_name


def synchronise_buffers(module: nn.Module) -> None:
    """Make the buffers of a module equal on all ranks. Collective; no effect on one rank.

    BatchNorm's running statistics become their mean over the ranks, which have seen different images. Other buffers
    become those of rank 0.
    """
    if rank_and_size()[1] == 1:
        return
    norms = [part for part in module.modules() if isinstance(part, BATCH_NORMS)]
    statistics = [value for norm in norms for value in (norm.running_mean, norm.running_var) if value is not None]
    average_over_processes(statistics)
    known = {id(value) for value in statistics}
    # Counts and spectral norm's vectors have no meaningful mean.
    _broadcast(buffer for buffer in module.buffers() if id(buffer) not in known)


@contextmanager
def synchronised_buffers(module: nn.Module) -> Iterator[None]:
    """Keep buffers equal on all ranks within the context, then restore each rank's own. Collective."""
    own = [(buffer, buffer.clone()) for buffer in module.buffers()] if rank_and_size()[1] > 1 else []
    synchronise_buffers(module)
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in own:
                buffer.copy_(value)


def buffers_of_ranks(module: nn.Module) -> list[dict[str, Tensor]]:
    """Collect the buffers whose values differ between ranks, one dictionary a rank. Collective; empty on one rank."""
    world_size = rank_and_size()[1]
    if world_size == 1:
        return [{}]
    everyone: list[dict[str, Tensor]] = [{}] * world_size
    distributed.all_gather_object(
        # On the CPU: a pickled CUDA tensor would be restored on the sender's device by every rank.
        everyone,
        {uncompiled_name(name): buffer.cpu() for name, buffer in module.named_buffers()},
    )
    first = everyone[0]
    apart = {name for name in first if not all(torch.equal(first[name], other[name]) for other in everyone)}
    return [{name: other[name] for name in first if name in apart} for other in everyone]


@torch.no_grad()
def restore_buffers(module: nn.Module, apart: list[dict[str, Tensor]]) -> None:
    """Restore the buffers of each rank from :func:`buffers_of_ranks`, if the number of ranks is unchanged."""
    rank, world_size = rank_and_size()
    # With another number of ranks the mean stays, which the state dict has.
    if len(apart) == world_size:
        buffers = {uncompiled_name(name): buffer for name, buffer in module.named_buffers()}
        for name, value in apart[rank].items():
            buffers[name].copy_(value)


def broadcast_module(module: nn.Module) -> None:
    """Broadcast rank 0's parameters and buffers to all ranks. Collective."""
    _broadcast([*(parameter.detach() for parameter in module.parameters()), *module.buffers()])


@torch.no_grad()
def average_over_processes(tensors: Iterable[Tensor]) -> None:
    """Replace tensors by their mean over the ranks, with one all-reduce for each dtype. Collective.

    Args:
        tensors: Floating-point, changed in place; of the same number and shapes on every rank.
    """
    world_size = rank_and_size()[1]

    def average(flat: Tensor) -> None:
        # The sum, then a division: gloo knows no mean.
        distributed.all_reduce(flat)
        flat.div_(world_size)

    if world_size > 1:
        _exchange_flat(tensors, average)


def _broadcast(tensors: Iterable[Tensor]) -> None:
    _exchange_flat(tensors, lambda flat: distributed.broadcast(flat, src=0))


@torch.no_grad()
def _exchange_flat(tensors: Iterable[Tensor], exchange: Callable[[Tensor], Any]) -> None:
    """Apply a collective to one flat tensor of each dtype, and copy the result back."""
    kinds: dict[torch.dtype, list[Tensor]] = defaultdict(list)
    for tensor in tensors:
        kinds[tensor.dtype].append(tensor)
    for alike in kinds.values():
        # One message of each dtype, not one of each tensor: small ones cost their latency. reshape(-1) reads in logical
        # order, so ranks agree whatever the memory format of their weights.
        flat = torch.cat([tensor.reshape(-1) for tensor in alike])
        exchange(flat)
        parts = flat.split([tensor.numel() for tensor in alike])
        foreach_copy_(alike, [part.view(tensor.shape) for part, tensor in zip(parts, alike, strict=True)])
