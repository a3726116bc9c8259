"""Auxiliary losses: feature matching, the likelihood of a continuous code."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from gan_lightning.losses.terms import batch_mean


def feature_matching(real: Tensor, fake: Tensor) -> Tensor:
    """Squared distance between mean features of real and generated images (Salimans et al., 2016, arXiv 1606.03498).

    ``||E f(x) - E f(G(z))||^2``, section 3.1.

    Args:
        real: f(x), N x A.
        fake: f(G(z)), M x A.

    Returns:
        A scalar, at least 0.
    """
    # The means in float32: in bfloat16 their difference would be mostly rounding.
    dtype = torch.promote_types(fake.dtype, torch.float32)
    return (real.mean(dim=0, dtype=dtype) - fake.mean(dim=0, dtype=dtype)).square().sum()


def feature_map_distance(real: Sequence[Sequence[Tensor]], fake: Sequence[Sequence[Tensor]]) -> Tensor:
    """Distance of maps, summed over discriminators and layers (Kong et al., 2020, arXiv 2010.05646, equation 4).

    ``sum_k sum_i E |D_k^i(x) - D_k^i(G(s))|``, each mean over the batch and all elements of a map.

    Args:
        real: Maps of each discriminator of real sounds, any shapes.
        fake: Of generated ones, of the same shapes.

    Returns:
        A scalar, at least 0.
    """
    pairs = [pair for maps in zip(real, fake, strict=True) for pair in zip(*maps, strict=True)]
    return torch.stack([(one - other).abs().mean() for one, other in pairs]).sum()


def gaussian_nll(value: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Negative log-likelihood of values under independent normal distributions: InfoGAN's continuous codes.

    ``E sum_k 1/2 (log(2 pi) + log v_k + (c_k - m_k)^2 / v_k)`` (Chen et al., 2016, arXiv 1606.03657).

    Args:
        value: c, N x K.
        mean: m, N x K.
        log_variance: log v, N x K.

    Returns:
        A scalar: summed over K, the mean over N.
    """
    # N x K; the variance as exp of a logarithm is always positive.
    terms = math.log(2 * math.pi) + log_variance + (value - mean).square() / log_variance.exp()
    # Summed over codes, averaged over images: every further code adds information.
    return 0.5 * batch_mean(terms.sum(dim=1))
