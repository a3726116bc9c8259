"""The Frechet distance between two Gaussians, the distance of FID (Heusel et al., 2017, arXiv 1706.08500)."""

import torch
from torch import Tensor


def frechet_distance(mean1: Tensor, cov1: Tensor, mean2: Tensor, cov2: Tensor) -> float:
    """Squared Frechet (2-Wasserstein) distance between N(mean1, cov1) and N(mean2, cov2).

    ``|m1 - m2|^2 + tr(S1) + tr(S2) - 2 tr((S1 S2)^(1/2))``. The last trace is the sum of the square roots of
    the eigenvalues of ``F S2 F^T`` with ``F^T F = S1``, which has those of ``S1 S2`` but is symmetric: faster than
    a square root of the product, and never complex. Computed in float64; eigenvalues that are rounding
    count as 0, so rank-deficient covariances (fewer samples than features) are fine.

    Args:
        mean1: First mean, (d,).
        cov1: First covariance, (d, d), symmetric positive semi-definite.
        mean2: Second mean, (d,).
        cov2: Second covariance, (d, d).

    Returns:
        A number in [0, inf), but for rounding.
    """
    return distance_to_factor(mean1, covariance_factor(cov1), mean2, cov2)


def covariance_factor(cov: Tensor) -> Tensor:
    """A factor F of a covariance, ``F^T F = S``, (d, d), float64: what is worth keeping of the real images.

    Cholesky's, in a hundredth of the time of the symmetric square root, unless the covariance is singular.
    """
    lower, failed = torch.linalg.cholesky_ex(cov.double())
    pivots = lower.diagonal()
    # Pivots are roots of variances: those of a singular covariance are roots of rounding errors.
    if not failed and pivots.min() > pivots.max() * (10 * torch.finfo(pivots.dtype).eps) ** 0.5:
        return lower.T.contiguous()
    eigenvalues, eigenvectors = torch.linalg.eigh(cov.double())
    # V sqrt(L) V^T
    return eigenvectors * _significant(eigenvalues).sqrt() @ eigenvectors.T


def distance_to_factor(
    mean1: Tensor, factor1: Tensor, mean2: Tensor, cov2: Tensor, factor2: Tensor | None = None
) -> float:
    """:func:`frechet_distance` from a factor of the first covariance, ``F^T F = S1``, in a third of the time.

    A set of n images has a factor of n rows, see :class:`gan_lightning.metrics.running_moments.Gaussian`: of fewer
    images than features only n x n eigenvalues are needed, for ``F S2 F^T`` has those of ``S1 S2`` but for zeros.

    Args:
        mean1: First mean, (d,).
        factor1: Factor of the first covariance, (n1, d).
        mean2: Second mean, (d,).
        cov2: Second covariance, (d, d).
        factor2: Its factor, (n2, d), where one is known.

    Returns:
        A number in [0, inf), but for rounding.
    """
    # In float64: the distance is a small difference of large traces.
    mean1, factor1, mean2, cov2 = (t.double() for t in (mean1, factor1, mean2, cov2))
    if factor2 is not None and len(factor2) < len(factor1):
        # n2 x n1: F1 F2^T has the roots as its singular values.
        product = factor2.double() @ factor1.T
        symmetric = product @ product.T
    else:
        symmetric = factor1 @ cov2 @ factor1.T
    # eigvalsh: a symmetric matrix has real eigenvalues, and no eigenvectors are needed.
    trace_root = _significant(torch.linalg.eigvalsh(symmetric)).sqrt().sum()
    # tr(S1) is the squared Frobenius norm of its factor.
    distance = (mean1 - mean2).square().sum() + factor1.square().sum() + cov2.trace() - 2 * trace_root
    return distance.item()


def _significant(eigenvalues: Tensor) -> Tensor:
    """Eigenvalues with those that are nothing but rounding set to 0: their roots, 1e-8, would add up."""
    noise = eigenvalues.abs().max() * 10 * torch.finfo(eigenvalues.dtype).eps
    return torch.where(eigenvalues > noise, eigenvalues, 0)


def moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and unbiased covariance of features, in float64.

    Args:
        features: One row per sample, (n, d).

    Returns:
        The mean, (d,), and the covariance with the factor 1 / (n - 1), (d, d).

    Raises:
        ValueError: If there are fewer than two samples, of which there is no covariance.
    """
    if len(features) < 2:
        raise ValueError(f"moments needs at least 2 samples for a covariance, not {len(features)}.")
    features = features.double()
    mean = features.mean(dim=0)
    # Centred first: sums of squares would lose every digit where the mean is large against the spread.
    centred = features - mean
    return mean, centred.T @ centred / (len(features) - 1)
