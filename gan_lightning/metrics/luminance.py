"""PSNR and SSIM of super-resolution, on the luminance without a border; of other images on every channel."""

import torch
from torch import Tensor

_REACH = 5
"""How far SSIM's window reaches: 11 x 11 pixels."""


def luminance(images: Tensor) -> Tensor:
    """The Y of ITU-R BT.601, as MATLAB's ``rgb2ycbcr`` has it but for the rounding.

    ``Y = 16 + 65.481 R + 128.553 G + 24.966 B`` with R, G, B in [0, 1]. Images of other channels than RGB, such as one,
    are their own levels.

    Args:
        images: uint8, N x C x H x W.

    Returns:
        float32, N x 1 x H x W, in [16, 235], of RGB; N x C x H x W, in [0, 255], of others.
    """
    # Without colours to weigh, the levels are the luminance.
    if images.shape[1] != 3:
        return images.float()
    # Coefficients of ITU-R BT.601 for R, G, B in [0, 255].
    weights = torch.tensor([65.481, 128.553, 24.966], device=images.device) / 255
    return 16 + (images.float() * weights[:, None, None]).sum(dim=1, keepdim=True)


def peak_signal_to_noise(images: Tensor, truth: Tensor, peak: float = 255.0, least_error: float = 0.0) -> Tensor:
    """Peak signal-to-noise ratio over all channels, ``10 log10(peak^2 / mean squared difference)``.

    Args:
        images: N x C x H x W.
        truth: The same.
        peak: Width of the range of values.
        least_error: Least mean squared difference that counts, so that equal images have a finite ratio.

    Returns:
        N values in dB, float32; inf for equal images, where ``least_error`` is 0.
    """
    # The mean by image, then the logarithm: papers average decibels, not errors.
    errors = (images.float() - truth.float()).square().mean(dim=(1, 2, 3))
    return 10 * torch.log10(peak**2 / errors.clamp(min=least_error))


def psnr(images: Tensor, truth: Tensor, border: int) -> Tensor:
    """Peak signal-to-noise ratio of the luminance; see :func:`peak_signal_to_noise`.

    Args:
        images: uint8, N x C x H x W.
        truth: The same.
        border: Pixels that do not count, on every side.

    Returns:
        N values in dB, float32; inf for equal images.
    """
    return peak_signal_to_noise(_inner(luminance(images), border), _inner(luminance(truth), border))


def ssim(images: Tensor, truth: Tensor, border: int) -> Tensor:
    """Structural similarity of the luminance (Wang et al., 2004), with the authors' settings.

    A normal window of 11 x 11 and deviation 1.5, K = (.01, .03), L = 255; the mean over the places where the whole
    window is inside the image.

    Args:
        images: uint8, N x C x H x W.
        truth: The same.
        border: Pixels that do not count, on every side.

    Returns:
        N values, float32, at most 1.

    Raises:
        ValueError: The images are smaller than the window.
    """
    from torchmetrics.functional.image import structural_similarity_index_measure  # Slow to import: here alone.

    inner, inner_truth = (_inner(luminance(part), border) for part in (images, truth))
    if min(inner.shape[2:]) <= 2 * _REACH:
        least = 2 * (_REACH + border) + 1
        raise ValueError(
            f"SSIM is measured of images from {least} x {least} pixels up, not of {images.shape[2]} x "
            f"{images.shape[3]}: leave small images out of the validation set."
        )
    _, everywhere = structural_similarity_index_measure(
        inner, inner_truth, data_range=255.0, reduction="none", return_full_image=True
    )
    # Only windows that lie inside the image.
    return _inner(everywhere, _REACH).mean(dim=(1, 2, 3))


def _inner(images: Tensor, border: int) -> Tensor:
    return images[:, :, border : images.shape[2] - border, border : images.shape[3] - border]
