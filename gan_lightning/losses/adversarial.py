"""Adversarial losses: pure functions of the raw discriminator outputs (logits, before any sigmoid).

Notation of the docstrings: ``s_r`` and ``s_f`` are the outputs on real and on generated images, ``E`` is the
mean over every axis (the batch, and the patches where there are any), ``sp(t) = log(1 + exp(t))`` is the
softplus, so that ``-log sigmoid(s) = sp(-s)`` and ``-log(1 - sigmoid(s)) = sp(s)``.

Every function takes tensors of any shape, (N,), (N, 1) or (N, 1, h, w) alike, and returns named scalars to
minimise: the player's loss is their sum. The discriminators' losses also report accuracies, see ``losses/accuracy.py``.
"""

import torch.nn.functional as F
from torch import Tensor

from gan_lightning.losses.accuracy import report_accuracies
from gan_lightning.losses.terms import Terms, batch_mean, half_square


def minimax_discriminator(real: Tensor, fake: Tensor, real_target: float = 1.0) -> Terms:
    """Discriminator's loss of the original game (Goodfellow et al., 2014, arXiv 1406.2661).

    ``L_D = -V(D, G) = E sp(-s_r) + E sp(s_f)``, the binary cross-entropy with real = 1 and fake = 0, without
    the factor 1/2 of the authors' code. The non-saturating game has the same discriminator's loss.

    ``a = real_target`` below 1 is one-sided label smoothing (Salimans et al., 2016, arXiv 1606.03498, section 3.4):
    ``a E sp(-s_r) + (1 - a) E sp(s_r)`` on real images; the target of fakes stays 0.

    Args:
        real: Logits on real images, any shape.
        fake: Logits on generated images, any shape.
        real_target: ``a``, the target probability of real images, in (0, 1].

    Returns:
        ``real`` and ``fake``, each in [0, inf).
    """
    report_accuracies(real, fake, boundary=0.0)  # D = 1/2 at a logit of 0
    # On logits: the logarithm of a sigmoid is -inf where that rounds to 0.
    cost = F.softplus(-real)  # -log D(x)
    if real_target != 1:
        cost = cost + (1 - real_target) * real  # sp(s) = sp(-s) + s
    return {"real": batch_mean(cost), "fake": batch_mean(F.softplus(fake))}


def minimax_generator(fake: Tensor) -> Terms:
    """Generator's loss of the minimax game, which saturates (Goodfellow et al., 2014, arXiv 1406.2661).

    ``L_G = E log(1 - D(G(z))) = -E sp(s_f)``. Its gradient vanishes where the discriminator recognises fakes with
    certainty, as it does early in training; ``non_saturating_generator`` is the paper's own remedy.

    Args:
        fake: Logits on generated images, any shape.

    Returns:
        ``adversarial``, in (-inf, 0].
    """
    # log(1 - sigmoid(s)) = -sp(s), with the slope -sigmoid(s): nearly 0 for a fake that D rejects.
    return {"adversarial": -batch_mean(F.softplus(fake))}


def non_saturating_generator(fake: Tensor) -> Terms:
    """Generator's non-saturating loss (Goodfellow et al., 2014, arXiv 1406.2661, section 3).

    ``L_G = -E log D(G(z)) = E sp(-s_f)``.

    Args:
        fake: Logits on generated images, any shape.

    Returns:
        ``adversarial``, in [0, inf).
    """
    return {"adversarial": batch_mean(F.softplus(-fake))}


def maximum_likelihood_generator(fake: Tensor) -> Terms:
    """Generator's maximum-likelihood loss (Goodfellow, 2014, arXiv 1412.6515; 2016, arXiv 1701.00160, section 3.2.4).

    ``L_G = -1/2 E exp(s_f)``. Against the optimal discriminator ``exp(s_f) = p_data / p_G``: each sample is weighted by
    how much rarer it is than in the data, and the gradient is half that of ``KL(p_data || p_G)``.

    Args:
        fake: Logits on generated images, any shape.

    Returns:
        ``adversarial``, in (-inf, 0].
    """
    # Nearly all of the mean comes from the few samples that D takes for real: its variance is large. From a logit of 89
    # on it would be infinite in float32, and every weight with it.
    return {"adversarial": -0.5 * batch_mean(fake.clamp(max=80).exp())}


def least_squares_discriminator(
    real: Tensor, fake: Tensor, real_target: float = 1.0, fake_target: float = 0.0
) -> Terms:
    """Discriminator's least-squares loss (Mao et al., 2017, arXiv 1611.04076, equation 2).

    ``L_D = 1/2 E (s_r - b)^2 + 1/2 E (s_f - a)^2`` with the paper's ``b = real_target`` and
    ``a = fake_target``.

    Args:
        real: Outputs on real images, any shape.
        fake: Outputs on generated images, any shape.
        real_target: ``b``, target of the output on a real image.
        fake_target: ``a``, target on a generated image; -1 gives the Pearson chi-squared game.

    Returns:
        ``real`` and ``fake``, each in [0, inf).
    """
    # Half-way between the targets both costs are equal.
    report_accuracies(real, fake, boundary=(real_target + fake_target) / 2)
    # 1/2 as in G's loss: on one player only, it would halve that player's rate under SGD.
    return {"real": half_square(real - real_target), "fake": half_square(fake - fake_target)}


def least_squares_generator(fake: Tensor, target: float = 1.0) -> Terms:
    """Generator's least-squares loss (Mao et al., 2017, arXiv 1611.04076, equation 2).

    ``L_G = 1/2 E (s_f - c)^2`` with the paper's ``c = target``.

    Args:
        fake: Outputs on generated images, any shape.
        target: ``c``: 1 beside ``(a, b) = (0, 1)``; 0 beside ``(-1, 1)``, the Pearson chi-squared game.

    Returns:
        ``adversarial``, in [0, inf).
    """
    return {"adversarial": half_square(fake - target)}


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
    report_accuracies(real, fake)
    # Adding a number to all scores changes nothing, so there is no boundary but the middle of the batch.
    return {"real": -batch_mean(real), "fake": batch_mean(fake)}


def wasserstein_generator(fake: Tensor) -> Terms:
    """Generator's loss against a critic (Arjovsky et al., 2017, arXiv 1701.07875).

    ``L_G = -E s_f``.

    Args:
        fake: Scores of generated images, any shape.

    Returns:
        ``adversarial``, unbounded.
    """
    return {"adversarial": -batch_mean(fake)}


def hinge_discriminator(real: Tensor, fake: Tensor) -> Terms:
    """Discriminator's hinge loss (Lim, Ye, 2017, arXiv 1705.02894; Miyato et al., 2018, arXiv 1802.05957).

    ``L_D = E max(0, 1 - s_r) + E max(0, 1 + s_f)``: outputs beyond the margin of 1 cost nothing.

    Args:
        real: Outputs on real images, any shape.
        fake: Outputs on generated images, any shape.

    Returns:
        ``real`` and ``fake``, each in [0, inf).
    """
    report_accuracies(real, fake, boundary=0.0)
    # The hinge on each output by itself: one that is far beyond its margin makes up for no other.
    return {"real": batch_mean(F.relu(1 - real)), "fake": batch_mean(F.relu(1 + fake))}


def hinge_generator(fake: Tensor) -> Terms:
    """Generator's loss beside ``hinge_discriminator`` (Miyato et al., 2018, arXiv 1802.05957).

    ``L_G = -E s_f``, without a hinge.

    Args:
        fake: Outputs on generated images, any shape.

    Returns:
        ``adversarial``, unbounded.
    """
    # No hinge: relu(1 - s) would leave G without a gradient where it deceives D.
    return {"adversarial": -batch_mean(fake)}
