"""Relativistic losses: how much more real one image looks than another.

Notation of the docstrings: ``s_r`` and ``s_f`` are the outputs on real and on generated images, ``E`` is the mean over
every axis (the batch, and the patches where there are any), ``sp(t) = log(1 + exp(t))`` is the softplus.
"""

import torch.nn.functional as F
from torch import Tensor

from gan_lightning.losses.terms import batch_mean, half_square


def relativistic(own: Tensor, other: Tensor) -> Tensor:
    """RSGAN: each image is compared with another (Jolicoeur-Martineau, 2019, arXiv 1807.00734, section 4).

    ``E sp(-(s - s'))`` over the pairs of a batch. For the discriminator, ``own`` are the real images; for the
    generator, the fakes. The three functions below have the same symmetry.

    Args:
        own: s, logits on the images that are to look more real, any shape.
        other: s', logits on the others, of the same shape.

    Returns:
        A scalar in [0, inf); log 2 where all logits are equal.

    Raises:
        ValueError: The shapes differ, which would pair every image with every other.
    """
    # (N,) against (N, 1) would broadcast to N x N.
    if own.shape != other.shape:
        raise ValueError(
            f"relativistic compares images pair by pair, so the shapes of the logits must agree: got "
            f"{tuple(own.shape)} and {tuple(other.shape)}."
        )
    # -log sigmoid(s - s'): the probability that one image is more real than the other.
    return batch_mean(F.softplus(other - own))


def relativistic_average(own: Tensor, other: Tensor) -> Tensor:
    """RaSGAN: each image is compared with the mean of the others (Jolicoeur-Martineau, 2019, arXiv 1807.00734).

    ``1/2 E sp(-(s - E s')) + 1/2 E sp(s' - E s)``. The factors 1/2, here and below, are those of the author's
    code. The means carry a gradient.

    Args:
        own: s, logits on the images that are to look more real, any shape.
        other: s', logits on the others, any shape.

    Returns:
        A scalar in [0, inf); log 2 where all logits are equal.
    """
    # Not detached: the mean of the others is part of what each player can change.
    return 0.5 * (batch_mean(F.softplus(batch_mean(other) - own)) + batch_mean(F.softplus(other - batch_mean(own))))


def relativistic_average_least_squares(own: Tensor, other: Tensor) -> Tensor:
    """RaLSGAN: as :func:`relativistic_average`, in squares (Jolicoeur-Martineau, 2019, arXiv 1807.00734).

    ``1/2 E (s - E s' - 1)^2 + 1/2 E (s' - E s + 1)^2``.

    Args:
        own: s, outputs on the images that are to look more real, any shape.
        other: s', outputs on the others, any shape.

    Returns:
        A scalar in [0, inf); 1 where all outputs are equal.
    """
    return half_square(own - batch_mean(other) - 1) + half_square(other - batch_mean(own) + 1)


def relativistic_average_hinge(own: Tensor, other: Tensor) -> Tensor:
    """RaHingeGAN: as :func:`relativistic_average`, with a hinge (Jolicoeur-Martineau, 2019, arXiv 1807.00734).

    ``1/2 E max(0, 1 - (s - E s')) + 1/2 E max(0, 1 + (s' - E s))``.

    Args:
        own: s, outputs on the images that are to look more real, any shape.
        other: s', outputs on the others, any shape.

    Returns:
        A scalar in [0, inf); 1 where all outputs are equal.
    """
    return 0.5 * (batch_mean(F.relu(1 - (own - batch_mean(other)))) + batch_mean(F.relu(1 + (other - batch_mean(own)))))
