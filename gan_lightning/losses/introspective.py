"""Losses of a discriminator of three classes: real images, reconstructions, samples (IAN)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from gan_lightning.losses.accuracy import ACCURACIES
from gan_lightning.losses.reported import is_wanted, report
from gan_lightning.losses.terms import Terms, batch_mean

REAL, RECONSTRUCTION, SAMPLE = range(3)
"""Classes by the places of their logits."""


def ternary_discriminator(real: Tensor, reconstruction: Tensor, sample: Tensor) -> Terms:
    """Discriminator's loss of three classes (Brock et al., 2017, arXiv 1609.07093, section 3.1).

    ``L_D = -E log D_real(x) - E log D_rec(x') - E log D_sample(G(z))`` with ``D = softmax(s)``. Reported: how often
    real images, and how often the two kinds of made ones, are given their class.

    Args:
        real: Logits of real images, N x 3 in the order real, reconstruction, sample.
        reconstruction: Those of reconstructions x'.
        sample: Those of samples.

    Returns:
        ``real``, ``reconstruction`` and ``sample``, each in [0, inf).
    """
    judged = {"real": (real, REAL), "reconstruction": (reconstruction, RECONSTRUCTION), "sample": (sample, SAMPLE)}
    if is_wanted(*ACCURACIES):
        right = {name: (logits.detach().argmax(dim=1) == own).float() for name, (logits, own) in judged.items()}
        report(ACCURACIES[0], right["real"].mean())
        report(ACCURACIES[1], torch.cat([right["reconstruction"], right["sample"]]).mean())
    return {name: _cross_entropy(logits, own) for name, (logits, own) in judged.items()}


def ternary_generator(reconstruction: Tensor, sample: Tensor) -> Terms:
    """Loss beside ``ternary_discriminator``, ``-E log D_real(x') - E log D_real(G(z))``: both are to be real.

    Args:
        reconstruction: Logits of reconstructions, N x 3.
        sample: Those of samples.

    Returns:
        ``reconstruction`` and ``adversarial``, each in [0, inf).
    """
    return {
        "reconstruction": _cross_entropy(reconstruction, REAL),
        "adversarial": _cross_entropy(sample, REAL),
    }


def map_distance(made: Sequence[Tensor], given: Sequence[Tensor]) -> Tensor:
    """Mean squared difference of feature maps, each map with the same weight: ``1/L sum_l E (f_l(x') - f_l(x))^2``.

    Args:
        made: L maps of some images, N x ... each.
        given: Those of others.

    Returns:
        A scalar, at least 0.
    """
    squares = [batch_mean((one - other).square()) for one, other in zip(made, given, strict=True)]
    return torch.stack(squares).mean()


def _cross_entropy(logits: Tensor, own: int) -> Tensor:
    """``-E log softmax(s)_own``, in float32 at least."""
    logarithms = F.log_softmax(logits, dim=1, dtype=torch.promote_types(logits.dtype, torch.float32))
    return -logarithms[:, own].mean()
