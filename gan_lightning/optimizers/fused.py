"""When torch's fused Adam kernel may take a step: it does not check what it relies on."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

_CHOICES = ("fused", "foreach", "capturable", "differentiable")


@contextmanager
def fused_where_safe(optimizer: torch.optim.Adam) -> Iterator[None]:
    """Let the groups of an Adam optimiser be moved by the fused CPU kernel within, where that is safe.

    The kernel goes through weight, gradient and moments side by side in memory, and takes no notice of their strides:
    of tensors laid out differently, or with gaps, it would move weights by other weights' moments, without an error. So
    the layouts are compared in every step, and a group in which any do not agree is moved as torch does by itself. A
    group keeps its own choice of kernel, and what is stored in checkpoints does not change.
    """
    groups = [group for group in optimizer.param_groups if _may_be_fused(group, optimizer.state)]
    for group in groups:
        group["fused"] = True
    try:
        yield
    finally:
        for group in groups:
            group["fused"] = None


def _may_be_fused(group: dict[str, Any], states: Mapping[Tensor, dict[str, Any]]) -> bool:
    # The user's own choice of a kernel is respected.
    if any(group[choice] for choice in _CHOICES) or group["fused"] is False or group["foreach"] is False:
        return False
    moving = [weight for weight in group["params"] if weight.grad is not None]
    return all(_is_safe(weight, states.get(weight, {})) for weight in moving)


def _is_safe(weight: Tensor, state: dict[str, Any]) -> bool:
    """Whether the tensors of a weight lie in one order in memory, without gaps, on the CPU and in one dtype."""
    if weight.dtype not in (torch.float32, torch.float64) or not weight.is_cpu:
        return False
    # A state that does not exist yet is made in the layout of its weight.
    moments = [value for name, value in state.items() if name.endswith(("exp_avg", "exp_avg_sq"))]
    others = [weight.grad, *moments]
    if any(one.layout != torch.strided or one.dtype != weight.dtype or not one.is_cpu for one in others):
        return False
    together = [weight, *others]
    return all(one.is_contiguous() for one in together) or (
        weight.ndim == 4 and all(one.is_contiguous(memory_format=torch.channels_last) for one in together)
    )
