"""Convolutions of stride 1 by Winograd's minimal filtering (Lavin, Gray, CVPR 2016, arXiv 1509.09308), on CPUs.

An output tile of ``m x m`` pixels of an ``r x r`` kernel takes ``(m + r - 1)^2`` multiplications for each pair of
channels instead of ``m^2 r^2``: with tiles of 6 x 6 inputs a quarter, for 3 x 3 and for 4 x 4 kernels. In one dimension

    Y = A^T ((G w) * (B^T x))

where ``*`` is elementwise; the matrices are those of a polynomial product evaluated at the points 0, 1, -1, 2, -2 and
infinity. Over the channels the elementwise product is a matrix product, one for each of the 36 places of a tile. The
transforms cost memory traffic, so it pays for many channels only; :func:`pays` reckons it by the shapes.

Rounding: about 1e-5 of the largest value in float32, where the direct convolutions of oneDNN are off by 2e-6.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.grad import conv2d_input, conv2d_weight

from gan_lightning.trainer.internals import gradient_is_asked

_POINTS = (0.0, 1.0, -1.0, 2.0, -2.0)
_TILE = len(_POINTS) + 1
_PLACES = _TILE**2
_TILES_AT_ONCE = 128
_OF_KERNELS, _OF_KEPT_KERNELS = 40, 12
"""Cost of a number of the kernel, in multiplications: of its transform, and of one that was made before."""
_MARGIN = 1.25
"""How many times as fast it must be by the estimate: by the clock it was 0.9 of that at the worst."""


class WinogradConv2d(nn.Conv2d):
    """:class:`torch.nn.Conv2d` of a 3 x 3 or 4 x 4 kernel with stride 1; by Winograd's algorithm where that is faster.

    Args:
        in_channels: Channels in.
        out_channels: Channels out.
        kernel_size: 3 or 4.
        padding: Zeros around the map.
        bias: Whether there is a bias.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int = 3, padding: int = 0, bias: bool = True
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, padding=padding, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H', W')."""
        # Read once: a spectral norm iterates whenever its weight is read.
        weight = self.weight
        if not torch.jit.is_scripting():  # TorchScript compiles torch's convolution alone.
            return convolve(x, weight, self.bias, int(self.padding[0]))
        return F.conv2d(x, weight, self.bias, padding=self.padding)


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None = None, padding: int = 0) -> Tensor:
    """``conv2d`` of stride 1, by Winograd's algorithm where that is faster; arguments as of torch's function."""
    if weight.shape[2] in (3, 4) and pays(x, weight, padding):
        y: Tensor = _Winograd.apply(x, weight, padding)
        return y if bias is None else y.add_(bias[:, None, None])
    return F.conv2d(x, weight, bias, padding=padding)


class KeptKernel:
    """Convolutions of stride 1 with a kernel that stays, which is transformed once; without gradients.

    Args:
        weight: K x C x r x r.
    """

    def __init__(self, weight: Tensor) -> None:
        self.weight = weight
        self._transformed: Tensor | None = None

    def convolve(self, x: Tensor, padding: int = 0) -> Tensor:
        """``conv2d`` of maps (N, C, H, W), by Winograd's algorithm where that is faster."""
        r = self.weight.shape[2]
        if r not in (3, 4) or not pays(x, self.weight, padding, _OF_KEPT_KERNELS):
            return F.conv2d(x, self.weight, padding=padding)
        if self._transformed is None:
            self._transformed = _kernels(self.weight)
        return _convolved(x, self._transformed, r, padding)


def pays(x: Tensor, weight: Tensor, padding: int, of_kernels: int = _OF_KERNELS) -> bool:
    """Whether Winograd's algorithm is the faster one for an input (N, C, H, W) and a kernel (K, C, r, r).

    Compiled, traced and exported networks, autocast, other number types and memory formats keep torch's convolution.
    """
    if is_recorded() or not x.is_cpu or torch.is_autocast_enabled("cpu"):
        return False
    if x.dtype != weight.dtype or x.dtype not in (torch.float32, torch.float64):
        return False
    if x.ndim != 4 or not x.is_contiguous():
        return False
    k, c, r, _ = weight.shape
    rows, columns = (side + 2 * padding - r + 1 for side in x.shape[2:])
    across = _n_tiles(columns, r)
    n_tiles = len(x) * _n_tiles(rows, r) * across
    # All in multiplications of a matrix product. Short rows of tiles are slow to copy.
    direct = len(x) * rows * columns * r * r * c * k
    of_maps = 50 * (1 + 12 / across) * n_tiles * (c + k)
    traffic = (of_kernels * c * k + of_maps) * (
        2 if torch.backends.cpu.get_cpu_capability().startswith("AVX512") else 1
    )
    return bool(direct > _MARGIN * _PLACES * (n_tiles * c * k + traffic))


def is_recorded() -> bool:
    """Whether operations are recorded for another run: compiled, traced or exported."""
    return torch.compiler.is_compiling() or torch.jit.is_tracing()


def _n_tiles(outputs: int, r: int) -> int:
    """Tiles that cover a side of so many outputs."""
    return -(-outputs // (_TILE - r + 1))


class _Winograd(torch.autograd.Function):
    """Convolution without bias, whose gradient has a gradient in turn: that of the input by the same algorithm."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, weight: Tensor, padding: int) -> Tensor:
        return _convolved(x, _kernels(weight), weight.shape[2], padding)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, int], output: Tensor) -> None:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*inputs[:2])
        ctx.save_for_forward(*inputs[:2])
        ctx.padding = inputs[2]

    @staticmethod
    def jvp(ctx: Any, of_x: Tensor | None, of_weight: Tensor | None, _: None) -> Any:
        x, weight = ctx.saved_tensors
        by_x = 0 if of_x is None else F.conv2d(of_x, weight, padding=ctx.padding)
        return by_x if of_weight is None else by_x + F.conv2d(x, of_weight, padding=ctx.padding)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor | None) -> tuple[Tensor | None, Tensor | None, None]:
        if gradient is None:
            return None, None, None
        x, weight = ctx.saved_tensors
        # A penalty's first pass asks for the gradient of the input alone, though the weight has one too.
        needs = [needed and gradient_is_asked(ctx, place) for place, needed in enumerate(ctx.needs_input_grad[:2])]
        of_x: Tensor | None = None
        of_weight: Tensor | None = None
        if needs[0]:
            of_x = _InputGradient.apply(gradient, weight, x.shape, ctx.padding)
        if needs[1] and torch.is_grad_enabled():  # A second derivative is wanted.
            of_weight = conv2d_weight(x, weight.shape, gradient, padding=ctx.padding)
        elif needs[1]:
            of_weight = _weight_gradient(gradient, x, weight, ctx.padding)
        return of_x, of_weight, None


class _InputGradient(torch.autograd.Function):
    """Gradient of the convolution by its input of ``shape``: linear in the weight, and in what comes in."""

    generate_vmap_rule = True

    @staticmethod
    def forward(gradient: Tensor, weight: Tensor, shape: tuple[int, ...], padding: int) -> Tensor:
        r, kernels = weight.shape[2], _kernels(weight).mT
        parts = gradient.split(_images(gradient.shape[2], gradient.shape[3], r))
        return torch.cat(
            [
                _inputs_gradient(torch.bmm(kernels, _products_gradient(part, r)), (len(part), *shape[1:]), r, padding)
                for part in parts
            ]
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, tuple[int, ...], int], output: Tensor) -> None:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*inputs[:2])
        ctx.save_for_forward(*inputs[:2])
        ctx.shape, ctx.padding = inputs[2:]

    @staticmethod
    def jvp(ctx: Any, of_gradient: Tensor | None, of_weight: Tensor | None, *_: None) -> Any:
        gradient, weight = ctx.saved_tensors
        by_gradient = 0 if of_gradient is None else conv2d_input(ctx.shape, weight, of_gradient, padding=ctx.padding)
        if of_weight is None:
            return by_gradient
        return by_gradient + conv2d_input(ctx.shape, of_weight, gradient, padding=ctx.padding)

    @staticmethod
    def backward(ctx: Any, of: Tensor | None) -> tuple[Tensor | None, Tensor | None, None, None]:
        if of is None:
            return None, None, None, None
        gradient, weight = ctx.saved_tensors
        of_gradient = convolve(of, weight, padding=ctx.padding) if ctx.needs_input_grad[0] else None
        of_weight: Tensor | None = None
        if ctx.needs_input_grad[1] and torch.is_grad_enabled():  # A third derivative is wanted.
            of_weight = conv2d_weight(of, weight.shape, gradient, padding=ctx.padding)
        elif ctx.needs_input_grad[1]:
            of_weight = _weight_gradient(gradient, of, weight, ctx.padding)
        return of_gradient, of_weight, None, None


def _weight_gradient(gradient: Tensor, x: Tensor, weight: Tensor, padding: int) -> Tensor:
    r = weight.shape[2]
    size = _images(gradient.shape[2], gradient.shape[3], r)
    of_kernels: Tensor | None = None
    for part, of_part in zip(x.split(size), gradient.split(size), strict=True):
        products, inputs = _products_gradient(of_part, r), _inputs(part, r, padding).mT
        # Zeros to add to would not be batched in a vmap of gradients.
        if of_kernels is None:
            of_kernels = torch.bmm(products, inputs)
        else:
            of_kernels.baddbmm_(products, inputs)
    assert of_kernels is not None  # there are images, else it would not pay
    return _kernels_gradient(of_kernels, weight)


def _convolved(x: Tensor, kernels: Tensor, r: int, padding: int) -> Tensor:
    """The convolution by a transformed kernel, 36 x K x C, of r x r numbers: N x C x H x W to N x K x H' x W'."""
    rows, columns = (side + 2 * padding - r + 1 for side in x.shape[2:])
    parts = (_inputs(part, r, padding) for part in x.split(_images(rows, columns, r)))
    return torch.cat([_outputs(torch.bmm(kernels, part), kernels.shape[1], rows, columns, r) for part in parts])


def _images(rows: int, columns: int, r: int) -> int:
    """Images at a time: as many as their tiles keep matrix products busy and stay in the cache."""
    return -(-_TILES_AT_ONCE // (_n_tiles(rows, r) * _n_tiles(columns, r)))


def _kernels(weight: Tensor) -> Tensor:
    """G w G^T: K x C x r x r to 36 x K x C."""
    k, c, r, _ = weight.shape
    return (_matrices(r, weight.dtype)[0] @ weight.reshape(k * c, r * r).t()).view(_PLACES, k, c)


def _kernels_gradient(gradient: Tensor, weight: Tensor) -> Tensor:
    k, c, r, _ = weight.shape
    # Transposed at the end: the transposed product is four times as slow.
    return (_matrices(r, weight.dtype)[0].t() @ gradient.view(_PLACES, k * c)).t().reshape(k, c, r, r)


def _padded(side: int, r: int, padding: int) -> tuple[int, int]:
    """Zeros before and after a side, so that tiles cover it."""
    return padding, _n_tiles(side + 2 * padding - r + 1, r) * (_TILE - r + 1) + r - 1 - side - padding


def _inputs(x: Tensor, r: int, padding: int) -> Tensor:
    """B^T x B of overlapping tiles: N x C x H x W to 36 x C x (N tiles)."""
    m = _TILE - r + 1
    x = F.pad(x, (*_padded(x.shape[3], r, padding), *_padded(x.shape[2], r, padding)))
    tiles = x.unfold(2, _TILE, m).unfold(3, _TILE, m).permute(4, 5, 1, 0, 2, 3)
    return (_matrices(r, x.dtype)[1] @ tiles.reshape(_PLACES, -1)).view(_PLACES, x.shape[1], -1)


def _inputs_gradient(gradient: Tensor, shape: tuple[int, ...], r: int, padding: int) -> Tensor:
    n, c, height, width = shape
    above, below = _padded(height, r, padding)
    left, right = _padded(width, r, padding)
    tiles = _matrices(r, gradient.dtype)[1].t() @ gradient.view(_PLACES, -1)
    # Tiles overlap: what is in several is added up.
    columns = tiles.view(_PLACES, c, n, -1).permute(2, 1, 0, 3).reshape(n, c * _PLACES, -1)
    whole = F.fold(columns, (above + height + below, left + width + right), _TILE, stride=_TILE - r + 1)
    return whole[:, :, above : above + height, left : left + width].contiguous()


def _outputs(products: Tensor, k: int, rows: int, columns: int, r: int) -> Tensor:
    """A^T (...) A, tiles put together: 36 x K x (N tiles) to N x K x rows x columns."""
    m = _TILE - r + 1
    down, across = _n_tiles(rows, r), _n_tiles(columns, r)
    tiles = (_matrices(r, products.dtype)[2] @ products.view(_PLACES, -1)).view(m, m, k, -1, down, across)
    whole = tiles.permute(3, 2, 4, 0, 5, 1).reshape(-1, k, down * m, across * m)
    return whole[:, :, :rows, :columns].contiguous()


def _products_gradient(gradient: Tensor, r: int) -> Tensor:
    n, k, rows, columns = gradient.shape
    m = _TILE - r + 1
    down, across = _n_tiles(rows, r), _n_tiles(columns, r)
    whole = F.pad(gradient, (0, across * m - columns, 0, down * m - rows))
    tiles = whole.view(n, k, down, m, across, m).permute(3, 5, 1, 0, 2, 4).reshape(m * m, -1)
    return (_matrices(r, gradient.dtype)[2].t() @ tiles).view(_PLACES, k, -1)


@cache
def _matrices(r: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """G (36 x r^2), B^T (36 x 36) and A^T (m^2 x 36) for both dimensions at once."""
    b, g, a = minimal_filtering(_TILE - r + 1, r, _POINTS)
    both = [torch.kron(one, one).to(dtype) for one in (g, b, a)]
    return both[0], both[1], both[2]


def minimal_filtering(outputs: int, r: int, points: Sequence[float]) -> tuple[Tensor, Tensor, Tensor]:
    """Matrices of ``F(outputs, r)`` in one dimension: ``Y = A^T ((G w) * (B^T x))``.

    Args:
        outputs: Outputs of a tile.
        r: Length of the kernel.
        points: Where the polynomials are evaluated, beside infinity: ``outputs + r - 2`` numbers.

    Returns:
        B^T (t x t), G (t x r) and A^T (outputs x t), float64, with ``t = outputs + r - 1``.
    """
    t = len(points) + 1
    b_t, g, a_t = (torch.zeros(shape, dtype=torch.float64) for shape in ((t, t), (t, r), (outputs, t)))
    for place, point in enumerate(points):
        others = [other for other in points if other != point]
        # A polynomial of degree n has the value sum_i c_i p^i at p, and is found again by Lagrange's formula.
        g[place] = _powers(point, r) / prod(point - other for other in others)
        b_t[place, :-1] = _with_roots(others)
        a_t[:, place] = _powers(point, outputs)
    # The point at infinity has the highest coefficient.
    g[-1, -1] = a_t[-1, -1] = 1
    b_t[-1] = _with_roots(points)
    return b_t, g, a_t


def _powers(point: float, n: int) -> Tensor:
    return torch.tensor([point**power for power in range(n)], dtype=torch.float64)


def _with_roots(roots: Iterable[float]) -> Tensor:
    """Coefficients of ``prod (x - root)``, the lowest power first."""
    coefficients = torch.ones(1, dtype=torch.float64)
    for root in roots:
        coefficients = F.pad(coefficients, (1, 0)) - root * F.pad(coefficients, (0, 1))
    return coefficients
