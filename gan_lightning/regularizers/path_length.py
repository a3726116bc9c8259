"""Path length regularisation of a generator of styles (Karras et al., CVPR 2020, arXiv 1912.04958, section 3.2)."""

import math

import torch
from torch import Tensor


def path_lengths(images: Tensor, styles: Tensor) -> Tensor:
    """``||J_w^T y||``: how far images move along random directions when their styles move by one.

    With ``y ~ N(0, I) / sqrt(H W)`` in image space and J_w the Jacobian of the images by the styles (equation 4); over
    the layers the root of the mean of the squared lengths.

    Args:
        images: N x C x H x W, made of the styles.
        styles: N x L x D, which take a gradient.

    Returns:
        (N,), at least 0, with a gradient.
    """
    height, width = images.shape[2:]
    directions = torch.randn_like(images) / math.sqrt(height * width)
    (gradient,) = torch.autograd.grad((images * directions).sum(), styles, create_graph=True)
    return gradient.square().sum(2).mean(1).sqrt()
