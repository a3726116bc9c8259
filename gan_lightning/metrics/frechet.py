"""The Frechet distance between two Gaussians, the distance of FID (Heusel et al., 2017, arXiv 1706.08500)."""

import torch
from torch import Tensor


def frechet_distance(mean1: Tensor, cov1: Tensor, mean2: Tensor, cov2: Tensor) -> float:
    """Squared Frechet (2-Wasserstein) distance between N(mean1, cov1) and N(mean2, cov2).

    ``|m1 - m2|^2 + tr(S1) + tr(S2) - 2 tr((S1 S2)^(1/2))``. The last trace is the sum of the square roots of
    the eigenvalues of ``S1^(1/2) S2 S1^(1/2)``, which has those of ``S1 S2`` but is symmetric: faster than a
    square root of the product, and never complex. Computed in float64; eigenvalues that rounding left below 0
    count as 0, so rank- deficient covariances (fewer samples than features) are fine.

    Args:
        mean1: First mean, (d,).
        cov1: First covariance, (d, d), symmetric positive semi-definite.
        mean2: Second mean, (d,).
        cov2: Second covariance, (d, d).

    Returns:
        A number in [0, inf), but for rounding.
    """
    mean1, cov1, mean2, cov2 = (t.double() for t in (mean1, cov1, mean2, cov2))
    eigenvalues, eigenvectors = torch.linalg.eigh(cov1)
    root1 = eigenvectors * eigenvalues.clamp(min=0).sqrt() @ eigenvectors.T
    trace_root = torch.linalg.eigvalsh(root1 @ cov2 @ root1).clamp(min=0).sqrt().sum()
    distance = (mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * trace_root
    return distance.item()


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
