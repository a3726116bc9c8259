"""3 x 3 convolutions with nearest upsampling before them, or with mean pooling after them, in one convolution.

Copies of a pixel meet sums of a kernel's weights, and so do the pixels of a mean: the two layers are one transposed or
strided convolution with a 4 x 4 kernel, which takes 4 multiplications where they take 9, and 4 times less memory for
the larger map. In one dimension the kernel ``(a, b, c)`` becomes ``(a, a + b, b + c, c)``. ProGAN's authors have it for
their transposed convolutions (Karras et al., 2018, arXiv 1710.10196, the code's ``fused_scale``).

The function, and the names and shapes of the weights, are those of the two layers; results differ by rounding. Beside
the CPU the two layers are computed one after the other, for cuDNN's fastest kernels are for 3 x 3; so they are in
TorchScript and in exported networks, which run anywhere.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Conv3x3(nn.Conv2d):
    """A 3 x 3 convolution with zeros around the map.

    Args:
        in_channels: Channels in.
        out_channels: Channels out.
        bias: Whether there is a bias.
    """

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, kernel_size=3, padding=1, bias=bias)


class UpsampledConv2d(Conv3x3):
    """``conv3x3(upsample(x))``: pixels copied to twice the side, then a convolution with zeros around them.

    The arguments are those of :class:`Conv3x3`.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, 2H, 2W)."""
        return upsampled_conv2d(x, self.weight, self.bias)


class PooledConv2d(Conv3x3):
    """``mean_pool(conv3x3(x))``: a convolution with zeros around the map, then the mean of every 2 x 2 pixels.

    The arguments are those of :class:`Conv3x3`.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, 2H, 2W) to (N, out_channels, H, W)."""
        return pooled_conv2d(x, self.weight, self.bias)


def upsampled_conv2d(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """What :class:`UpsampledConv2d` does, with a kernel (O, I, 3, 3) and a bias (O,)."""
    if not torch.jit.is_scripting() and _in_one(x):
        # A transposed convolution has its kernel the other way round, and channels in before channels out.
        kernel = _widened(weight).flip(2, 3).transpose(0, 1)
        return F.conv_transpose2d(x, kernel, bias, stride=2, padding=1)
    return F.conv2d(F.interpolate(x, scale_factor=2.0), weight, bias, padding=1)


def pooled_conv2d(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """What :class:`PooledConv2d` does, with a kernel (O, I, 3, 3) and a bias (O,)."""
    if not torch.jit.is_scripting() and _in_one(x):
        return F.conv2d(x, _widened(weight) / 4, bias, stride=2, padding=1)
    return F.avg_pool2d(F.conv2d(x, weight, bias, padding=1), 2)


@torch.jit.unused
def _in_one(x: Tensor) -> bool:
    """Whether one convolution takes the place of the two layers."""
    return x.is_cpu and not torch.compiler.is_exporting()


def _widened(weight: Tensor) -> Tensor:
    """Sums of neighbours of a 3 x 3 kernel, with zeros around it: O x I x 3 x 3 to O x I x 4 x 4."""
    one = weight.new_tensor([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]])
    # One product with a 9 x 16 matrix: faster than sums of slices.
    return (weight.flatten(2) @ torch.kron(one, one)).unflatten(2, (4, 4))
