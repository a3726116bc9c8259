"""The Frechet distance between two Gaussians, the distance of FID (Heusel et al., 2017, arXiv 1706.08500)."""

import torch
from torch import Tensor


def frechet_distance(mean1: Tensor, cov1: Tensor, mean2: Tensor, cov2: Tensor) -> float:
    """Squared Frechet (2-Wasserstein) distance between N(mean1, cov1) and N(mean2, cov2).

    ``|m1 - m2|^2 + tr(S1) + tr(S2) - 2 tr((S1 S2)^(1/2))``. The last trace is the sum of the square roots of
    the eigenvalues of ``S1^(1/2) S2 S1^(1/2)``, which has those of ``S1 S2`` but is symmetric: faster than a
    square root of the product, and never complex. Computed in float64; eigenvalues that are rounding
    count as 0, so rank-deficient covariances (fewer samples than features) are fine.

    Args:
        mean1: First mean, (d,).
        cov1: First covariance, (d, d), symmetric positive semi-definite.
        mean2: Second mean, (d,).
        cov2: Second covariance, (d, d).

    Returns:
        A number in [0, inf), but for rounding.
    """
    return distance_to_root(mean1, covariance_root(cov1), mean2, cov2)


def covariance_root(cov: Tensor) -> Tensor:
    """The symmetric square root of a covariance, (d, d), float64: what is worth keeping of the real images."""
    eigenvalues, eigenvectors = torch.linalg.eigh(cov.double())
    # V sqrt(L) V^T
    return eigenvectors * _significant(eigenvalues).sqrt() @ eigenvectors.T


def distance_to_root(mean1: Tensor, root1: Tensor, mean2: Tensor, cov2: Tensor) -> float:
    """:func:`frechet_distance` from the :func:`covariance_root` of the first covariance, in a third of the time."""
    mean1, root1, mean2, cov2 = (t.double() for t in (mean1, root1, mean2, cov2))
    # tr((S1 S2)^(1/2)), by the eigenvalues of S1^(1/2) S2 S1^(1/2)
    trace_root = _significant(torch.linalg.eigvalsh(root1 @ cov2 @ root1)).sqrt().sum()
    # tr(S1) is the squared Frobenius norm of its root.
    distance = (mean1 - mean2).square().sum() + root1.square().sum() + cov2.trace() - 2 * trace_root
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
