"""Convolutions of a trained network, on CPUs, in fewer multiplications and with the usual digits.

All are ``F.conv2d`` with a bias in float32, of images N x C x H x W in channels-last memory, without gradients.
Convolution is multiplication of polynomials, and a product of polynomials can be found from its values at some points:
transform both factors, multiply value by value, transform back. Here each value is a matrix over the channels, whose
products are the work that counts, and the transforms are small constant matrices.

- Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, CVPR 2016, arXiv 1509.09308: square tiles.
- Zlateski, Jia, Li and Durand, FFT Convolutions are Faster than Winograd on Modern CPUs, 2018, arXiv 1809.07851.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from gan_lightning.networks.layers.winograd import minimal_filtering

Convolution = Callable[[Tensor], Tensor]

_TILE = 4
"""Outputs of a tile, in either direction: the transform is exact enough, and what tiles share is not too much."""
_POINTS = {3: (0.0, 1.0, -1.0, 0.5, -2.0), 5: (0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0)}
"""Where polynomials are evaluated, beside infinity, by the length of the kernel: small and symmetric loses least."""
_FEWEST_CHANNELS = 48
"""Below, transforming tiles costs more than it saves."""
_MOST_VALUES = 4_000_000
"""Of an image's transformed tiles: above, they no longer fit into a processor's cache."""


class Transforms(NamedTuple):
    """Correlation of n values with k as ``A ((B x) * (G w))``: R products in place of (number of outputs) x k.

    Attributes:
        B: Of the values, R x n, float64.
        G: Of the kernel, R x k.
        A: Of the products, outputs x R.
    """

    B: Tensor
    G: Tensor
    A: Tensor


@cache
def line_transforms(length: int, k: int) -> Transforms:
    """Of a whole line with zeros around it, ``length`` outputs: a real Fourier transform.

    A complex product is three real ones (Gauss): with x = a + bi and w = c + di, its parts are ``c(a + b) - b(c + d)``
    and ``c(a + b) + a(d - c)``.
    """
    # Long enough that what wraps around is only what is cut off.
    n, before = length + k // 2, k // 2
    positions = torch.arange(n, dtype=torch.float64)
    of_values, of_kernel, of_products = [], [], []
    for frequency in range(n // 2 + 1):
        angle = 2 * math.pi * frequency * positions / n
        cos, sin = angle.cos(), -angle.sin()
        if frequency == 0 or 2 * frequency == n:  # real
            of_values.append(cos[:length])
            of_kernel.append(cos[:k])
            of_products.append(cos / n)
            continue
        a, b, c, d = cos[:length], sin[:length], cos[:k], sin[:k]
        of_values += [a + b, a, b]
        of_kernel += [c, d - c, c + d]
        of_products += [2 / n * (cos + sin), 2 / n * sin, -2 / n * cos]
    # A convolution turns its kernel round, a network's does not.
    kernel = torch.stack(of_kernel).flip(1)
    return Transforms(torch.stack(of_values), kernel, torch.stack(of_products, 1)[before : before + length])


@cache
def tile_transforms(k: int) -> Transforms:
    """Of tiles with ``_TILE`` outputs: values at a few points and at infinity (Winograd's minimal filtering)."""
    return Transforms(*minimal_filtering(_TILE, k, _POINTS[k]))


def resized(images: Tensor, side: int) -> Tensor:
    """uint8 images, n x C x H x W, as float32 in ``side`` x ``side``, by TensorFlow 1's bilinear resize."""
    height, width = (_resize_matrix(size, side) for size in images.shape[2:])
    return (height @ images.float() @ width.T).contiguous(memory_format=torch.channels_last)


@cache
def _resize_matrix(size: int, side: int) -> Tensor:
    """Of ``size`` values to ``side``: side x size, float32."""
    # TensorFlow 1 adds no half pixel: value i of the result is at place i * size / side.
    places = torch.arange(side, dtype=torch.float32) * torch.tensor(size / side, dtype=torch.float32)
    lower = places.long()
    upper = (lower + 1).clamp_max(size - 1)
    rows, share = torch.arange(side), places - lower
    matrix = torch.zeros(side, size)
    matrix[rows, lower] += 1 - share
    matrix[rows, upper] += share
    return matrix


def convolution(weight: Tensor, bias: Tensor, stride: int, padding: tuple[int, int], size: int) -> Convolution:
    """The fastest of the kinds below for images of ``size`` x ``size``.

    Args:
        weight: Co x C x h x w.
        bias: Co.
        stride: In both directions.
        padding: Zeros above and below, left and right.
        size: Height and width of the images.
    """
    height, width = weight.shape[2:]
    if stride == 1 and (height == 1) != (width == 1):
        return _lines(weight, bias, size)
    values = len(weight) * (-(-size // _TILE) * (_TILE + height - 1)) ** 2
    tiled = height == width and height in _POINTS and weight.shape[1] >= _FEWEST_CHANNELS and values <= _MOST_VALUES
    if stride == 1 and tiled:
        return _tiles(weight, bias, padding[0])
    direct, offset = weight.float().contiguous(memory_format=torch.channels_last), bias.float()
    return lambda images: F.conv2d(images, direct, offset, stride, padding)


def _lines(weight: Tensor, bias: Tensor, size: int) -> Convolution:
    """Kernels 1 x k and k x 1 with k // 2 zeros around, by Fourier transforms of whole rows or columns."""
    columns = weight.shape[2] > 1
    B, G, A = line_transforms(size, max(weight.shape[2:]))
    products = _transformed(weight, G)
    # The first product is the sum of a line, and has the same part in every output.
    offset = (bias.double() / A[0, 0]).float()
    B, A = B.float(), A.float()

    def apply(images: Tensor) -> Tensor:
        maps = images.permute(0, 2, 3, 1)
        n, height, width, channels = maps.shape
        # R x lines x C
        if columns:
            values = (B @ maps.transpose(0, 1).reshape(size, -1)).view(len(B), -1, channels)
        else:
            values = (B @ maps.reshape(-1, size, channels)).transpose(0, 1)
        found = torch.bmm(values, products)
        found[0] += offset
        result = A @ (found.view(len(B), n, -1) if columns else found).transpose(0, 1)
        return result.view(n, height, width, -1).permute(0, 3, 1, 2)

    return apply


def _tiles(weight: Tensor, bias: Tensor, padding: int) -> Convolution:
    """Kernels k x k, by the transforms of overlapping tiles."""
    k = weight.shape[2]
    side = _TILE + k - 1
    B, G, A = tile_transforms(k)
    products = _transformed(weight, torch.kron(G, G))
    B, A, offset = torch.kron(B, B).float(), torch.kron(A, A).float(), bias.float()

    def apply(images: Tensor) -> Tensor:
        n, channels, *sizes = images.shape
        height, width = (size + 2 * padding - k + 1 for size in sizes)
        rows, columns = -(-height // _TILE), -(-width // _TILE)
        below, right = (
            count * _TILE + k - 1 - padding - size for count, size in zip((rows, columns), sizes, strict=True)
        )
        padded = F.pad(images.permute(0, 2, 3, 1), (0, 0, padding, right, padding, below))
        # n x rows x columns x C x side x side to side^2 x (tiles, C)
        tiles = padded.unfold(1, side, _TILE).unfold(2, side, _TILE)
        values = B @ tiles.permute(4, 5, 0, 1, 2, 3).reshape(side * side, -1)
        found = torch.bmm(values.view(side * side, -1, channels), products)
        result = (A @ found.flatten(1)).view(_TILE, _TILE, n, rows, columns, -1).add_(offset)
        whole = result.permute(2, 3, 0, 4, 1, 5).reshape(n, rows * _TILE, columns * _TILE, -1)
        return whole[:, :height, :width].permute(0, 3, 1, 2)

    return apply


def _transformed(weight: Tensor, G: Tensor) -> Tensor:
    """Kernels Co x C x h x w by a transform R x (h w): R x C x Co, float32."""
    n_out, n_in = weight.shape[:2]
    # One product of matrices in float32: in float64, for digits that are cut off, the start would take a second longer.
    kernels = weight.float().flatten(2).permute(2, 1, 0).reshape(-1, n_in * n_out)
    return (G.float() @ kernels).view(-1, n_in, n_out)
