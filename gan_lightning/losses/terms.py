"""The return type of losses, and the means that they share."""

from typing import TypeAlias

import torch
from torch import Tensor

Terms: TypeAlias = dict[str, Tensor]
"""Named scalar terms of one player's loss, already weighted; the loss is their sum."""


def batch_mean(values: Tensor) -> Tensor:
    """Mean over every axis, in float32 at least: a scalar."""
    # Critic scores in bfloat16 have three digits: the difference of two such means would be mostly rounding.
    return values.mean(dtype=torch.promote_types(values.dtype, torch.float32))


def half_square(error: Tensor) -> Tensor:
    """Half the mean square over every axis, ``1/2 E e^2``: a scalar."""
    return 0.5 * batch_mean(error.square())
