"""Clipping of a critic's weights."""

import torch
from torch import nn


@torch.no_grad()
def clip_weights(module: nn.Module, limit: float) -> None:
    """Clip every parameter to [-limit, limit] (WGAN, Arjovsky et al., 2017, arXiv 1701.07875, algorithm 1).

    Norm scales and offsets are clipped as well, as in the authors' code; buffers and frozen weights are not.

    Args:
        module: The critic, changed in place.
        limit: The paper's ``c``, 0.01 there.
    """
    # After every update of the critic: see WGAN.after_discriminator_update.
    for parameter in module.parameters():
        if parameter.requires_grad:
            parameter.clamp_(-limit, limit)
