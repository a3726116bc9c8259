"""Data-parallel training of two players that are updated in turn."""

from __future__ import annotations

import atexit
from collections.abc import Callable
from typing import Any

from lightning.pytorch.strategies import DDPStrategy, Strategy
from torch import distributed
from torch.optim import Optimizer

from gan_lightning.trainer.collectives import average_over_processes as average_over_processes
from gan_lightning.trainer.collectives import broadcast_module
from gan_lightning.trainer.internals import change_class, ddp_options
from gan_lightning.trainer.processes import rank_and_size


class AlternatingDDPStrategy(DDPStrategy):
    """Distributed data parallel for GANs: a player's gradients are averaged over the ranks just before its update.

    The weights of rank 0 are broadcast once, at the start. Each update then all-reduces one flat gradient, that of the
    player which is updated; with accumulation, once for all batches of the update. Losses are means over a rank's
    batch, so an update equals that of one process on the joined batch, except for terms across a batch: BatchNorm's
    statistics in training, EBGAN's repelling term, a relativistic loss's mean, DRAGAN's standard deviation.

    torch's own wrapper all-reduces in every backward pass: it fails on alternating players without
    ``find_unused_parameters``, and with it exchanges the gradients of both players each time.

    It is the default of a run on several devices. To configure it:
    ``Trainer(devices=2, strategy=AlternatingDDPStrategy(timeout=...))``.

    Attributes:
        bytes_averaged: Bytes of gradients that this rank has all-reduced so far.
    """

    bytes_averaged: int = 0

    def configure_ddp(self) -> None:
        assert self.model is not None
        # Lightning would wrap the module here. Unwrapped, its backward passes exchange nothing.
        broadcast_module(self.model)

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


def use_alternating_ddp(strategy: Strategy) -> None:
    """Turn plain DDP, Lightning's default, into :class:`AlternatingDDPStrategy`: it cannot train two players."""
    # Not isinstance: a strategy of one's own, or asking for unused parameters, is a choice that stays.
    if type(strategy) is DDPStrategy and not ddp_options(strategy).get("find_unused_parameters"):
        change_class(strategy, AlternatingDDPStrategy)


def leave_group_at_exit() -> None:
    """Destroy the process group before the interpreter exits, whatever the strategy. Idempotent.

    gloo's threads free the tensors of the last collective late. If the interpreter is gone by then, the process aborts
    (SIGABRT) after all its work is done. Lightning destroys NCCL's groups only.
    """
    if rank_and_size()[1] > 1:
        # Once, however many trainers a process has.
        atexit.unregister(_leave_group)
        atexit.register(_leave_group)


def _leave_group() -> None:
    if distributed.is_initialized():
        distributed.destroy_process_group()


def is_lost_process(error: BaseException) -> bool:
    """Whether an error says that another rank has exited or does not respond."""
    # gloo raises a plain RuntimeError, which only its text tells from others.
    return isinstance(error, distributed.DistError) or "gloo/transport" in str(error)
