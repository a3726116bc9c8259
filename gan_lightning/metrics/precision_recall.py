"""Improved precision and recall (Kynkaanniemi et al., NeurIPS 2019, arXiv 1904.06991)."""

from typing import Protocol

import torch
from torch import Tensor

NEIGHBOURS = 3
_ROWS = 4096  # bounds the part of a distance matrix that is held at a time


def nearest_distances(features: Tensor, k: int) -> Tensor:
    """Distances of each point to its ``k`` nearest neighbours among the others, in rising order, n x k.

    Raises:
        ValueError: There are no more than ``k`` points.
    """
    if len(features) <= k:
        raise ValueError(f"The {k} nearest neighbours of an image: {len(features)} images are too few.")
    # Each point is its own nearest.
    return torch.cat(
        [torch.cdist(rows, features).topk(k + 1, largest=False).values[:, 1:] for rows in features.split(_ROWS)]
    )


def radii(features: Tensor, k: int = NEIGHBOURS) -> Tensor:
    """Distance of each point to its ``k``-th nearest neighbour among the others, (n,).

    Raises:
        ValueError: There are no more than ``k`` points.
    """
    return nearest_distances(features, k)[:, -1]


class Tally(Protocol):
    """A measure that adds up over the distances between samples and real images."""

    def add(self, distances: Tensor, rows: slice) -> None:
        """Take the distances, r x m, of the samples of these numbers to all m real images."""


def tally_distances(samples: Tensor, real: Tensor, *tallies: Tally) -> None:
    """Give several measures the distances between samples, n x d, and real images, m x d, in one pass."""
    for start in range(0, len(samples), _ROWS):
        rows = slice(start, start + _ROWS)
        distances = torch.cdist(samples[rows], real)
        for tally in tallies:
            tally.add(distances, rows)


class PrecisionRecall:
    """Precision and recall as they add up over samples, with torch-fidelity's ``<=``.

    Args:
        real_radii: Of the balls around real images, (m,).
        sample_radii: Of those around samples, (n,).
    """

    def __init__(self, real_radii: Tensor, sample_radii: Tensor) -> None:
        self.real_radii, self.sample_radii = real_radii, sample_radii
        self.within_real: list[Tensor] = []
        self.covered = torch.zeros(len(real_radii), dtype=torch.bool, device=real_radii.device)

    def add(self, distances: Tensor, rows: slice) -> None:
        # Precision: is a sample in the ball of any real image? Recall, below: is a real image in that of any sample?
        self.within_real.append((distances <= self.real_radii).any(dim=1))
        self.covered |= (distances <= self.sample_radii[rows, None]).any(dim=0)

    def result(self) -> tuple[float, float]:
        return torch.cat(self.within_real).double().mean().item(), self.covered.double().mean().item()


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
    tally = PrecisionRecall(real_radii, radii(samples, k))
    tally_distances(samples, real, tally)
    return tally.result()
