"""Losses of predicted frames beside the adversarial one."""

import torch
from torch import Tensor

from gan_lightning.losses.terms import batch_mean


def gradient_difference(images: Tensor, truth: Tensor, alpha: float = 1.0) -> Tensor:
    """Gradient difference loss, which keeps edges sharp (Mathieu et al., 2016, arXiv 1511.05440, equation 6).

    ``E | |Y_ij - Y_i-1,j| - |X_ij - X_i-1,j| |^a + E | |Y_ij-1 - Y_ij| - |X_ij-1 - X_ij| |^a`` of the truth Y and the
    image X. The paper sums over pixels; these are the means over all neighbours in a column and in a row, as in the
    authors' code, so that the weight does not depend on the size. Borders have no neighbour outside.

    Args:
        images: X, N x C x H x W, H and W at least 2.
        truth: Y, the same.
        alpha: a, at least 1.

    Returns:
        A scalar, at least 0.
    """
    vertical, horizontal = (
        (torch.diff(truth, dim=axis).abs() - torch.diff(images, dim=axis).abs()).abs().pow(alpha) for axis in (2, 3)
    )
    return batch_mean(vertical) + batch_mean(horizontal)
