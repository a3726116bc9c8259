"""Improved precision and recall (Kynkaanniemi et al., NeurIPS 2019, arXiv 1904.06991)."""

import torch
from torch import Tensor

NEIGHBOURS = 3
_ROWS = 4096  # bounds the part of a distance matrix that is held at a time


def radii(features: Tensor, k: int = NEIGHBOURS) -> Tensor:
    """Distance of each point to its ``k``-th nearest neighbour among the others, (n,).

    Raises:
        ValueError: There are no more than ``k`` points.
    """
    if len(features) <= k:
        raise ValueError(f"Precision and recall look at {k} neighbours of an image: {len(features)} are too few.")
    # Each point is its own nearest.
    return torch.cat([torch.cdist(rows, features).kthvalue(k + 1).values for rows in features.split(_ROWS)])


def precision_recall(samples: Tensor, real: Tensor, real_radii: Tensor, k: int = NEIGHBOURS) -> tuple[float, float]:
    """Equations 1 and 2 of the paper, with torch-fidelity's ``<=``.

    Args:
        samples: Features, (n, d).
        real: Features, (m, d).
        real_radii: :func:`radii` of ``real``.
        k: The neighbour that sets the radius of a ball.

    Returns:
        The share of samples within the balls of real images, and of real images within the balls of samples.
    """
    # Balls around samples reach to the k-th neighbour, (n,).
    sample_radii = radii(samples, k)
    within_real, covered = [], torch.zeros(len(real), dtype=torch.bool, device=real.device)
    for rows, row_radii in zip(samples.split(_ROWS), sample_radii.split(_ROWS), strict=True):
        # rows x m
        distances = torch.cdist(rows, real)
        # Precision: is a sample in the ball of any real image? Recall, below: is a real image in that of any sample?
        within_real.append((distances <= real_radii).any(dim=1))
        covered |= (distances <= row_radii[:, None]).any(dim=0)
    return torch.cat(within_real).double().mean().item(), covered.double().mean().item()
