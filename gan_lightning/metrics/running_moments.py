"""Streaming mean and covariance of features."""

from dataclasses import dataclass

import torch
from torch import Tensor

from gan_lightning.trainer.processes import rank_and_size, sum_over_ranks

MOST_FEATURES = 4096
"""VGG16 has as many. The time for a distance grows with the third power of their number."""


@dataclass(frozen=True)
class Gaussian:
    """Mean and covariance of features, the statistics of FID.

    Attributes:
        count: How many images.
        mean: Of their features, (d,), float64.
        cov: Their covariance S with the factor 1 / (count - 1), (d, d), float64.
        factor: F with ``F^T F = S``, (count, d), float64, of no more images than features: the features themselves,
            from which all that is asked of S is quicker. None: more images, or several processes.
    """

    count: int
    mean: Tensor
    cov: Tensor
    factor: Tensor | None = None


def check_width(width: int) -> None:
    """Refuse covariances whose eigenvalues would take too long.

    Raises:
        ValueError: There are too many features.
    """
    if width > MOST_FEATURES:
        raise ValueError(
            f"FID of {width} features takes covariances of {width} x {width} numbers, {width**2 * 8 / 1e9:.1f} GB "
            f"each, and their eigenvalues: it is measured of at most {MOST_FEATURES}. Choose an extractor of fewer, "
            "such as inception, or metrics without a covariance: kid, precision, recall."
        )


class RunningMoments:
    """Accumulates batches of features in float64.

    Everything is measured from the first batch's mean, so that no digits are lost where the mean of the features is
    large against their spread (Chan, Golub and LeVeque, Algorithms for computing the sample variance, 1983).
    """

    def __init__(self) -> None:
        self.count = 0
        self._shift: Tensor | None = None
        self._rows: list[Tensor] = []

    def add(self, features: Tensor) -> None:
        """Add n x d features; n may be 0."""
        # Apple's GPUs have no float64.
        features = (features.cpu() if features.device.type == "mps" else features).double()
        if self._shift is None:
            width = features.shape[1]
            check_width(width)
            self._shift = features.mean(dim=0) if len(features) else features.new_zeros(width)
            self._sum = features.new_zeros(width)
            self._products = features.new_zeros(width, width)
        # Sums of x - s and (x - s)(x - s)^T, s the first batch's mean.
        shifted = features - self._shift
        self.count += len(features)
        self._sum += shifted.sum(dim=0)
        self._products.addmm_(shifted.T, shifted)
        # Rows are kept as long as they are no more than the covariance has.
        self._rows = [*self._rows, shifted] if self._keeps_rows() else []

    def _keeps_rows(self) -> bool:
        return rank_and_size()[1] == 1 and self.count <= len(self._sum)

    def result(self) -> Gaussian:
        """Moments over all ranks, on the CPU. Collective.

        Raises:
            ValueError: Nothing was added, or there are fewer than two samples, of which there is no covariance.
        """
        if self._shift is None:
            raise ValueError("Moments of nothing: add features first.")
        count = int(sum_over_ranks(torch.tensor(float(self.count), device=self._sum.device)).item())
        if count < 2:
            raise ValueError(f"A covariance needs at least 2 samples, not {count}.")
        # s differs between ranks: add it back before the sum.
        mean = sum_over_ranks(self._sum + self.count * self._shift) / count
        # Products of what a process has added, measured from the mean over all processes.
        offset = mean - self._shift
        cross = torch.outer(self._sum, offset)
        products = self._products - cross - cross.T + self.count * torch.outer(offset, offset)
        cov = (sum_over_ranks(products) / (count - 1)).cpu()
        factor = ((torch.cat(self._rows) - offset) / (count - 1) ** 0.5).cpu() if self._rows else None
        return Gaussian(count, mean.cpu(), cov, factor)
