"""Data-parallel training of players that take turns."""

from __future__ import annotations

import atexit
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning.pytorch.strategies import DDPStrategy, Strategy
from torch import Tensor, distributed, nn
from torch.optim import Optimizer

from gan_lightning.trainer.internals import ddp_options, foreach_copy_
from gan_lightning.trainer.layer_kinds import BATCH_NORMS
from gan_lightning.trainer.processes import rank_and_size
from gan_lightning.trainer.state_dict import plain


class AlternatingDDPStrategy(DDPStrategy):
    """Distributed data parallel for games: a player's gradients are averaged over the processes just before it moves.

    The weights of the first process are broadcast once, at the start. From then on one flat gradient is exchanged for
    each update, that of the player which moves: with accumulation once for all batches of the update. Losses are means
    over a process's batch, so the players move as one process would on all batches joined, but for what looks across a
    batch: BatchNorm's statistics in training, EBGAN's repelling term, a relativistic loss's mean, DRAGAN's spread.

    torch's own wrapper averages in every backward pass: it fails on players that take turns, unless it is told to
    look for unused parameters, and then it exchanges the gradients of both players each time.

    A run on several devices takes this strategy unless it asks for another; by its class it can be configured:
    ``Trainer(devices=2, strategy=AlternatingDDPStrategy(timeout=...))``.

    Attributes:
        bytes_averaged: Of gradients, that this process has given to be averaged so far.
    """

    bytes_averaged: int = 0

    def configure_ddp(self) -> None:
        assert self.model is not None
        synchronise(self.model)

    def optimizer_step(self, optimizer: Optimizer, closure: Callable[[], Any], model: Any = None, **kwargs: Any) -> Any:
        def averaged() -> Any:
            # Before the precision plugin unscales the gradients, and before the game clips them.
            result = closure()
            self._average_gradients(optimizer)
            return result

        return super().optimizer_step(optimizer, averaged, model, **kwargs)

    def _average_gradients(self, optimizer: Optimizer) -> None:
        weights = (weight for group in optimizer.param_groups for weight in group["params"])
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        average_over_processes(gradients)
        self.bytes_averaged += sum(gradient.numel() * gradient.element_size() for gradient in gradients)


def adopt(strategy: Strategy) -> None:
    """Make plain DDP alternate: it cannot train two players, and Lightning takes it unless told otherwise."""
    if type(strategy) is DDPStrategy and not ddp_options(strategy).get("find_unused_parameters"):
        strategy.__class__ = AlternatingDDPStrategy


def leave_group_at_exit() -> None:
    """Leave the process group before Python ends, whatever the strategy; it may be called any number of times.

    gloo's threads give back the tensors of the last exchange when they come to it. If the interpreter is gone by then,
    the process aborts (SIGABRT) after all its work is done. Lightning leaves NCCL's groups only.
    """
    if rank_and_size()[1] > 1:
        atexit.unregister(_leave)
        atexit.register(_leave)


def _leave() -> None:
    if distributed.is_initialized():
        distributed.destroy_process_group()


def lost_another(error: BaseException) -> bool:
    """Whether an error says that another process of the run is gone, or does not answer."""
    return isinstance(error, distributed.DistError) or "gloo/transport" in str(error)


def agree(module: nn.Module) -> None:
    """Make the buffers of a module the same in all processes; all of them must call this. One process: nothing.

    The statistics of BatchNorm become the mean over the processes, which have seen different images. Other buffers
    become those of the first process.
    """
    if rank_and_size()[1] == 1:
        return
    norms = [part for part in module.modules() if isinstance(part, BATCH_NORMS)]
    statistics = [value for norm in norms for value in (norm.running_mean, norm.running_var) if value is not None]
    average_over_processes(statistics)
    known = {id(value) for value in statistics}
    _broadcast(buffer for buffer in module.buffers() if id(buffer) not in known)


@contextmanager
def agreed(module: nn.Module) -> Iterator[None]:
    """Within it the buffers are the same in all processes, as by :func:`agree`; afterwards each has its own again."""
    own = [(buffer, buffer.clone()) for buffer in module.buffers()] if rank_and_size()[1] > 1 else []
    agree(module)
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in own:
                buffer.copy_(value)


def buffers_apart(module: nn.Module) -> list[dict[str, Tensor]]:
    """Of each process, its buffers that are not the same in all; all of them must call this. One process: none."""
    world_size = rank_and_size()[1]
    if world_size == 1:
        return [{}]
    everyone: list[dict[str, Tensor]] = [{}] * world_size
    distributed.all_gather_object(everyone, {plain(name): buffer.cpu() for name, buffer in module.named_buffers()})
    first = everyone[0]
    apart = {name for name in first if not all(torch.equal(first[name], other[name]) for other in everyone)}
    return [{name: other[name] for name in first if name in apart} for other in everyone]


@torch.no_grad()
def give_back(module: nn.Module, apart: list[dict[str, Tensor]]) -> None:
    """Give each process the buffers that it had in :func:`buffers_apart`, if there are as many processes as then."""
    rank, world_size = rank_and_size()
    if len(apart) == world_size:
        buffers = {plain(name): buffer for name, buffer in module.named_buffers()}
        for name, value in apart[rank].items():
            buffers[name].copy_(value)


def synchronise(module: nn.Module) -> None:
    """Give all processes the first one's parameters and buffers; all of them must call this."""
    _broadcast([*(parameter.detach() for parameter in module.parameters()), *module.buffers()])


@torch.no_grad()
def average_over_processes(tensors: Iterable[Tensor]) -> None:
    """Replace tensors by their mean over the processes, all at once. Every process gives as many, of the same shapes.

    Args:
        tensors: Of floats, changed in place.
    """
    world_size = rank_and_size()[1]

    def average(flat: Tensor) -> None:
        distributed.all_reduce(flat)
        flat.div_(world_size)

    if world_size > 1:
        _flatly(tensors, average)


def _broadcast(tensors: Iterable[Tensor]) -> None:
    _flatly(tensors, lambda flat: distributed.broadcast(flat, src=0))


@torch.no_grad()
def _flatly(tensors: Iterable[Tensor], exchange: Callable[[Tensor], Any]) -> None:
    """Exchange tensors as one flat tensor of each dtype, and put back what has become of them."""
    kinds: dict[torch.dtype, list[Tensor]] = defaultdict(list)
    for tensor in tensors:
        kinds[tensor.dtype].append(tensor)
    for alike in kinds.values():
        flat = torch.cat([tensor.reshape(-1) for tensor in alike])
        exchange(flat)
        parts = flat.split([tensor.numel() for tensor in alike])
        foreach_copy_(alike, [part.view(tensor.shape) for part, tensor in zip(parts, alike, strict=True)])
