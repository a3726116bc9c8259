"""Filtered resampling against the definition, worked in NumPy, and against bilinear interpolation."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from gan_lightning.networks.layers.fir import FIRDownsample, FIRUpsample

TAPS = [(1.0, 3.0, 3.0, 1.0), (1.0, 1.0), (1.0, 2.0, 5.0, 7.0, 3.0, 1.0)]


def filtered(row: np.ndarray, taps: tuple[float, ...]) -> np.ndarray:
    """All overlaps of a row with the filter, which adds up to 1."""
    return np.convolve(row, np.array(taps) / sum(taps), mode="full")


def along_both(image: np.ndarray, of_row: object) -> np.ndarray:
    return np.apply_along_axis(of_row, 1, np.apply_along_axis(of_row, 0, image))  # type: ignore[call-overload]


@pytest.mark.parametrize("taps", TAPS, ids=len)
def test_upsampling_is_zeros_between_the_pixels_and_the_filter(taps: tuple[float, ...]) -> None:
    def of_row(row: np.ndarray) -> np.ndarray:
        spaced = np.zeros(2 * len(row))
        spaced[::2] = row
        # Twice, for every second entry is a zero; the image is not shifted.
        return 2 * filtered(spaced, taps)[len(taps) // 2 - 1 :][: 2 * len(row)]

    images = torch.randn(2, 3, 5, 4, dtype=torch.float64)
    expected = [[along_both(channel, of_row) for channel in image] for image in images.numpy()]
    assert_close(FIRUpsample(taps)(images), torch.from_numpy(np.array(expected)))


@pytest.mark.parametrize("taps", TAPS, ids=len)
def test_downsampling_is_the_filter_and_every_second_pixel(taps: tuple[float, ...]) -> None:
    def of_row(row: np.ndarray) -> np.ndarray:
        # conv2d does not turn its kernel round.
        return filtered(row, taps[::-1])[len(taps) // 2 :: 2][: len(row) // 2]

    images = torch.randn(2, 3, 6, 8, dtype=torch.float64)
    expected = [[along_both(channel, of_row) for channel in image] for image in images.numpy()]
    assert_close(FIRDownsample(taps)(images), torch.from_numpy(np.array(expected)))


def test_inside_the_map_the_binomial_filter_interpolates_bilinearly() -> None:
    images = torch.randn(2, 3, 6, 8, dtype=torch.float64)
    expected = F.interpolate(images, scale_factor=2, mode="bilinear", align_corners=False)
    assert_close(FIRUpsample()(images)[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1])
    # Beyond the edge the map is 0: a quarter is missing.
    assert_close(FIRUpsample()(images)[..., 0, 1:-1], 0.75 * expected[..., 0, 1:-1])
    constant = torch.full((1, 1, 6, 6), 3.0)
    assert_close(FIRDownsample()(constant)[..., 1:-1, 1:-1], torch.full((1, 1, 1, 1), 3.0))


@pytest.mark.parametrize("layer", [FIRUpsample(), FIRDownsample()], ids=["up", "down"])
def test_there_is_a_second_derivative(layer: torch.nn.Module) -> None:
    x = torch.randn(1, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: layer(x).square(), x)


def test_the_filter_is_no_weight() -> None:
    assert not FIRUpsample().state_dict()
    assert not [*FIRUpsample().parameters()]


@pytest.mark.parametrize("taps", [(1.0, 2.0, 1.0), (), (1.0, -1.0)])
def test_a_filter_that_shifts_or_blots_out_the_image_is_refused(taps: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"taps is .*: it must be an even number of weights"):
        FIRDownsample(taps)
