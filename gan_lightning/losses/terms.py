"""The return type of losses, and the means that they share."""

from collections.abc import Callable
from typing import Any, TypeAlias

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


def summed(terms: Terms, loss: Callable[..., Any]) -> Tensor:
    """Sum the terms that a loss returned: a scalar.

    Args:
        terms: At least one.
        loss: The function that returned them, for messages.

    Raises:
        TypeError: It returned no dictionary, or an empty one.
        ValueError: A term is no scalar.
    """
    # A bare tensor, the commonest mistake of a new variant, would fail far from here.
    if not isinstance(terms, dict) or not terms:
        what = "an empty dict" if terms == {} else type(terms).__name__
        raise TypeError(f"{loss.__qualname__} returned {what}: it must return named scalars.")
    for name, term in terms.items():
        if term.ndim > 0:
            raise ValueError(f"{loss.__qualname__}: {name!r} has the shape {tuple(term.shape)}, and must be a scalar.")
    # One kernel for the sum of several terms.
    first, *others = terms.values()
    return torch.stack([first, *others]).sum() if others else first
