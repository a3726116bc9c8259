"""Tokens, or mixtures of them, as vectors."""

import torch.nn.functional as F
from torch import Tensor


def embedded(tokens: Tensor, weight: Tensor) -> Tensor:
    """Vectors of tokens, ... x E.

    Args:
        tokens: Numbers, of any shape, or one-hot or relaxed vectors, ... x V, through which a gradient passes.
        weight: The vectors of all tokens, V x E.
    """
    return tokens @ weight if tokens.is_floating_point() else F.embedding(tokens, weight)
