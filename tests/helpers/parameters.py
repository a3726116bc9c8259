"""Counting the weights of networks of their full size, which are made without memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import torch
from torch import nn
from torch.nn.utils import parametrizations


def n_parameters(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


@contextmanager
def without_memory() -> Iterator[None]:
    """Make networks on torch's meta device, whose weights have shapes and no numbers.

    Nor have they spectral norms, which add no weights: the first power iterations of large networks take seconds, there
    as well, as does the decomposition for orthogonal initial weights.
    """
    orthogonal = mock.patch.object(nn.init, "orthogonal_", lambda weight: weight)
    spectral = mock.patch.object(parametrizations, "spectral_norm", lambda layer: layer)
    with torch.device("meta"), orthogonal, spectral:
        yield
