"""Density and coverage (Naeem et al., *Reliable Fidelity and Diversity Metrics*, ICML 2020, arXiv 2002.09797).

Both look at the balls around real images alone, so that neither an outlier among the samples nor one among the real
images decides: precision and recall ask for one ball, density counts them all, and coverage asks each for a sample.
"""

import torch
from torch import Tensor

from gan_lightning.metrics.precision_recall import tally_distances

COVERAGE_NEIGHBOURS = 5
"""The paper's k."""


class DensityCoverage:
    """Density and coverage as they add up over samples, with the paper's ``<``.

    Args:
        real_radii: Distance of each real image to its ``k``-th nearest among the others, (m,).
        k: The neighbour that sets the radius of a ball.
    """

    def __init__(self, real_radii: Tensor, k: int = COVERAGE_NEIGHBOURS) -> None:
        self.real_radii, self.k = real_radii, k
        self.samples = 0
        self.within = torch.zeros((), dtype=torch.int64, device=real_radii.device)
        self.nearest = torch.full_like(real_radii, torch.inf)

    def add(self, distances: Tensor, rows: slice) -> None:
        self.samples += len(distances)
        # Density: in how many balls does a sample lie? Coverage, below: does the nearest sample lie in the ball?
        self.within += (distances < self.real_radii).sum()
        self.nearest = torch.minimum(self.nearest, distances.amin(dim=0))

    def result(self) -> tuple[float, float]:
        return self.within.item() / (self.k * self.samples), (self.nearest < self.real_radii).double().mean().item()


def density_coverage(
    samples: Tensor, real: Tensor, real_radii: Tensor, k: int = COVERAGE_NEIGHBOURS
) -> tuple[float, float]:
    """Density and coverage of samples, equations 3 and 5 of the paper.

    Args:
        samples: Features, (n, d).
        real: Features, (m, d).
        real_radii: :func:`~gan_lightning.metrics.radii` of ``real`` for the same ``k``.
        k: The neighbour that sets the radius of a ball.

    Returns:
        Density, ``1 / (k n) sum_samples sum_real 1[within its ball]``, in [0, m / k]: 1 is expected of two sets of one
        distribution, and more where samples crowd where real images are dense. Coverage, the share of real images whose
        ball holds a sample, in [0, 1]; of two sets of one distribution ``1 - prod_{i=1..k} (m - i) / (n + m - i)`` is
        expected: 0.97 for ``k = 5`` and many images.
    """
    tally = DensityCoverage(real_radii, k)
    tally_distances(samples, real, tally)
    return tally.result()
