"""Networks of StyleGAN2 (Karras et al., CVPR 2020, arXiv 1912.04958) and of its CIFAR-10 configuration.

Layers, scales and channels are those of StyleGAN2-ADA's code (Karras et al., NeurIPS 2020, arXiv 2006.06676): rates are
equalised, resampling is filtered by [1, 3, 3, 1], images have no final nonlinearity. Everything is plain torch and
differentiable twice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_lightning.networks.layers.equalized import (
    LEAKY_GAIN,
    EqualizedConv2d,
    EqualizedLinear,
    leaky_relu,
)
from gan_lightning.networks.layers.fir import FIRBlur, FIRDownsample, FIRUpsample
from gan_lightning.networks.layers.image_shape import coarsest_map, numbered_by_resolution
from gan_lightning.networks.layers.minibatch_deviation import MinibatchDeviation
from gan_lightning.networks.layers.styles import MappingNetwork, Maps, Noise, Synthesis, truncate
from gan_lightning.networks.layers.winograd import KeptKernel, convolve, is_recorded
from gan_lightning.trainer.internals import version_of


def channels_at(side: int, channel_base: int | None, max_channels: int, largest: int) -> int:
    """Channels of the maps whose shorter side is ``side``.

    Args:
        side: Of the maps.
        channel_base: Channels times side. None: 32768 for images of 512 pixels and more, half of it below.
        max_channels: At most so many.
        largest: Shorter side of the images.
    """
    base = (32768 if largest >= 512 else 16384) if channel_base is None else channel_base
    return max(1, min(base // side, max_channels))


class _Kernels(NamedTuple):
    """What a modulated convolution makes of its weight alone.

    Attributes:
        weight: Times the equalised rate's factor; its first two sides changed for a transposed convolution.
        squares: Sums of its squares over each kernel, I x O.
        kept: The same for Winograd's algorithm. None: of a kernel that is not kept, or of a transposed convolution.
        of: The weight that they are of. None: they are not kept.
        version: Its version then.
    """

    weight: Tensor
    squares: Tensor
    kept: KeptKernel | None = None
    of: Tensor | None = None
    version: int = 0

    def are_of(self, weight: Tensor) -> bool:
        """Whether they are of this weight as it is now."""
        return self.of is weight and self.version == version_of(weight)


class ModulatedConv2d(nn.Module):
    """A convolution whose input channels are scaled by a style, and whose output by its expected deviation.

    ``w'_oik = s_i w_oik`` and, demodulated, ``w''_oik = w'_oik / sqrt(sum_ik w'_oik^2 + 1e-8)`` (equations 1 and 3),
    one kernel for each image. Here the maps are scaled before and after one convolution, which is the same function,
    needs no kernel for each image, and exports to ONNX with a batch of any size.

    Args:
        in_channels: Channels in.
        out_channels: Channels out.
        style_dim: Length of a style.
        upsample: To twice the side: a transposed convolution, then the filter.

    Attributes:
        keeps_kernels: Whether what is made of the weight alone is kept from one call without gradients to the next, on
            a CPU: an image takes two thirds of the time, and the network about three times the memory. A weight that
            changes is noticed.
    """

    def __init__(self, in_channels: int, out_channels: int, style_dim: int, upsample: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3))
        self.affine = EqualizedLinear(style_dim, in_channels, bias=1.0)
        self.scale = 1 / math.sqrt(in_channels * 9)
        self.filter = FIRBlur(padding=1, gain=4.0) if upsample else None
        self.keeps_kernels = False
        self._kept: _Kernels | None = None

    def forward(self, x: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        """Convolve a map (N, I, H, W), its channels scaled by a style (N, D).

        Returns:
            The map before demodulation, (N, O, H', W'), and the factors of its channels, (N, O, 1, 1).
        """
        scales = self.affine(style)
        kernels = self._kernels(x)
        x = x * scales[:, :, None, None]
        if self.filter is None:
            y = convolve(x, kernels.weight, padding=1) if kernels.kept is None else kernels.kept.convolve(x, padding=1)
        else:
            y = self.filter(F.conv_transpose2d(x, kernels.weight, stride=2))
        # sum_ik (s_i w_oik)^2 for each image and output, a matrix product: N x O
        return y, torch.rsqrt(scales.square() @ kernels.squares + 1e-8)[:, :, None, None]

    def _kernels(self, x: Tensor) -> _Kernels:
        """What is made of the weight alone, once for all maps if it is kept."""
        # Of a weight that was made in inference mode no change is noticed.
        can_be_kept = x.is_cpu and not torch.is_grad_enabled() and not is_recorded() and not self.weight.is_inference()
        if not (self.keeps_kernels and can_be_kept):
            return self._made(False)
        if self._kept is None or not self._kept.are_of(self.weight):
            self._kept = self._made(True)
        return self._kept

    def _made(self, is_kept: bool) -> _Kernels:
        weight = self.weight * self.scale
        squares = weight.square().sum((2, 3)).t()
        if self.filter is not None:
            weight = weight.transpose(0, 1)
        if not is_kept:
            return _Kernels(weight, squares)
        kept = KeptKernel(weight) if self.filter is None else None
        return _Kernels(weight.contiguous(), squares, kept, self.weight, version_of(self.weight))


class StyledLayer(nn.Module):
    """Modulated convolution, noise, bias, and LeakyReLU times sqrt(2).

    Args:
        in_channels: Channels in.
        out_channels: Channels out.
        style_dim: Length of a style.
        size: Height and width of the map made.
        upsample: Whether that is twice the map's that comes in.
    """

    def __init__(
        self, in_channels: int, out_channels: int, style_dim: int, size: tuple[int, int], upsample: bool = False
    ) -> None:
        super().__init__()
        self.conv = ModulatedConv2d(in_channels, out_channels, style_dim, upsample)
        self.noise = Noise(*size)
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: Tensor, style: Tensor, noise: Tensor | float | None = None) -> Tensor:
        """Map (N, in_channels, H, W) with a style (N, D); ``noise`` as of :class:`Noise`."""
        y, factors = self.conv(x, style)
        # The factor sqrt(2) of the activation on what is small: sqrt(2) f(x) = f(sqrt(2) x)
        y = torch.addcmul(self.bias[:, None, None] * LEAKY_GAIN, y, factors * LEAKY_GAIN)
        return leaky_relu(self.noise(y, noise, LEAKY_GAIN))


class ToImage(nn.Module):
    """A modulated 1 x 1 convolution to an image, without demodulation.

    Args:
        in_channels: Channels in.
        image_channels: Channels of the image.
        style_dim: Length of a style.
    """

    def __init__(self, in_channels: int, image_channels: int, style_dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(image_channels, in_channels))
        self.affine = EqualizedLinear(style_dim, in_channels, bias=1.0)
        self.bias = nn.Parameter(torch.zeros(image_channels))
        self.scale = 1 / math.sqrt(in_channels)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, image_channels, H, W)."""
        # One small matrix for each image: the wide map is read once. N x C x I
        matrices = self.weight * self.scale * self.affine(style)[:, None]
        return (matrices @ x.flatten(2)).unflatten(2, x.shape[2:]) + self.bias[:, None, None]


class StyleGAN2Generator(Synthesis):
    """Mapping network and synthesis network with skip connections: images are sums over the resolutions.

    Args:
        image_shape: Channels, height and width of the images made; each side 4 times a power of two, or another small
            number of times.
        latent_dim: Length of the latent vector.
        num_classes: Number of classes, whose embedding joins the latent. None: none.
        style_dim: Length of a style; 512 in the paper.
        mapping_depth: Layers of the mapping network.
        channel_base: Channels times side of a map. None: 32768 for images of 512 pixels and more, half of it below.
        max_channels: At most so many channels; 512 in the paper.

    Attributes:
        n_styles: Layers that take a style: L.
        truncation: psi of ``forward``.

    Raises:
        ValueError: If the network cannot make images of this shape.
    """

    truncation: float = 1.0

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 64, 64),
        latent_dim: int = 512,
        num_classes: int | None = None,
        style_dim: int = 512,
        mapping_depth: int = 8,
        channel_base: int | None = None,
        max_channels: int = 512,
    ) -> None:
        super().__init__()
        image_channels, height, width = image_shape
        doublings, (rows, columns) = coarsest_map("StyleGAN2Generator", image_shape)
        sides = [min(rows, columns) * 2**level for level in range(doublings + 1)]
        channels = [channels_at(side, channel_base, max_channels, min(height, width)) for side in sides]
        self.n_styles = 2 * doublings + 2
        self.mapping = MappingNetwork(latent_dim, style_dim, mapping_depth, num_classes)
        self.constant = nn.Parameter(torch.randn(1, channels[0], rows, columns))
        layers = [StyledLayer(channels[0], channels[0], style_dim, (rows, columns))]
        for level, (inputs, outputs) in enumerate(pairwise(channels), start=1):
            size = rows * 2**level, columns * 2**level
            layers += [
                StyledLayer(inputs, outputs, style_dim, size, upsample=True),
                StyledLayer(outputs, outputs, style_dim, size),
            ]
        self.layers = nn.ModuleList(layers)
        self.to_images = nn.ModuleList(ToImage(each, image_channels, style_dim) for each in channels)
        self.upsample = FIRUpsample()

    def forward(
        self,
        latent: Tensor | None = None,
        labels: Tensor | None = None,
        *,
        styles: Tensor | None = None,
        truncation: float | None = None,
        noise: float | list[Tensor] | None = None,
    ) -> Tensor:
        """Map latents (N, latent_dim), with labels (N,) if it takes any, or styles to images (N, C, H, W).

        Args:
            latent: z. None: ``styles`` are given.
            labels: Classes.
            styles: N x n_styles x style_dim, one for each layer, as they are used: as of :meth:`synthesise`, in a call
                of the network, which is what ``compile()`` compiles.
            truncation: psi; see :func:`~gan_lightning.networks.layers.styles.truncate`. None: the attribute's.
            noise: See :meth:`synthesise`.
        """
        if styles is None:
            psi = self.truncation if truncation is None else truncation
            styles = self.styles(latent, labels, psi)
        return self.synthesise(styles, noise)

    def styles(self, latent: Tensor | None, labels: Tensor | None = None, truncation: float | Tensor = 1.0) -> Tensor:
        """Styles of latents, the same for each layer: N x n_styles x style_dim, truncated."""
        styles = self.mapping(latent, labels)[:, None].expand(-1, self.n_styles, -1)
        return truncate(styles, self.mapping.mean_style, truncation)

    # Steps: layer 0 and an image; then, at each further level, two layers and an image, which takes the next layer's
    # style.

    @property
    def n_steps(self) -> int:
        return 3 * len(self.to_images) - 1

    def place(self, step: int) -> tuple[int, int]:
        level, part = divmod(step + 1, 3)
        return level, 2 * level + part - 1

    def begin(self, styles: Tensor) -> Maps:
        # Not len: it is a plain number, with which an exported network would be of one batch size.
        return Maps(self.constant.expand(styles.shape[0], -1, -1, -1))

    def step(self, step: int, maps: Maps, styles: Tensor, noises: list[Any]) -> Maps:
        level, layer = self.place(step)
        x, image = maps
        if layer <= 2 * level:
            return Maps(self.layers[layer](x, styles[:, layer], noises[layer]), image)
        made = self.to_images[level](x, styles[:, layer])
        return Maps(x, made if image is None else self.upsample(image) + made)


class StyleGAN2Block(nn.Module):
    """Two convolutions, the second to half the side; beside them, if residual, a filtered 1 x 1 convolution.

    The sum is divided by sqrt(2), which keeps its variance.

    Args:
        in_channels: Channels in.
        out_channels: Channels out.
        residual: False: without the second path, as in the CIFAR-10 configuration.
    """

    def __init__(self, in_channels: int, out_channels: int, residual: bool = True) -> None:
        super().__init__()
        self.conv1 = EqualizedConv2d(in_channels, in_channels, gain=LEAKY_GAIN, bias_gain=LEAKY_GAIN)
        # A filter before a stride: aliases are gone before pixels are left out.
        self.filter = FIRBlur(padding=2)
        # sqrt(2) of the activation and 1 / sqrt(2) of the sum make 1.
        gain = 1.0 if residual else LEAKY_GAIN
        self.conv2 = EqualizedConv2d(in_channels, out_channels, stride=2, padding=0, gain=gain, bias_gain=gain)
        self.downsample = FIRDownsample() if residual else None
        self.skip = EqualizedConv2d(in_channels, out_channels, 1, bias=False, gain=math.sqrt(0.5)) if residual else None

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, 2H, 2W) to (N, out_channels, H, W)."""
        y = leaky_relu(self.conv1(x))
        y = leaky_relu(self.conv2(self.filter(y)))
        if self.skip is None or self.downsample is None:
            return y
        return y + self.skip(self.downsample(x))


class StyleGAN2Discriminator(nn.Module):
    """Residual blocks down to 4 x 4, minibatch standard deviation, two linear layers.

    With classes, the output is the product of its last features with a mapping of the class, over the root of their
    number (StyleGAN2-ADA, after Miyato and Koyama).

    Args:
        image_shape: Channels, height and width of the images judged; as of :class:`StyleGAN2Generator`.
        num_classes: Number of classes. None: none.
        channel_base: Channels times side of a map. None: 32768 for images of 512 pixels and more, half of it below.
        max_channels: At most so many channels; 512 in the paper.
        residual: Whether blocks have a second path; not in the CIFAR-10 configuration.
        mapping_depth: Layers of the mapping of classes.
        group_size: Images that :class:`~gan_lightning.networks.layers.minibatch_deviation.MinibatchDeviation` compares.

    Raises:
        ValueError: If the network cannot judge images of this shape.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 64, 64),
        num_classes: int | None = None,
        channel_base: int | None = None,
        max_channels: int = 512,
        residual: bool = True,
        mapping_depth: int = 8,
        group_size: int | None = 4,
    ) -> None:
        super().__init__()
        image_channels, height, width = image_shape
        doublings, (rows, columns) = coarsest_map("StyleGAN2Discriminator", image_shape)
        sides = [min(height, width) // 2**level for level in range(doublings + 1)]
        channels = [channels_at(side, channel_base, max_channels, sides[0]) for side in sides]
        last = channels[-1]
        scaled: dict[str, Any] = {"gain": LEAKY_GAIN, "bias_gain": LEAKY_GAIN}
        self.from_image = EqualizedConv2d(image_channels, channels[0], 1, **scaled)
        self.blocks = nn.Sequential(*(StyleGAN2Block(*pair, residual) for pair in pairwise(channels)))
        self.deviation = MinibatchDeviation(group_size)
        self.conv = EqualizedConv2d(last + 1, last, **scaled)
        self.linear = EqualizedLinear(last * rows * columns, last, **scaled)
        self.mapping = None if num_classes is None else MappingNetwork(0, last, mapping_depth, num_classes)
        self.output = EqualizedLinear(last, 1 if num_classes is None else last)

    def by_resolution(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename weights of images of another resolution; see :func:`numbered_by_resolution`."""
        return numbered_by_resolution(weights, "blocks", len(self.blocks))

    def forward(self, image: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map images (N, C, H, W), with labels (N,) if it takes any, to logits (N,)."""
        x = self.blocks(leaky_relu(self.from_image(image)))
        x = leaky_relu(self.conv(self.deviation(x)))
        x = self.output(leaky_relu(self.linear(x.flatten(1))))
        if self.mapping is None:
            return x.squeeze(1)
        return (x * self.mapping(None, labels)).sum(1) / math.sqrt(x.shape[1])
