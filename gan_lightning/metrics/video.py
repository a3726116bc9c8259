"""Measures of predicted frames, also of moving areas alone (Mathieu et al., 2016, arXiv 1511.05440, section 4)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from gan_lightning.metrics.luminance import luminance, peak_signal_to_noise, ssim

_SLOWEST = 0.2
"""Pixels a frame from which on a pixel moves, the authors' threshold."""
_WINDOW = 7
"""Side of the window in which the flow is taken to be constant."""
_DAMPING = 10.0
"""Squared levels added to the squared gradients: the noise of a plane area is no flow."""
_LEAST_ERROR = 1e-4
"""Least mean error, in squared levels, as in the authors' code: equal images have 88.1 dB and not inf."""


def optical_flow(before: Tensor, after: Tensor) -> Tensor:
    """Optical flow between two frames by the method of Lucas and Kanade (1981), in one step.

    In a window around each pixel, the least-squares solution v of ``I_x v_x + I_y v_y = -I_t``. Motions of more than
    about two pixels are underestimated.

    Args:
        before: uint8, N x C x H x W, at least 2 x 2.
        after: The same.

    Returns:
        (v_x, v_y) in pixels, float32, N x 2 x H x W.
    """
    first, second = (luminance(frames).mean(dim=1, keepdim=True) for frames in (before, after))
    return flow_of_levels(first, second)


def flow_of_levels(first: Tensor, second: Tensor) -> Tensor:
    """:func:`optical_flow` between two frames in levels, 0 to 255, float32, N x 1 x H x W, at least 2 x 2."""
    middle = (first + second) / 2
    along_y, along_x = torch.gradient(middle, dim=(2, 3))  # central differences
    time = second - first
    products = [along_x * along_x, along_y * along_y, along_x * along_y, along_x * time, along_y * time]
    # N x 5 x H x W: means over the window, at a border over the part of it that is inside.
    sums = F.avg_pool2d(torch.cat(products, dim=1), _WINDOW, 1, _WINDOW // 2, count_include_pad=False)
    xx, yy, xy, xt, yt = sums.unbind(dim=1)
    xx, yy = xx + _DAMPING, yy + _DAMPING
    determinant = xx * yy - xy * xy
    return torch.stack([xy * yt - yy * xt, xy * xt - xx * yt], dim=1) / determinant[:, None]


def moving_areas(before: Tensor, after: Tensor) -> Tensor:
    """Pixels that move between two frames: the optical flow is longer than 0.2 pixels.

    The authors' flow is another one. Where nothing moves, the whole frame counts.

    Args:
        before: uint8, N x C x H x W.
        after: The same.

    Returns:
        bool, N x 1 x H x W.
    """
    moving = optical_flow(before, after).norm(dim=1, keepdim=True) > _SLOWEST
    return moving | ~moving.flatten(1).any(dim=1)[:, None, None, None]


def sharpness_difference(images: Tensor, truth: Tensor) -> Tensor:
    """How little the gradients differ: ``10 log10(255^2 / (127.5^2 e))``.

    ``e = E | |d_i Y| - |d_i X| | + E | |d_j Y| - |d_j X| |``, differences of neighbours in a column and in a row of Y
    and X in [-1, 1]. As in the authors' code: the absolute difference is multiplied by the square of the range's
    factor (theirs is 128), and by row and column apart, where the paper's text adds the two before it compares.

    Args:
        images: X, uint8, N x C x H x W, at least 2 x 2.
        truth: Y, the same.

    Returns:
        N values in dB, float32.
    """
    gradients = [
        torch.stack(
            [
                torch.diff(part, dim=2)[..., 1:].abs(),  # without the first row and the first column
                torch.diff(part, dim=3)[..., 1:, :].abs(),
            ]
        )
        for part in (images.float() / 127.5, truth.float() / 127.5)
    ]
    # 2 x N x C x H - 1 x W - 1
    error = 127.5**2 * (gradients[0] - gradients[1]).abs().sum(dim=0).mean(dim=(1, 2, 3))
    return 10 * torch.log10(255**2 / error.clamp(min=_LEAST_ERROR))


def frame_measures(images: Tensor, truth: Tensor, moving: Tensor | None = None) -> dict[str, Tensor]:
    """PSNR in dB, SSIM and the sharpness difference in dB of predicted frames.

    Args:
        images: uint8, N x C x H x W, from 11 x 11 pixels up.
        truth: The same.
        moving: bool, N x 1 x H x W: the rest is made black in both, as in the authors' code, and the means are still
            over the whole frame. None: everything counts.

    Returns:
        ``psnr``, ``ssim``, ``sharpness``: N values each.
    """
    if moving is not None:
        images, truth = images * moving, truth * moving
    return {
        # By frame, over all channels; the structure is the luminance's.
        "psnr": peak_signal_to_noise(images, truth, least_error=_LEAST_ERROR),
        "ssim": ssim(images, truth, border=0),
        "sharpness": sharpness_difference(images, truth),
    }
