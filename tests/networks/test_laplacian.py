"""The Laplacian pyramid against its definition, worked by hand."""

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from gan_lightning.networks.layers.laplacian import collapse, down, gaussian_pyramid, laplacian_pyramid, up

SIDES = [[4, 8, 16, 32], [7, 14, 28], [8, 14, 28], [5, 9]]


def images(side: int) -> torch.Tensor:
    return torch.rand(3, 2, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("sides", SIDES)
def test_a_pyramid_collapses_to_its_images(sides: list[int]) -> None:
    pyramid = laplacian_pyramid(images(sides[-1]), sides)
    assert [level.shape for level in pyramid] == [(3, 2, side, side) for side in sides]
    assert all(level.std() > 0.01 for level in pyramid)
    assert_close(collapse(pyramid), images(sides[-1]), rtol=0, atol=1e-6)


def test_each_level_is_the_next_one_made_smaller() -> None:
    coarse, middle, fine = gaussian_pyramid(images(16), [4, 8, 16])
    assert torch.equal(fine, images(16))
    assert torch.equal(middle, down(fine, 8))
    assert torch.equal(coarse, down(middle, 4))
    assert torch.equal(laplacian_pyramid(images(16), [4, 8, 16])[1], middle - up(coarse, 8))


def test_halving_blurs_with_1_3_3_1_and_doubling_weighs_neighbours_3_to_1() -> None:
    x = images(8)
    tap = torch.tensor([1.0, 3, 3, 1]) / 8
    kernel = torch.outer(tap, tap).expand(2, 1, 4, 4)
    assert_close(down(x, 4)[:, :, 1:3, 1:3], F.conv2d(x[:, :, 1:7, 1:7], kernel, stride=2, groups=2))
    y = images(2)
    rows = torch.stack([y[:, :, 0], 0.75 * y[:, :, 0] + 0.25 * y[:, :, 1], 0.25 * y[:, :, 0] + 0.75 * y[:, :, 1]], 2)
    assert_close(up(y, 4)[:, :, :3, 0], rows[..., 0])


@pytest.mark.parametrize(("sides", "pixels"), [([8, 16, 32], 1e-5), ([8, 14, 28], 0.05)])
def test_nothing_is_shifted(sides: list[int], pixels: float) -> None:
    """The middle of an image whose brightness is the place itself stays as it is through all levels."""
    side = sides[-1]
    place = ((torch.arange(side) + 0.5) / side).expand(1, 1, side, side)
    for level, length in zip(gaussian_pyramid(place, sides), sides, strict=True):
        assert_close(level[0, 0, 0, 2:-2], ((torch.arange(length) + 0.5) / length)[2:-2], rtol=0, atol=pixels / length)
    for residual in laplacian_pyramid(place, sides)[1:]:
        inner = residual[..., residual.shape[-1] // 4 : -residual.shape[-1] // 4]
        assert_close(inner, torch.zeros_like(inner), rtol=0, atol=pixels / sides[0])


def test_half_precision_keeps_its_type() -> None:
    assert_close(down(images(8).bfloat16(), 4), down(images(8).bfloat16().float(), 4).bfloat16())
