"""The resampling of ADA and its filters against SciPy and the conditions that define the wavelets."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from scipy.signal import correlate, upfirdn
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from gan_lightning.augmentations import corruptions, resampling
from gan_lightning.augmentations.corruptions import amplify_bands, balanced, cut_rectangles
from gan_lightning.augmentations.resampling import warp

SYM6 = np.array(resampling._SYM6)
CENTRE = SYM6 @ np.arange(12) / SYM6.sum()


@pytest.mark.parametrize(("taps", "moments"), [(resampling._SYM6, 6), (corruptions._SYM2, 2)])
def test_wavelets_are_orthonormal_and_have_their_vanishing_moments(taps: Any, moments: int) -> None:
    """What defines Daubechies' filters of N vanishing moments, but for the choice of roots."""
    taps = np.array(taps)
    assert len(taps) == 2 * moments
    for shift in range(moments):
        assert taps[2 * shift :] @ taps[: len(taps) - 2 * shift] == pytest.approx(float(shift == 0), abs=1e-9)
    signs = (-1.0) ** np.arange(len(taps))
    for power in range(moments):
        # Sums of large numbers cancel, so the bound is a share of their absolute values.
        terms = signs * taps * np.arange(len(taps)) ** power
        assert terms.sum() == pytest.approx(0, abs=1e-9 * np.abs(terms).sum())


def test_sym6_is_the_nearly_symmetric_choice() -> None:
    """Its phase up to half the band is that of a shift to 0.42 radians; that of the other choices, db6, to 0.95."""
    frequencies = np.linspace(0, np.pi / 2, 50)
    response = np.exp(-1j * frequencies[:, None] * np.arange(12)) @ SYM6
    assert np.abs(np.unwrap(np.angle(response)) + CENTRE * frequencies).max() < 0.5


def reference(image: np.ndarray, to_source: np.ndarray) -> np.ndarray:
    """H x W: the published chain, step by step: pad by reflection, double, interpolate linearly, halve."""
    height, width = image.shape
    pad = 3 * max(height, width)  # as far as any of the tests looks
    taps = SYM6 / SYM6.sum()
    padded = np.pad(image, pad, mode="reflect")
    doubled = padded
    for axis in (0, 1):
        # upfirdn begins at the first tap: the sample of index m lies at position m - 5 of the doubled image.
        doubled = np.apply_along_axis(lambda line: upfirdn(2 * taps, line, up=2), axis, doubled)
    # Two samples a pixel, and six on each side for the filter; in pixels from the centre.
    rows, columns = ((np.arange(-6, 2 * side + 6) - (CENTRE - 5)) / 2 - (side - 1) / 2 for side in (height, width))
    y, x = np.meshgrid(rows, columns, indexing="ij")
    source = np.einsum("ij,jhw->ihw", to_source[:2], np.stack([x, y, np.ones_like(x)]))
    # From pixels from the centre to samples of the doubled, padded image, which the filter moved by its centre.
    places = [2 * (source[axis] + (side - 1) / 2 + pad) + CENTRE for axis, side in ((1, height), (0, width))]
    moved = map_coordinates(doubled, places, order=1)
    for axis in (0, 1):
        moved = np.apply_along_axis(lambda line: correlate(line[1:-1], taps, mode="valid")[::2], axis, moved)
    return moved


def affine(angle: float, scale: float, x: float, y: float) -> np.ndarray:
    cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
    return np.array([[cosine, -sine, x], [sine, cosine, y], [0, 0, 1]])


MAPS = [
    affine(0.3, 0.4, 0.4, -0.7),
    affine(-2, 0.4, 1.3, 0.2),
    affine(0, 0.55, 0, 0),
    affine(math.pi / 2, 0.4, 0.5, 0.25),
]


@pytest.mark.parametrize("shape", [(24, 24), (20, 26)])
def test_warp_inside_an_image_is_the_published_chain(shape: tuple[int, int]) -> None:
    generator = np.random.default_rng(0)
    images = generator.standard_normal((len(MAPS), 2, *shape))
    warped = warp(torch.tensor(images), torch.tensor(np.array(MAPS))).numpy()
    for image, matrix, result in zip(images, MAPS, warped, strict=True):
        for channel in range(2):
            np.testing.assert_allclose(result[channel], reference(image[channel], matrix), atol=1e-9)


@pytest.mark.parametrize("to_source", [affine(0, 1, 7, 0), affine(0.5, 1.3, 3, -4), affine(0, 2.5, 0, 0)])
def test_beyond_its_borders_an_image_is_reflected(to_source: np.ndarray) -> None:
    """The authors filter the reflected image, here the filtered image is reflected: sym6 is symmetric all but."""
    side = 24
    y, x = np.mgrid[:side, :side] / side
    image = np.sin(5 * x + 1) * np.cos(4 * y) + x
    (result,) = warp(torch.tensor(image)[None, None], torch.tensor(to_source)[None]).numpy()
    expected = reference(image, to_source)
    assert np.abs(result[0] - expected).max() < 0.02 * np.ptp(image)
    # A border of zeros, or of the nearest pixel, would be far from it.
    assert np.abs(result[0]).min() < np.abs(image).max()


def test_the_identity_gives_the_image_back() -> None:
    images = torch.rand(1, 1, 32, 32, dtype=torch.float64)
    result = warp(images, torch.eye(3, dtype=torch.float64)[None])
    # Halving undoes doubling, for the filters are orthonormal; at the borders they lack their reflected halves.
    torch.testing.assert_close(result[..., 6:-6, 6:-6], images[..., 6:-6, 6:-6], atol=1e-9, rtol=0)


def test_whole_pixels_and_quarter_turns_move_pixels() -> None:
    images = torch.rand(1, 1, 32, 32, dtype=torch.float64)
    moved = warp(images, torch.tensor(affine(0, 1, 3, -2))[None])
    inner = slice(9, -9)
    torch.testing.assert_close(
        moved[..., inner, inner], images.roll((2, -3), (2, 3))[..., inner, inner], atol=1e-9, rtol=0
    )
    y, x = np.mgrid[:32, :32] / 32
    smooth = torch.tensor(np.sin(9 * x + 1) * np.cos(7 * y) + x)[None, None]
    for matrix, expected in [
        (affine(math.pi, 1, 0, 0), smooth.flip(2, 3)),
        (affine(math.pi / 2, 1, 0, 0), smooth.transpose(2, 3).flip(2)),
        (np.diag([-1.0, 1, 1]), smooth.flip(3)),
    ]:
        turned = warp(smooth, torch.tensor(matrix)[None])
        # The filter reversed is not quite the filter; half a pixel beside it they would be 0.1 apart.
        torch.testing.assert_close(turned[..., inner, inner], expected[..., inner, inner], atol=5e-3, rtol=0)


@pytest.mark.parametrize("side", [2, 3, 4, 7])
def test_small_images_are_reflected_as_often_as_needed(side: int) -> None:
    images = torch.full((2, 1, side, side), 0.3)
    maps = torch.tensor(np.array([affine(0.7, 3, 9, -20), affine(0, 1, 0.5, 0)]), dtype=torch.float32)
    # A constant stays one wherever it is looked at: the filters sum to 1, and there is no border.
    torch.testing.assert_close(warp(images, maps), images, atol=1e-5, rtol=0)


def test_warp_is_differentiable_twice() -> None:
    images = torch.rand(2, 1, 4, 5, dtype=torch.float64, requires_grad=True)
    maps = torch.tensor(np.array([affine(0.3, 0.9, 0.4, -0.7), affine(2, 1.4, 1, 0.3)]))

    def square(x: Tensor) -> Tensor:
        return warp(x, maps).square()

    assert gradcheck(square, images)
    assert gradgradcheck(square, images)


def test_bands_add_up_to_the_image_and_divide_its_frequencies() -> None:
    images = torch.rand(2, 3, 32, 40, dtype=torch.float64)
    torch.testing.assert_close(amplify_bands(images, torch.ones(2, 4).double()), images)
    bands = corruptions._bands(torch.float64, torch.device("cpu")).numpy()
    response = np.abs(np.fft.rfft(bands, 1024, axis=1))
    frequencies = np.linspace(0, 1, response.shape[1])  # 1: half the sampling rate
    for band, (low, high) in enumerate([(0, 1 / 8), (1 / 8, 1 / 4), (1 / 4, 1 / 2), (1 / 2, 1)]):
        centre = (low + high) / 2 if low else 0.0
        assert response[band][np.argmin(np.abs(frequencies - centre))] > 0.7, band
        assert response[:, np.argmin(np.abs(frequencies - centre))].argmax() == band
    # Zero phase: symmetric.
    np.testing.assert_allclose(bands, bands[:, ::-1], atol=1e-12)


def test_gains_are_each_images_own() -> None:
    """Against SciPy, with the filter that an image's gains make, along both axes."""
    generator = np.random.default_rng(1)
    images, gains = generator.standard_normal((3, 2, 9, 30)), generator.uniform(0, 2, (3, 4))
    result = amplify_bands(torch.tensor(images), torch.tensor(gains)).numpy()
    bands = corruptions._bands(torch.float64, torch.device("cpu")).numpy()
    for image, gain, out in zip(images, gains, result, strict=True):
        kernel = gain @ bands
        for channel in range(2):
            padded = np.pad(image[channel], 21, mode="reflect")
            np.testing.assert_allclose(
                out[channel], correlate(padded, np.outer(kernel, kernel), mode="valid"), atol=1e-9
            )


def test_balanced_gains_keep_the_power_of_natural_images() -> None:
    gains = balanced(torch.tensor([[1.0, 1.0, 1.0, 1.0], [2.0, 1.0, 1.0, 1.0]]))
    torch.testing.assert_close(gains[0], torch.ones(4))
    # (10 * 4 + 3) / 13
    torch.testing.assert_close(gains[1], torch.tensor([2.0, 1.0, 1.0, 1.0]) / math.sqrt(43 / 13))


def test_rectangles_are_cut_out_where_they_are_said_to_be() -> None:
    ones = torch.ones(2, 3, 4, 8)
    result = cut_rectangles(ones, torch.tensor([[0.5, 0.5], [0.0, 1.0]]), torch.tensor([0.5, 0.5]))
    expected = np.ones((2, 4, 8))
    expected[0, 1:3, 2:6] = 0
    expected[1, 3, :2] = 0
    np.testing.assert_array_equal(result[:, 0].numpy(), expected)
    assert torch.equal(result[:, 0], result[:, 2])
    assert torch.equal(cut_rectangles(ones, torch.rand(2, 2), torch.zeros(2)), ones)
