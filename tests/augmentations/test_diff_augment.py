"""DiffAugment against its three transformations in plain NumPy, by the draws that its results show."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import kstest
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from gan_lightning.augmentations import DiffAugment


def transformed(images: Tensor, *policy: Any, **strengths: float) -> np.ndarray:
    (out,) = DiffAugment(policy, **strengths)(images)
    return out.numpy()


def test_colors_are_three_transformations_one_after_the_other() -> None:
    """Each image's brightness, saturation and contrast are found from its pixels, and applied as the paper has them."""
    torch.manual_seed(0)
    images = (torch.rand(1500, 3, 4, 5) * 2 - 1).double()
    changed = transformed(images, "color")
    draws = []
    for x, y in zip(images.numpy(), changed, strict=True):
        # y = c s x + c (1 - s) grey + constant, by least squares.
        grey = np.broadcast_to(x.mean(axis=0), x.shape)
        columns = np.stack([x.ravel(), grey.ravel(), np.ones(x.size)], axis=1)
        (product, rest, constant), *_ = np.linalg.lstsq(columns, y.ravel(), rcond=None)
        c = product + rest
        b, s = constant - (1 - c) * x.mean(), product / c
        draws.append((b, s, c))
        # Brightness, then saturation, then contrast.
        expected = x + b
        expected = (expected - expected.mean(axis=0)) * s + expected.mean(axis=0)
        expected = (expected - expected.mean()) * c + expected.mean()
        np.testing.assert_allclose(y, expected, atol=1e-9)
    # The draws are uniform and independent. Seeded, so a bound on the p-value fails always or never.
    for values, low, width in zip(np.array(draws).T, (-0.5, 0.0, 0.5), (1.0, 2.0, 1.0), strict=True):
        assert kstest(values, "uniform", (low, width)).pvalue > 0.01
    assert np.abs(np.corrcoef(np.array(draws).T) - np.eye(3)).max() < 5 / np.sqrt(len(draws))


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_images_without_colors_have_brightness_and_contrast(channels: int) -> None:
    images = torch.rand(20, channels, 4, 4, dtype=torch.float64)
    changed = transformed(images, "color")
    for x, y in zip(images.numpy(), changed, strict=True):
        slope, constant = np.polyfit(x.ravel(), y.ravel(), 1)
        np.testing.assert_allclose(y, slope * x + constant, atol=1e-9)
        assert 0.5 <= slope <= 1.5


def test_transparency_keeps_its_values() -> None:
    images = torch.rand(8, 4, 6, 6)
    torch.manual_seed(0)
    with_alpha = transformed(images, "color")
    torch.manual_seed(0)
    np.testing.assert_array_equal(with_alpha[:, :3], transformed(images[:, :3], "color"))
    np.testing.assert_array_equal(with_alpha[:, 3], images[:, 3].numpy())
    assert (transformed(images, "cutout")[:, 3] == 0).any()


def shifted(x: np.ndarray, down: int, right: int) -> np.ndarray:
    """A picture moved by whole pixels; what comes in is 0."""
    _, height, width = x.shape
    out = np.zeros_like(x)
    for row in range(height):
        for column in range(width):
            if 0 <= row - down < height and 0 <= column - right < width:
                out[:, row, column] = x[:, row - down, column - right]
    return out


@pytest.mark.parametrize("shape", [(1, 8, 16), (3, 9, 8)])
def test_translation_moves_by_whole_pixels_up_to_an_eighth(shape: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    x = torch.rand(shape)
    # floor(side / 8 + 1/2): 1 of 8, 1 of 9 and 2 of 16 pixels.
    most = [int(side / 8 + 0.5) for side in shape[1:]]
    possible = {
        (down, right): shifted(x.numpy(), down, right)
        for down in range(-most[0], most[0] + 1)
        for right in range(-most[1], most[1] + 1)
    }
    counts = dict.fromkeys(possible, 0)
    for y in transformed(x.expand(900, *shape), "translation"):
        (found,) = [shift for shift, picture in possible.items() if np.array_equal(picture, y)]
        counts[found] += 1
    # All shifts are as frequent: five deviations of a binomial distribution.
    share = 900 / len(counts)
    assert all(abs(count - share) < 5 * np.sqrt(share) for count in counts.values())


@pytest.mark.parametrize(("height", "width"), [(8, 8), (6, 10), (5, 7)])
def test_cutout_is_one_square_whose_centre_is_any_pixel(height: int, width: int) -> None:
    torch.manual_seed(0)
    lengths = [int(side / 2 + 0.5) for side in (height, width)]

    def spans(side: int, length: int) -> list[np.ndarray]:
        # An even square has its centre between two pixels, of which there is one more.
        ends = range(side + (1 - length % 2))
        return [
            np.isin(np.arange(side), np.arange(centre - length // 2, centre - length // 2 + length)) for centre in ends
        ]

    rows, columns = (spans(side, length) for side, length in zip((height, width), lengths, strict=True))
    possible = [~(row[:, None] & column[None]) for row in rows for column in columns]
    kept = transformed(torch.ones(3000, 2, height, width), "cutout")
    counts = np.zeros(len(possible))
    for y in kept:
        np.testing.assert_array_equal(y[0], y[1])
        counts[[np.array_equal(picture, y[0] == 1) for picture in possible].index(True)] += 1
    share = 3000 / len(possible)
    assert (np.abs(counts - share) < 5 * np.sqrt(share)).all()


def test_each_image_has_a_draw_of_its_own_and_each_call_draws_anew() -> None:
    torch.manual_seed(0)
    images = torch.rand(1, 3, 16, 16).expand(16, 3, 16, 16)
    for policy in ("color", "translation", "cutout"):
        one, other = transformed(images, policy), transformed(images, policy)
        assert len(np.unique(one.reshape(16, -1), axis=0)) > 8, policy
        assert not np.array_equal(one, other), policy
    torch.manual_seed(1)
    first = transformed(images, "color", "translation", "cutout")
    torch.manual_seed(1)
    np.testing.assert_array_equal(first, transformed(images, "cutout", "translation", "color"))


@pytest.mark.parametrize("policy", [["color"], ["translation"], ["cutout"], ["color", "translation", "cutout"]])
def test_it_is_differentiable_twice(policy: Any) -> None:
    images = torch.rand(3, 3, 5, 6, dtype=torch.float64, requires_grad=True)
    augmentation = DiffAugment(policy)

    def seeded(x: Tensor) -> Any:
        torch.manual_seed(3)
        # A square: the transformations are linear, and their second derivatives would be 0.
        return augmentation(x)[0].square()

    assert not torch.equal(seeded(images), images.square())
    # Fast: along random directions, which a wrong entry of the Jacobian does not miss.
    assert gradcheck(seeded, images, fast_mode=True)
    assert gradgradcheck(seeded, images, fast_mode=True)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DiffAugment([]), "policy is empty: name color, translation or cutout"),
        (lambda: DiffAugment(["colour"]), r"policy is \['colour'\]: it must be a list, each one of|policy"),  # type: ignore[list-item]
        (lambda: DiffAugment(brightness=-1), "brightness is -1: it must be at least 0"),
        (lambda: DiffAugment(cutout=1.5), "cutout is 1.5: it must be from 0 to 1"),
        (lambda: DiffAugment(translation=float("nan")), "translation is nan"),
    ],
)
def test_arguments_out_of_range_are_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
