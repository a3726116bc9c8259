"""Layers with an equalised learning rate: weights are drawn from N(0, 1) and scaled whenever they are used.

Karras et al., ICLR 2018, arXiv 1710.10196, section 4.1. With He's scale ``gain / sqrt(fan_in)`` in the layer and not in
its initial weights, a step of Adam, which does not depend on the size of the gradient, changes every layer by the same
share. A gain of sqrt(2) is that of a following LeakyReLU; since ``f(c x) = c f(x)`` for c > 0, it is also the scaled
activation of StyleGAN2.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_lightning.networks.layers.resampling import pooled_conv2d, upsampled_conv2d
from gan_lightning.networks.layers.winograd import convolve

LEAKY_GAIN = math.sqrt(2)
"""Gain of a layer before a LeakyReLU."""
LEAK = 0.2
"""Slope of the LeakyReLU below 0 in ProGAN and after."""


class EqualizedLinear(nn.Linear):
    """A linear layer ``gain * lr_multiplier / sqrt(in_features) * W x + gain_b * lr_multiplier * b``.

    Args:
        in_features: Length in.
        out_features: Length out.
        bias: Its initial value; None: there is none.
        gain: Factor of the weights; :data:`LEAKY_GAIN` before a LeakyReLU.
        bias_gain: Factor of the bias: StyleGAN2's activation multiplies the bias too, ProGAN's does not.
        lr_multiplier: The layer learns so much slower: 0.01 in StyleGAN's mapping network. First outputs are the same.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: float | None = 0.0,
        gain: float = 1.0,
        bias_gain: float = 1.0,
        lr_multiplier: float = 1.0,
    ) -> None:
        self.initial_bias = bias
        self.lr_multiplier = lr_multiplier
        super().__init__(in_features, out_features, bias is not None)
        self.scale = gain * lr_multiplier / math.sqrt(in_features)
        self.bias_scale = bias_gain * lr_multiplier

    def reset_parameters(self) -> None:
        """Initialise the weights from N(0, 1) over the rate's multiplier, and the bias to its initial value."""
        with torch.no_grad():
            self.weight.normal_(std=1 / self.lr_multiplier)
            if self.initial_bias is not None:
                self.bias.fill_(self.initial_bias / self.lr_multiplier)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_features) to (N, out_features)."""
        return F.linear(x, self.weight * self.scale, self.bias if self.bias is None else self.bias * self.bias_scale)


class EqualizedConv2d(nn.Conv2d):
    """A convolution ``gain / sqrt(fan_in) * W * x + bias_gain * b``.

    Args:
        in_channels: Channels in.
        out_channels: Channels out.
        kernel_size: Side of the kernel.
        stride: Step of the kernel.
        padding: Zeros around the map. None: as many as keep the sides at stride 1.
        bias: Whether there is a bias, which starts at 0.
        gain: Factor of the weights; :data:`LEAKY_GAIN` before a LeakyReLU.
        bias_gain: Factor of the bias: StyleGAN2's activation multiplies the bias too, ProGAN's does not.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        stride: int = 1,
        padding: int | None = None,
        bias: bool = True,
        gain: float = 1.0,
        bias_gain: float = 1.0,
    ) -> None:
        padding = kernel_size // 2 if padding is None else padding
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, bias=bias)
        self.scale = gain / math.sqrt(in_channels * kernel_size**2)
        self.bias_scale = bias_gain

    def reset_parameters(self) -> None:
        """Initialise the weights from N(0, 1), and the bias to 0."""
        with torch.no_grad():
            self.weight.normal_()
            if self.bias is not None:
                self.bias.zero_()

    def scaled(self) -> tuple[Tensor, Tensor | None]:
        """Kernel and bias as they are used."""
        bias = self.bias if self.bias is None or self.bias_scale == 1 else self.bias * self.bias_scale
        return self.weight * self.scale, bias

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H', W')."""
        weight, bias = self.scaled()
        if self.stride == (1, 1):
            return convolve(x, weight, bias, int(self.padding[0]))
        return F.conv2d(x, weight, bias, self.stride, self.padding)

    def upsampled(self, x: Tensor) -> Tensor:
        """``self(enlarged(x))`` for a 3 x 3 kernel of stride 1, pixels copied to twice the side: to (N, O, 2H, 2W)."""
        return upsampled_conv2d(x, *self.scaled())

    def pooled(self, x: Tensor) -> Tensor:
        """``mean_pool(self(x))`` for a 3 x 3 kernel of stride 1, over every 2 x 2 pixels: to (N, O, H / 2, W / 2)."""
        return pooled_conv2d(x, *self.scaled())


def pixel_norm(x: Tensor) -> Tensor:
    """``x / sqrt(mean_c x^2 + 1e-8)``: each pixel's features (N, C, ...), or each latent (N, d), to length sqrt(C)."""
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8)


def leaky_relu(x: Tensor) -> Tensor:
    """LeakyReLU of slope 0.2."""
    return F.leaky_relu(x, LEAK)
