"""Large images piece by piece, so that memory does not grow with them."""

from collections.abc import Callable

import torch
from torch import Tensor


def in_tiles(network: Callable[[Tensor], Tensor], images: Tensor, tile_size: int, overlap: int) -> Tensor:
    """What a network makes of images, computed tile by tile.

    It is what the network makes of the whole images if ``overlap`` is as far as the network looks around a pixel.

    Args:
        network: Maps images N x C x H x W, of any size, to images an integer times as large.
        images: N x C x H x W.
        tile_size: Side of a tile, at least 1.
        overlap: Pixels more that the network is given on every side of a tile, where the image has them.

    Returns:
        N x C' x H * scale x W * scale.
    """
    rows = []
    for top in range(0, images.shape[2], tile_size):
        row = []
        for left in range(0, images.shape[3], tile_size):
            y, x = max(top - overlap, 0), max(left - overlap, 0)
            piece = images[:, :, y : top + tile_size + overlap, x : left + tile_size + overlap]
            made = network(piece)
            scale = made.shape[2] // piece.shape[2]
            inner_y, inner_x, side = (top - y) * scale, (left - x) * scale, tile_size * scale
            row.append(made[:, :, inner_y : inner_y + side, inner_x : inner_x + side])
        rows.append(torch.cat(row, dim=3))
    return torch.cat(rows, dim=2)
