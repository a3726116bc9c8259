"""Losses beside the adversarial one: feature matching, the likelihood of a code."""

import math

import torch
from torch import Tensor

from gan_lightning.losses.terms import batch_mean


def feature_matching(real: Tensor, fake: Tensor) -> Tensor:
    """How far apart the mean features of real and of generated images are (Salimans et al., 2016, arXiv 1606.03498).

    ``||E f(x) - E f(G(z))||^2``, section 3.1.

    Args:
        real: f(x), N x A.
        fake: f(G(z)), M x A.

    Returns:
        A scalar, at least 0.
    """
    dtype = torch.promote_types(fake.dtype, torch.float32)
    return (real.mean(dim=0, dtype=dtype) - fake.mean(dim=0, dtype=dtype)).square().sum()


def gaussian_nll(value: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Minus the log-density of values under independent normal distributions: InfoGAN's continuous codes.

    ``E sum_k 1/2 (log(2 pi) + log v_k + (c_k - m_k)^2 / v_k)`` (Chen et al., 2016, arXiv 1606.03657).

    Args:
        value: c, N x K.
        mean: m, N x K.
        log_variance: log v, N x K.

    Returns:
        A scalar: summed over K, the mean over N.
    """
    terms = math.log(2 * math.pi) + log_variance + (value - mean).square() / log_variance.exp()
    return 0.5 * batch_mean(terms.sum(dim=1))
