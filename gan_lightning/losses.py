"""Adversarial losses: pure functions of the raw discriminator outputs (logits, before any sigmoid).

Notation of the docstrings: ``s_r`` and ``s_f`` are the outputs on real and on generated images, ``E`` is the
mean over every axis (the batch, and the patches where there are any), ``sp(t) = log(1 + exp(t))`` is the
softplus, so that ``-log sigmoid(s) = sp(-s)`` and ``-log(1 - sigmoid(s)) = sp(s)``.

Every function takes tensors of any shape, (N,), (N, 1) or (N, 1, h, w) alike, and returns named scalars to
minimise: the player's loss is their sum. The discriminators' also tell whoever listens how each image was judged.
"""

import math
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from gan_lightning.verdicts import judged

Terms: TypeAlias = dict[str, Tensor]
"""Named scalar terms of one player's loss, already weighted; the loss is their sum."""


def minimax_discriminator(real: Tensor, fake: Tensor, real_target: float = 1.0) -> Terms:
    """Discriminator's loss of the original game (Goodfellow et al., 2014, arXiv 1406.2661).

    ``L_D = -V(D, G) = E sp(-s_r) + E sp(s_f)``, the binary cross-entropy with real = 1 and fake = 0, without
    the factor 1/2 of the authors' code. It serves the non-saturating game as well: the two differ in the
    generator only.

    With ``a = real_target`` below 1 real images are not to be called real with certainty: one-sided label smoothing
    (Salimans et al., 2016, arXiv 1606.03498, section 3.4), ``a E sp(-s_r) + (1 - a) E sp(s_r)``. Fakes stay 0.

    Args:
        real: Logits on real images, any shape.
        fake: Logits on generated images, any shape.
        real_target: ``a``, the probability of being real that real images are to be given, in (0, 1].

    Returns:
        ``real`` and ``fake``, each in [0, inf).
    """
    judged(real, fake, boundary=0.0)
    cost = F.softplus(-real)
    if real_target != 1:
        cost = cost + (1 - real_target) * real  # sp(s) = sp(-s) + s
    return {"real": _mean(cost), "fake": _mean(F.softplus(fake))}


def minimax_generator(fake: Tensor) -> Terms:
    """Generator's loss of the minimax game, which saturates (Goodfellow et al., 2014, arXiv 1406.2661).

    ``L_G = E log(1 - D(G(z))) = -E sp(s_f)``. Its gradient vanishes where the discriminator is sure that an
    image is generated, which is where learning starts; ``non_saturating_generator`` is the paper's own
    remedy.

    Args:
        fake: Logits on generated images, any shape.

    Returns:
        ``adversarial``, in (-inf, 0].
    """
    return {"adversarial": -_mean(F.softplus(fake))}


def non_saturating_generator(fake: Tensor) -> Terms:
    """Generator's non-saturating loss (Goodfellow et al., 2014, arXiv 1406.2661, section 3).

    ``L_G = -E log D(G(z)) = E sp(-s_f)``.

    Args:
        fake: Logits on generated images, any shape.

    Returns:
        ``adversarial``, in [0, inf).
    """
    return {"adversarial": _mean(F.softplus(-fake))}


def least_squares_discriminator(
    real: Tensor, fake: Tensor, real_target: float = 1.0, fake_target: float = 0.0
) -> Terms:
    """Discriminator's least-squares loss (Mao et al., 2017, arXiv 1611.04076, equation 2).

    ``L_D = 1/2 E (s_r - b)^2 + 1/2 E (s_f - a)^2`` with the paper's ``b = real_target`` and
    ``a = fake_target``.

    Args:
        real: Outputs on real images, any shape.
        fake: Outputs on generated images, any shape.
        real_target: ``b``, what the discriminator should say of a real image.
        fake_target: ``a``, what it should say of a generated one; -1 gives the Pearson chi-squared game.

    Returns:
        ``real`` and ``fake``, each in [0, inf).
    """
    judged(real, fake, boundary=(real_target + fake_target) / 2)
    return {"real": _half_square(real - real_target), "fake": _half_square(fake - fake_target)}


def least_squares_generator(fake: Tensor, target: float = 1.0) -> Terms:
    """Generator's least-squares loss (Mao et al., 2017, arXiv 1611.04076, equation 2).

    ``L_G = 1/2 E (s_f - c)^2`` with the paper's ``c = target``.

    Args:
        fake: Outputs on generated images, any shape.
        target: ``c``: 1 beside ``(a, b) = (0, 1)``; 0 beside ``(-1, 1)``, the Pearson chi-squared game.

    Returns:
        ``adversarial``, in [0, inf).
    """
    return {"adversarial": _half_square(fake - target)}


def wasserstein_discriminator(real: Tensor, fake: Tensor) -> Terms:
    """Critic's loss (Arjovsky et al., 2017, arXiv 1701.07875).

    ``L_D = E s_f - E s_r``: for a 1-Lipschitz critic, minus its estimate of the Wasserstein-1 distance. The
    sign is the paper's; the authors' code has the opposite one in both players.

    Args:
        real: Scores of real images, any shape.
        fake: Scores of generated images, any shape.

    Returns:
        ``real`` and ``fake``, each unbounded.
    """
    judged(real, fake)
    return {"real": -_mean(real), "fake": _mean(fake)}


def wasserstein_generator(fake: Tensor) -> Terms:
    """Generator's loss against a critic (Arjovsky et al., 2017, arXiv 1701.07875).

    ``L_G = -E s_f``.

    Args:
        fake: Scores of generated images, any shape.

    Returns:
        ``adversarial``, unbounded.
    """
    return {"adversarial": -_mean(fake)}


def hinge_discriminator(real: Tensor, fake: Tensor) -> Terms:
    """Discriminator's hinge loss (Lim, Ye, 2017, arXiv 1705.02894; Miyato et al., 2018, arXiv 1802.05957).

    ``L_D = E max(0, 1 - s_r) + E max(0, 1 + s_f)``: outputs beyond the margin of 1 cost nothing.

    Args:
        real: Outputs on real images, any shape.
        fake: Outputs on generated images, any shape.

    Returns:
        ``real`` and ``fake``, each in [0, inf).
    """
    judged(real, fake, boundary=0.0)
    return {"real": _mean(F.relu(1 - real)), "fake": _mean(F.relu(1 + fake))}


def hinge_generator(fake: Tensor) -> Terms:
    """Generator's loss beside ``hinge_discriminator`` (Miyato et al., 2018, arXiv 1802.05957).

    ``L_G = -E s_f``, without a hinge.

    Args:
        fake: Outputs on generated images, any shape.

    Returns:
        ``adversarial``, unbounded.
    """
    return {"adversarial": -_mean(fake)}


def energy_discriminator(real: Tensor, fake: Tensor, margin: float = 10.0) -> Terms:
    """Discriminator's loss of the energy-based game (Zhao, Mathieu, LeCun, 2017, arXiv 1609.03126, equation 1).

    ``L_D = E D(x) + E max(0, m - D(G(z)))``, the hinge on each image by itself.

    Args:
        real: Energies of real images, at least 0, any shape.
        fake: Energies of generated images.
        margin: m, the energy beyond which a generated image costs nothing; 10 in the paper's MNIST experiments.

    Returns:
        ``real`` and ``fake``, each in [0, inf).
    """
    judged(real, fake, real_is_higher=False)
    return {"real": _mean(real), "fake": _mean(F.relu(margin - fake))}


def energy_generator(fake: Tensor) -> Terms:
    """Generator's loss of the energy-based game (Zhao, Mathieu, LeCun, 2017, arXiv 1609.03126, equation 2).

    ``L_G = E D(G(z))``.

    Args:
        fake: Energies of generated images, any shape.

    Returns:
        ``adversarial``, in [0, inf).
    """
    return {"adversarial": _mean(fake)}


def energy_balance_discriminator(real: Tensor, fake: Tensor, k: Tensor) -> Terms:
    """Discriminator's loss of the boundary equilibrium game (Berthelot et al., 2017, arXiv 1703.10717, section 3.4).

    ``L_D = L(x) - k_t L(G(z))``. The generator's is that of :func:`energy_generator`.

    Args:
        real: L(x), energies of real images, at least 0, any shape.
        fake: L(G(z)), energies of generated images.
        k: How much of the discriminator's attention goes to the generated images, a scalar in [0, 1].

    Returns:
        ``real`` in [0, inf) and ``fake`` in (-inf, 0].
    """
    judged(real, fake, real_is_higher=False)
    return {"real": _mean(real), "fake": -k * _mean(fake)}


def next_balance(k: Tensor, real: Tensor, fake: Tensor, gamma: float, rate: float) -> Tensor:
    """The control of the boundary equilibrium game (Berthelot et al., 2017, arXiv 1703.10717, section 3.4).

    ``k_{t+1} = k_t + rate (gamma L(x) - L(G(z)))``, kept within [0, 1].

    Args:
        k: k_t, a scalar.
        real: L(x), the mean energy of real images, a scalar.
        fake: L(G(z)), the mean energy of generated images, a scalar.
        gamma: The ratio L(G(z)) / L(x) to be held; the lower, the better and the less varied the images.
        rate: lambda_k of the paper, how fast k follows.

    Returns:
        k_{t+1}, a scalar in [0, 1].
    """
    return (k + rate * (gamma * real - fake)).clamp(0, 1)


def convergence(real: Tensor, fake: Tensor, gamma: float) -> Tensor:
    """The measure of convergence of BEGAN (Berthelot et al., 2017, arXiv 1703.10717, section 3.4.1).

    ``M = L(x) + |gamma L(x) - L(G(z))|``, which falls as the images become better and the players balanced.

    Args:
        real: L(x), the mean energy of real images, a scalar.
        fake: L(G(z)), the mean energy of generated images, a scalar.
        gamma: The ratio L(G(z)) / L(x) to be held.

    Returns:
        A scalar in [0, inf).
    """
    return real + (gamma * real - fake).abs()


def pulling_away(codes: Tensor) -> Tensor:
    """The repelling regulariser of EBGAN (Zhao, Mathieu, LeCun, 2017, arXiv 1609.03126, equation 4).

    ``1 / (N (N - 1)) sum_{i != j} cos^2(S_i, S_j)``: the mean squared cosine between the codes of two images.

    Args:
        codes: S, N x ..., N at least 2.

    Returns:
        A scalar in [0, 1].

    Raises:
        ValueError: There is one code only.
    """
    n = len(codes)
    if n < 2:
        raise ValueError("pulling_away compares the images of a batch, so a batch needs 2 at least: raise batch_size.")
    unit = F.normalize(codes.flatten(1).to(torch.promote_types(codes.dtype, torch.float32)), dim=1)
    squares = (unit @ unit.T).square()
    return (squares.sum() - squares.diagonal().sum()) / (n * (n - 1))


def relativistic(own: Tensor, other: Tensor) -> Tensor:
    """RSGAN: an image is to look more real than another (Jolicoeur-Martineau, 2019, arXiv 1807.00734, section 4).

    ``E sp(-(s - s'))`` over the pairs of a batch. The discriminator's own images are the real ones, and the generator's
    the fakes: here and in the three forms below, one player's loss is the other's with the roles exchanged.

    Args:
        own: s, logits on the images that are to look more real, any shape.
        other: s', logits on the others, of the same shape.

    Returns:
        A scalar in [0, inf); log 2 where all logits are equal.

    Raises:
        ValueError: The shapes differ, which would pair every image with every other.
    """
    if own.shape != other.shape:
        raise ValueError(
            f"relativistic compares images pair by pair, so the shapes of the logits must agree: got "
            f"{tuple(own.shape)} and {tuple(other.shape)}."
        )
    return _mean(F.softplus(other - own))


def relativistic_average(own: Tensor, other: Tensor) -> Tensor:
    """RaSGAN: an image is to look more real than the mean of the others (Jolicoeur-Martineau, 2019, arXiv 1807.00734).

    ``1/2 E sp(-(s - E s')) + 1/2 E sp(s' - E s)``. The factors 1/2, here and in the forms below, are the author's
    code's. The means carry a gradient.

    Args:
        own: s, logits on the images that are to look more real, any shape.
        other: s', logits on the others, any shape.

    Returns:
        A scalar in [0, inf); log 2 where all logits are equal.
    """
    return 0.5 * (_mean(F.softplus(_mean(other) - own)) + _mean(F.softplus(other - _mean(own))))


def relativistic_average_least_squares(own: Tensor, other: Tensor) -> Tensor:
    """RaLSGAN: as :func:`relativistic_average`, in squares (Jolicoeur-Martineau, 2019, arXiv 1807.00734).

    ``1/2 E (s - E s' - 1)^2 + 1/2 E (s' - E s + 1)^2``.

    Args:
        own: s, outputs on the images that are to look more real, any shape.
        other: s', outputs on the others, any shape.

    Returns:
        A scalar in [0, inf); 1 where all outputs are equal.
    """
    return _half_square(own - _mean(other) - 1) + _half_square(other - _mean(own) + 1)


def relativistic_average_hinge(own: Tensor, other: Tensor) -> Tensor:
    """RaHingeGAN: as :func:`relativistic_average`, with a hinge (Jolicoeur-Martineau, 2019, arXiv 1807.00734).

    ``1/2 E max(0, 1 - (s - E s')) + 1/2 E max(0, 1 + (s' - E s))``.

    Args:
        own: s, outputs on the images that are to look more real, any shape.
        other: s', outputs on the others, any shape.

    Returns:
        A scalar in [0, inf); 1 where all outputs are equal.
    """
    return 0.5 * (_mean(F.relu(1 - (own - _mean(other)))) + _mean(F.relu(1 + (other - _mean(own)))))


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
    return 0.5 * _mean(terms.sum(dim=1))


def _half_square(error: Tensor) -> Tensor:
    return 0.5 * _mean(error.square())


def _mean(values: Tensor) -> Tensor:
    # Critic scores in bfloat16 have three digits: the difference of two such means would be mostly rounding.
    return values.mean(dtype=torch.promote_types(values.dtype, torch.float32))
