"""The Kernel Inception Distance (Binkowski et al., Demystifying MMD GANs, ICLR 2018, arXiv 1801.01401)."""

import numpy as np
import torch
from torch import Tensor

_ROWS = 1024  # bounds the part of a kernel matrix that is held at a time


def kernel_distance(
    samples: Tensor, real: Tensor, subsets: int = 100, subset_size: int = 1000, seed: int = 2020
) -> float:
    """Squared maximum mean discrepancy with the kernel ``(x.y / d + 1)^3``: the mean over random subsets.

    Each subset gives the unbiased estimate of the paper's equation 4, with torch-fidelity's choice of subsets. The
    sum of a kernel matrix over a subset is ``z'Kz`` with the 0-1 vector z of its members, so one pass over each
    whole matrix serves all subsets.

    Args:
        samples: Features, (n, d).
        real: Features, (m, d).
        subsets: How many subsets.
        subset_size: Their size; at most n and m.
        seed: Which subsets.

    Returns:
        A number around 0 for equal distributions, slightly negative at times.

    Raises:
        ValueError: The subsets are larger than the sets, or smaller than two.
    """
    if not 2 <= subset_size <= min(len(samples), len(real)):
        raise ValueError(
            f"KID takes subsets of at least 2 and at most as many images as there are, {len(samples)} samples and "
            f"{len(real)} real images, not {subset_size}."
        )
    random = np.random.RandomState(seed)  # torch-fidelity's draws
    # 0-1 indicators of the subsets: n x subsets, m x subsets
    members = samples.new_zeros(len(samples), subsets, dtype=torch.float64, device="cpu")
    real_members = samples.new_zeros(len(real), subsets, dtype=torch.float64, device="cpu")
    for subset in range(subsets):
        members[random.choice(len(samples), subset_size, replace=False), subset] = 1
        real_members[random.choice(len(real), subset_size, replace=False), subset] = 1
    # In float64: the estimate is a difference of sums over a million pairs.
    x, z_x = samples.double(), members.to(samples.device)
    y, z_y = real.double().to(samples.device), real_members.to(samples.device)
    # Pairs i != j within samples and within real images: the diagonal k(x_i, x_i) is left out.
    within = _sums(x, z_x, x, z_x) - _diagonal(x) @ z_x + _sums(y, z_y, y, z_y) - _diagonal(y) @ z_y
    across = _sums(x, z_x, y, z_y)
    # Equation 4: unbiased estimate of MMD^2, one a subset.
    estimates = within / (subset_size * (subset_size - 1)) - 2 * across / subset_size**2
    return estimates.mean().item()


def _sums(x: Tensor, z_x: Tensor, y: Tensor, z_y: Tensor) -> Tensor:
    """The kernel summed over all pairs of each subset: (subsets,)."""
    sums = z_x.new_zeros(z_x.shape[1])
    for rows, z_rows in zip(x.split(_ROWS), z_x.split(_ROWS), strict=True):
        sums += (z_rows * (_kernel(rows @ y.T, x.shape[1]) @ z_y)).sum(dim=0)
    return sums


def _diagonal(x: Tensor) -> Tensor:
    return _kernel(x.square().sum(dim=1), x.shape[1])


def _kernel(products: Tensor, d: int) -> Tensor:
    # In place: the matrix is the largest thing in memory. d makes the kernel independent of the number of features.
    return products.div_(d).add_(1).pow_(3)
