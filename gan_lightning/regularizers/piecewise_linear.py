"""ReLU, LeakyReLU and mean pooling whose second derivative is known to be 0, for penalties on gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import Function
from torch.overrides import TorchFunctionMode

_aten = torch.ops.aten


class PiecewiseLinear(TorchFunctionMode):
    """Within it, the gradient of an eager network's ReLU, LeakyReLU and mean pooling has none by their inputs.

    That derivative is 0. Torch computes with it all the same: where it differentiates a gradient, these layers pass
    zeros on to their inputs, and below them every convolution makes the gradients of its input and of its weight of
    them. Of the six convolutions that the gradient of a penalty takes in each layer, four are left: forward, the
    gradient of the input, and the derivatives of that by the gradient that comes in and by the weight.

    Values and gradients have the same bits as without it; a weight that no gradient reaches, such as the bias of a
    convolution, has None in place of zeros.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        return _REPLACED.get(func, func)(*args, **(kwargs or {}))


# A Python function is given zeros in place of no gradient, unless it asks for None: zeros would go on to its inputs.
# The saved tensors are detached, which is all the difference from torch's own gradients.


class _ReLU(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, inplace: bool) -> Tensor:
        return x.relu_() if inplace else x.relu()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, bool], output: Tensor) -> None:
        if inputs[1]:
            ctx.mark_dirty(inputs[0])
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor | None) -> Any:
        (y,) = ctx.saved_tensors
        return None if gradient is None else _aten.threshold_backward(gradient, y.detach(), 0), None


class _LeakyReLU(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, slope: float, inplace: bool) -> Tensor:
        return F.leaky_relu(x, slope, inplace)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float, bool], output: Tensor) -> None:
        if inputs[2]:
            ctx.mark_dirty(inputs[0])
        ctx.slope, ctx.of_output = inputs[1:]
        ctx.set_materialize_grads(False)
        # As torch does, so that the result may be changed in place. Its sign is that of the input, since the slope is
        # not negative.
        ctx.save_for_backward(output if ctx.of_output else inputs[0])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor | None) -> Any:
        if gradient is None:
            return None, None, None
        (saved,) = ctx.saved_tensors
        return _aten.leaky_relu_backward(gradient, saved.detach(), ctx.slope, ctx.of_output), None, None


class _MeanPooling(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, how: tuple[Any, ...]) -> Tensor:
        return F.avg_pool2d(x, *how)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, tuple[Any, ...]], output: Tensor) -> None:
        ctx.how = inputs[1]
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(inputs[0])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor | None) -> Any:
        (x,) = ctx.saved_tensors
        return None if gradient is None else _aten.avg_pool2d_backward(gradient, x.detach(), *ctx.how), None


def _relu(input: Tensor, inplace: bool = False) -> Tensor:
    y: Tensor = _ReLU.apply(input, inplace)
    return y


def _relu_(input: Tensor) -> Tensor:
    return _relu(input, inplace=True)


def _leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    if negative_slope < 0:
        return F.leaky_relu(input, negative_slope, inplace)
    # float: torch takes NumPy's numbers too, and a derivative does not.
    y: Tensor = _LeakyReLU.apply(input, float(negative_slope), inplace)
    return y


def _leaky_relu_(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    return _leaky_relu(input, negative_slope, inplace=True)


def _avg_pool2d(
    input: Tensor,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    kernel_size, padding = _pair(kernel_size), _pair(padding)
    stride = kernel_size if stride is None else _pair(stride)
    how = (kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
    y: Tensor = _MeanPooling.apply(input, how)
    return y


def _pair(size: int | Sequence[int]) -> list[int]:
    return list(size) if isinstance(size, Sequence) else [size, size]


_REPLACED: dict[Callable[..., Any], Callable[..., Any]] = {
    F.relu: _relu,
    F.relu_: _relu_,
    torch.relu: _relu,
    torch.relu_: _relu_,
    Tensor.relu: _relu,
    Tensor.relu_: _relu_,
    F.leaky_relu: _leaky_relu,
    F.leaky_relu_: _leaky_relu_,
    F.avg_pool2d: _avg_pool2d,
}
