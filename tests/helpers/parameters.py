"""Counting the weights of networks of their full size, which are made without memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import torch
from torch import nn


def n_parameters(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


@contextmanager
def without_memory() -> Iterator[None]:
    """Make networks on torch's meta device, whose weights have shapes and no numbers."""
    with torch.device("meta"), mock.patch.object(nn.init, "orthogonal_", lambda weight: weight):  # slow there too
        yield
