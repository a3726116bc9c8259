"""Processing of large images in tiles, in constant memory."""

from collections.abc import Callable

import torch
from torch import Tensor


def in_tiles(network: Callable[[Tensor], Tensor], images: Tensor, tile_size: int, overlap: int) -> Tensor:
    """Apply a network to images tile by tile.

    The result is that for the whole images if ``overlap`` is at least the radius of the network's receptive field.

    Args:
        network: Maps images N x C x H x W, of any size, to images larger by an integer factor, ``scale``.
        images: N x C x H x W.
        tile_size: Side of a tile, at least 1.
        overlap: Margin in pixels that a tile has on every side as input, within the image.

    Returns:
        N x C' x H * scale x W * scale.
    """
    # Row by row: only one tile's activations are in memory at a time, beside the result.
    rows = []
    for top in range(0, images.shape[2], tile_size):
        row = []
        for left in range(0, images.shape[3], tile_size):
            # Corner of the tile with its margin; slices end at the image's border by themselves.
            y, x = max(top - overlap, 0), max(left - overlap, 0)
            piece = images[:, :, y : top + tile_size + overlap, x : left + tile_size + overlap]
            made = network(piece)
            scale = made.shape[2] // piece.shape[2]
            # Without the margin, whose pixels have not seen all of their neighbours.
            inner_y, inner_x, side = (top - y) * scale, (left - x) * scale, tile_size * scale
            row.append(made[:, :, inner_y : inner_y + side, inner_x : inner_x + side])
        rows.append(torch.cat(row, dim=3))
    return torch.cat(rows, dim=2)
