"""Networks of StyleGAN (Karras et al., CVPR 2019, arXiv 1812.04948): a style for each layer of a growing generator."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_lightning.networks.layers.equalized import LEAKY_GAIN, EqualizedConv2d, EqualizedLinear, leaky_relu
from gan_lightning.networks.layers.fir import FIRBlur
from gan_lightning.networks.layers.image_shape import coarsest_map
from gan_lightning.networks.layers.styles import MappingNetwork, Maps, Noise, Synthesis, truncate
from gan_lightning.networks.progan import GrowingDiscriminator, GrowingGenerator, channels_by_level


class AdaptiveInstanceNorm(nn.Module):
    """Noise, bias, LeakyReLU, instance norm, and a scale and an offset of each channel by the style (equation 1).

    ``y_s (x - mean(x)) / std(x) + y_b`` with ``(y_s - 1, y_b)`` an affine map of w.

    Args:
        channels: Of the map.
        style_dim: Length of a style.
        size: Height and width of the map.
    """

    def __init__(self, channels: int, style_dim: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.noise = Noise(*size, channels)
        self.bias = nn.Parameter(torch.zeros(channels))
        self.affine = EqualizedLinear(style_dim, 2 * channels)

    def forward(self, x: Tensor, style: Tensor, noise: Tensor | float | None = None) -> Tensor:
        """Map (N, C, H, W) with a style (N, D) to the same shape; ``noise`` as of :class:`Noise`."""
        x = leaky_relu(self.noise(x, noise) + self.bias[:, None, None])
        scale, offset = self.affine(style)[:, :, None, None].chunk(2, dim=1)
        return torch.addcmul(offset, F.instance_norm(x, eps=1e-8), scale + 1)


class StyleStart(nn.Module):
    """The first block: a learned constant with noise and style, then a convolution with these.

    Args:
        channels: Of the map.
        style_dim: Length of a style.
        size: Height and width of the map.
    """

    def __init__(self, channels: int, style_dim: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.ones(1, channels, *size))
        self.style1 = AdaptiveInstanceNorm(channels, style_dim, size)
        self.conv = EqualizedConv2d(channels, channels, bias=False, gain=LEAKY_GAIN)
        self.style2 = AdaptiveInstanceNorm(channels, style_dim, size)

    def first(self, x: Tensor, style: Tensor, noise: Tensor | float | None) -> Tensor:
        """Map the constant (N, C, *size) with a style (N, D) to the same shape."""
        made: Tensor = self.style1(x, style, noise)
        return made

    def second(self, x: Tensor, style: Tensor, noise: Tensor | float | None) -> Tensor:
        """Map (N, C, *size) with a style (N, D) to the same shape."""
        made: Tensor = self.style2(self.conv(x), style, noise)
        return made


class StyleBlock(nn.Module):
    """Two 3 x 3 convolutions, each with noise and style, the first to twice the side and then blurred.

    Args:
        in_channels: Channels in.
        out_channels: Channels out.
        style_dim: Length of a style.
        size: Height and width of the map made.
    """

    def __init__(self, in_channels: int, out_channels: int, style_dim: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.conv1 = EqualizedConv2d(in_channels, out_channels, bias=False, gain=LEAKY_GAIN)
        self.blur = FIRBlur(padding=1, taps=(1, 2, 1))
        self.style1 = AdaptiveInstanceNorm(out_channels, style_dim, size)
        self.conv2 = EqualizedConv2d(out_channels, out_channels, bias=False, gain=LEAKY_GAIN)
        self.style2 = AdaptiveInstanceNorm(out_channels, style_dim, size)

    def first(self, x: Tensor, style: Tensor, noise: Tensor | float | None) -> Tensor:
        """Map (N, in_channels, H, W) with a style (N, D) to (N, out_channels, 2H, 2W)."""
        made: Tensor = self.style1(self.blur(self.conv1.upsampled(x)), style, noise)
        return made

    def second(self, x: Tensor, style: Tensor, noise: Tensor | float | None) -> Tensor:
        """Map (N, out_channels, H, W) with a style (N, D) to the same shape."""
        made: Tensor = self.style2(self.conv2(x), style, noise)
        return made


class StyleGANGenerator(GrowingGenerator, Synthesis):
    """Mapping network, and a growing synthesis network of a constant, styles and noise.

    Args:
        image_shape: Channels, height and width of the images at the highest level; each side 4 times a power of two, or
            another small number of times.
        latent_dim: Length of the latent vector.
        style_dim: Length of a style; 512 in the paper.
        mapping_depth: Layers of the mapping network.
        channel_base: Channels times side of a map; 8192 in the paper.
        max_channels: At most so many channels; 512 in the paper.

    Attributes:
        n_styles: Layers that take a style, two of each resolution.
        truncation: psi of ``forward``.

    Raises:
        ValueError: If the network cannot make images of this shape.
    """

    truncation: float = 1.0

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 64, 64),
        latent_dim: int = 512,
        style_dim: int = 512,
        mapping_depth: int = 8,
        channel_base: int = 8192,
        max_channels: int = 512,
    ) -> None:
        levels, (rows, columns) = coarsest_map("StyleGANGenerator", image_shape)
        channels = channels_by_level(levels, channel_base, max_channels)
        blocks: list[nn.Module] = [StyleStart(channels[0], style_dim, (rows, columns))]
        for level, pair in enumerate(pairwise(channels), start=1):
            blocks.append(StyleBlock(*pair, style_dim, (rows * 2**level, columns * 2**level)))
        super().__init__(blocks, channels, image_shape[0])
        self.mapping = MappingNetwork(latent_dim, style_dim, mapping_depth)
        self.n_styles = 2 * len(blocks)

    @property
    def n_used_styles(self) -> int:
        """Layers that take part at the current level."""
        return 2 * (self.stage + 1)

    def forward(
        self,
        latent: Tensor | None = None,
        *,
        styles: Tensor | None = None,
        truncation: float | None = None,
        noise: float | list[Tensor] | None = None,
    ) -> Tensor:
        """Map latents (N, latent_dim), or styles, to images (N, C, H, W).

        Args:
            latent: z. None: ``styles`` are given.
            styles: N x n_styles x style_dim, one for each layer, as they are used: as of :meth:`synthesise`, in a call
                of the network, which is what ``compile()`` compiles.
            truncation: psi; see :func:`~gan_lightning.networks.layers.styles.truncate`. None: the attribute's.
            noise: See :meth:`synthesise`.
        """
        if styles is None:
            psi = self.truncation if truncation is None else truncation
            styles = self.styles(latent, truncation=psi)
        return self.synthesise(styles, noise)

    def styles(self, latent: Tensor | None, labels: None = None, truncation: float | Tensor = 1.0) -> Tensor:
        """Styles of latents, the same for each layer: N x n_styles x style_dim, truncated in the first 8 layers."""
        styles = self.mapping(latent)[:, None].expand(-1, self.n_styles, -1)
        return truncate(styles, self.mapping.mean_style, truncation, layers=8)

    # Steps: at each level two layers, and the image where there is one.

    @property
    def n_steps(self) -> int:
        return 3 * (self.stage + 1)

    def place(self, step: int) -> tuple[int, int]:
        level, part = divmod(step, 3)
        return level, 2 * level + min(part, 1)

    def begin(self, styles: Tensor) -> Maps:
        # Not len: it is a plain number, with which an exported network would be of one batch size.
        start: Any = self.blocks[0]
        return Maps(start.constant.expand(styles.shape[0], -1, -1, -1))

    def step(self, step: int, maps: Maps, styles: Tensor, noises: list[Any]) -> Maps:
        level, part = divmod(step, 3)
        x, image = maps
        if part == 2:
            return Maps(x, self.image_after(level, x, image))
        layer = 2 * level + part
        block: Any = self.blocks[level]
        return Maps((block.first, block.second)[part](x, styles[:, layer], noises[layer]), image)


class StyleGANDownBlock(nn.Module):
    """Two 3 x 3 convolutions with LeakyReLU, a blur before the second, which averages every 2 x 2 pixels.

    Args:
        in_channels: Channels in.
        out_channels: Channels out.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = EqualizedConv2d(in_channels, in_channels, gain=LEAKY_GAIN)
        self.blur = FIRBlur(padding=1, taps=(1, 2, 1))
        self.conv2 = EqualizedConv2d(in_channels, out_channels, gain=LEAKY_GAIN)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, 2H, 2W) to (N, out_channels, H, W)."""
        return leaky_relu(self.conv2.pooled(self.blur(leaky_relu(self.conv1(x)))))


class StyleGANDiscriminator(GrowingDiscriminator):
    """ProGAN's discriminator with low-pass filters where it halves: arguments of :class:`GrowingDiscriminator`."""

    block = StyleGANDownBlock
