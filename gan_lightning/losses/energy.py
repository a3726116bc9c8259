"""Losses of discriminators that are autoencoders: their output is an energy, the error of reconstruction.

Notation of the docstrings: ``s_r`` and ``s_f`` are the outputs on real and on generated images, ``E`` is the mean over
every axis (the batch, and the patches where there are any), ``sp(t) = log(1 + exp(t))`` is the softplus.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from gan_lightning.losses.accuracy import report_accuracies
from gan_lightning.losses.terms import Terms, batch_mean


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
    report_accuracies(real, fake, real_is_higher=False)
    # The hinge before the mean: fakes beyond the margin make up for none below it.
    return {"real": batch_mean(real), "fake": batch_mean(F.relu(margin - fake))}


def energy_generator(fake: Tensor) -> Terms:
    """Generator's loss of the energy-based game (Zhao, Mathieu, LeCun, 2017, arXiv 1609.03126, equation 2).

    ``L_G = E D(G(z))``.

    Args:
        fake: Energies of generated images, any shape.

    Returns:
        ``adversarial``, in [0, inf).
    """
    return {"adversarial": batch_mean(fake)}


def energy_balance_discriminator(real: Tensor, fake: Tensor, k: Tensor) -> Terms:
    """Discriminator's loss of the boundary equilibrium game (Berthelot et al., 2017, arXiv 1703.10717, section 3.4).

    ``L_D = L(x) - k_t L(G(z))``. The generator's is that of :func:`energy_generator`.

    Args:
        real: L(x), energies of real images, at least 0, any shape.
        fake: L(G(z)), energies of generated images.
        k: k_t, weight of the generated images in the discriminator's loss, a scalar in [0, 1].

    Returns:
        ``real`` in [0, inf) and ``fake`` in (-inf, 0].
    """
    report_accuracies(real, fake, real_is_higher=False)
    # k is D's alone: G minimises L(G(z)) with weight 1.
    return {"real": batch_mean(real), "fake": -k * batch_mean(fake)}


def next_balance(k: Tensor, real: Tensor, fake: Tensor, gamma: float, rate: float) -> Tensor:
    """Update of k in the boundary equilibrium game (Berthelot et al., 2017, arXiv 1703.10717, section 3.4).

    ``k_{t+1} = k_t + rate (gamma L(x) - L(G(z)))``, kept within [0, 1].

    Args:
        k: k_t, a scalar.
        real: L(x), the mean energy of real images, a scalar.
        fake: L(G(z)), the mean energy of generated images, a scalar.
        gamma: Target of the ratio L(G(z)) / L(x), the diversity ratio; lower values give better and less varied images.
        rate: lambda_k of the paper, the learning rate of k.

    Returns:
        k_{t+1}, a scalar in [0, 1].
    """
    # Integral control: k grows while the fakes' energy is below gamma times the real one's.
    return (k + rate * (gamma * real - fake)).clamp(0, 1)


def convergence(real: Tensor, fake: Tensor, gamma: float) -> Tensor:
    """Convergence measure of BEGAN (Berthelot et al., 2017, arXiv 1703.10717, section 3.4.1).

    ``M = L(x) + |gamma L(x) - L(G(z))|``, which falls as the images become better and the players balanced.

    Args:
        real: L(x), the mean energy of real images, a scalar.
        fake: L(G(z)), the mean energy of generated images, a scalar.
        gamma: Target of the ratio L(G(z)) / L(x).

    Returns:
        A scalar in [0, inf).
    """
    # To be watched, not minimised: the losses of a GAN say little about progress.
    return real + (gamma * real - fake).abs()


def pulling_away(codes: Tensor) -> Tensor:
    """The repelling regulariser of EBGAN (Zhao, Mathieu, LeCun, 2017, arXiv 1609.03126, equation 4).

    ``1 / (N (N - 1)) sum_{i != j} cos^2(S_i, S_j)``: the mean squared cosine between the codes of two images.

    Args:
        codes: S, N x ..., N at least 2.

    Returns:
        A scalar in [0, 1].

    Raises:
        ValueError: N is 1.
    """
    n = len(codes)
    if n < 2:
        raise ValueError("pulling_away compares the images of a batch, so a batch needs 2 at least: raise batch_size.")
    # Cosines of all pairs, N x N; the diagonal, each code with itself, is subtracted below.
    unit = F.normalize(codes.flatten(1).to(torch.promote_types(codes.dtype, torch.float32)), dim=1)
    # Squared, as in equation 4: plain cosines would reward codes for being opposite, and the term would be negative.
    squares = (unit @ unit.T).square()
    return (squares.sum() - squares.diagonal().sum()) / (n * (n - 1))
