"""An image computed in tiles is the image computed at once."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from gan_lightning.inference.tiling import in_tiles
from gan_lightning.networks import SRResNet


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    network = SRResNet((3, 8, 8), (3, 16, 16), width=4, n_blocks=1)
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
    return network.eval().requires_grad_(False)


@pytest.mark.parametrize("size", [(40, 57), (1, 1), (16, 16), (17, 5)])
@pytest.mark.parametrize("tile_size", [1, 16, 100])
def test_tiles_are_the_whole(network: nn.Module, size: tuple[int, int], tile_size: int) -> None:
    images = torch.rand(2, 3, *size) * 2 - 1
    made = in_tiles(network, images, tile_size, network.reach)
    assert made.shape == (2, 3, 2 * size[0], 2 * size[1])
    assert_close(made, network(images), rtol=0, atol=1e-5)


def test_a_smaller_overlap_would_show(network: nn.Module) -> None:
    images = torch.rand(1, 3, 40, 57) * 2 - 1
    seams = (in_tiles(network, images, 16, network.reach - 3) - network(images)).abs().amax(dim=(0, 1))
    assert seams.max() > 1e-5
    assert seams[:20, :20].max() < 1e-5  # far from the seams


def test_no_more_than_a_tile_and_what_is_around_it_is_computed_at_once() -> None:
    sizes = []

    def look(piece: torch.Tensor) -> torch.Tensor:
        sizes.append(tuple(piece.shape[2:]))
        return piece

    images = torch.rand(1, 1, 50, 30)
    assert torch.equal(in_tiles(look, images, 20, 3), images)
    assert sizes == [(23, 23), (23, 13), (26, 23), (26, 13), (13, 23), (13, 13)]
