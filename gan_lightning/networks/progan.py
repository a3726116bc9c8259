"""Networks of progressive growing (Karras et al., ICLR 2018, arXiv 1710.10196, table 2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_lightning.arguments import checked
from gan_lightning.networks.layers.equalized import (
    LEAK,
    LEAKY_GAIN,
    EqualizedConv2d,
    EqualizedLinear,
    leaky_relu,
    pixel_norm,
)
from gan_lightning.networks.layers.growing import Growing, enlarged
from gan_lightning.networks.layers.image_shape import coarsest_map
from gan_lightning.networks.layers.minibatch_deviation import MinibatchDeviation


def channels_by_level(levels: int, channel_base: int, max_channels: int) -> list[int]:
    """Channels of levels 0 to ``levels``: half the base over the power of two, at most ``max_channels``."""
    return [max(1, min(channel_base // 2 ** (level + 1), max_channels)) for level in range(levels + 1)]


class GrowingGenerator(Growing):
    """Base of growing generators: blocks that each make a map of twice the side, and an image of each map.

    In training images have the size of the current level; otherwise they are enlarged to the highest level's, pixel by
    pixel, so that samples have one size from the first step on.

    Args:
        blocks: The first makes the coarsest map.
        channels: Of their maps.
        image_channels: Of the images.
    """

    def __init__(self, blocks: list[nn.Module], channels: list[int], image_channels: int) -> None:
        super().__init__(levels=len(blocks) - 1)
        self.blocks = nn.ModuleList(blocks)
        self.to_images = nn.ModuleList(EqualizedConv2d(each, image_channels, 1) for each in channels)

    def parts_in_order(self) -> Iterator[tuple[str, nn.Module]]:
        """The parts by name from the latent on; see :func:`~gan_lightning.games.freezing.layers_of`."""
        levels = ("blocks", "to_images")
        yield from ((name, part) for name, part in self.named_children() if name not in levels)
        for level in range(self.levels + 1):
            yield from ((f"{name}.{level}", self.get_submodule(f"{name}.{level}")) for name in levels)

    def idle_weights(self) -> Iterator[nn.Parameter]:
        """Weights of the levels above the current one, which take no part yet."""
        for parts in (self.blocks, self.to_images):
            for part in list(parts)[self.stage + 1 :]:
                yield from part.parameters()

    def image_of(self, maps: list[Tensor]) -> Tensor:
        """Images (N, C, H, W) of the maps of the blocks up to the current stage."""
        image = None
        for level, x in enumerate(maps):
            image = self.image_after(level, x, image)
        assert image is not None
        return image

    def image_after(self, level: int, x: Tensor, image: Tensor | None) -> Tensor | None:
        """Images (N, C, H, W) after the block of a level; None: this level has none at the current stage.

        Args:
            level: Of the block.
            x: Its map.
            image: Those after the block before.
        """
        stage, fade = self.stage, self.fade
        if level < stage - (fade < 1):
            return None
        made: Tensor = self.to_images[level](x)
        if level < stage:
            return made
        if image is not None:
            made = torch.lerp(enlarged(image, 2), made, fade)
        return made if self.training else enlarged(made, 2 ** (self.levels - stage))


@checked
class GrowingDiscriminator(Growing):
    """Growing discriminator: blocks that halve a map, minibatch standard deviation, two linear layers.

    Images of the size of the current level enter at its block; during a fade they also enter the next coarser one,
    averaged by two.

    Args:
        image_shape: Channels, height and width of the images at the highest level; any that can be halved until the
            shorter side is 4 to 7 pixels.
        channel_base: Channels times side of a map; 8192 in the paper.
        max_channels: At most so many channels; 512 in the paper.
        group_size: Images that
            :class:`~gan_lightning.networks.layers.minibatch_deviation.MinibatchDeviation` compares; 4 in the paper.
            None: the batch.

    Raises:
        ValueError: If the network cannot judge images of this shape.
    """

    block: Callable[[int, int], nn.Module]
    """Makes a block of its channels in and out."""

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 32, 32),
        channel_base: int = 8192,
        max_channels: int = 512,
        group_size: int | None = 4,
    ) -> None:
        levels, (rows, columns) = coarsest_map(type(self).__name__, image_shape)
        super().__init__(levels)
        channels = channels_by_level(levels, channel_base, max_channels)
        self.from_images = nn.ModuleList(EqualizedConv2d(image_shape[0], each, 1, gain=LEAKY_GAIN) for each in channels)
        # By level, so that blocks[0] leads from level 1 to level 0.
        self.blocks = nn.ModuleList(type(self).block(fine, coarse) for coarse, fine in pairwise(channels))
        self.end = nn.Sequential(
            MinibatchDeviation(group_size),
            EqualizedConv2d(channels[0] + 1, channels[0], gain=LEAKY_GAIN),
            nn.LeakyReLU(LEAK),
            nn.Flatten(),
            EqualizedLinear(channels[0] * rows * columns, channels[0], gain=LEAKY_GAIN),
            nn.LeakyReLU(LEAK),
            EqualizedLinear(channels[0], 1),
        )

    def parts_in_order(self) -> Iterator[tuple[str, nn.Module]]:
        """The parts by name from the image on; see :func:`~gan_lightning.games.freezing.layers_of`."""
        yield f"from_images.{self.levels}", self.from_images[self.levels]
        for level in reversed(range(self.levels)):
            yield f"blocks.{level}", self.blocks[level]
            # Beside the block, for the images that end at this level.
            yield f"from_images.{level}", self.from_images[level]
        yield "end", self.end

    def forward(self, image: Tensor) -> Tensor:
        """Map images (N, C, H, W) of the current level's size to logits (N,)."""
        stage, fade = self.stage, self.fade
        x = leaky_relu(self.from_images[stage](image))
        for level in reversed(range(stage)):
            x = self.blocks[level](x)
            if level == stage - 1 and fade < 1:
                coarse = leaky_relu(self.from_images[level](F.avg_pool2d(image, 2)))
                x = torch.lerp(coarse, x, fade)
        return self.end(x).squeeze(1)


class ProGANBlock(nn.Module):
    """Two 3 x 3 convolutions, each with LeakyReLU and pixel norm, after doubling the map.

    Args:
        in_channels: Channels in.
        out_channels: Channels out.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = EqualizedConv2d(in_channels, out_channels, gain=LEAKY_GAIN)
        self.conv2 = EqualizedConv2d(out_channels, out_channels, gain=LEAKY_GAIN)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, 2H, 2W)."""
        x = pixel_norm(leaky_relu(self.conv1.upsampled(x)))
        return pixel_norm(leaky_relu(self.conv2(x)))


class ProGANStart(nn.Module):
    """The first block: a linear layer from the latent to the coarsest map, then a convolution.

    Args:
        latent_dim: Length of the latent vector.
        channels: Of the map.
        size: Its height and width.
    """

    def __init__(self, latent_dim: int, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.shape = (channels, *size)
        # A gain of its own: a pixel norm follows, so it sets how fast the layer learns.
        self.linear = EqualizedLinear(latent_dim, channels * size[0] * size[1], gain=LEAKY_GAIN / 4)
        self.conv = EqualizedConv2d(channels, channels, gain=LEAKY_GAIN)

    def forward(self, latent: Tensor) -> Tensor:
        """Map latents (N, latent_dim) to (N, channels, *size)."""
        x = self.linear(pixel_norm(latent)).unflatten(1, self.shape)
        x = pixel_norm(leaky_relu(x))
        return pixel_norm(leaky_relu(self.conv(x)))


class ProGANGenerator(GrowingGenerator):
    """A latent on the sphere to 4 x 4, then blocks that double the map; pixel norm after every activation.

    The images have no final nonlinearity.

    Args:
        image_shape: Channels, height and width of the images at the highest level; each side 4 times a power of two, or
            another small number of times.
        latent_dim: Length of the latent vector.
        channel_base: Channels times side of a map; 8192 in the paper.
        max_channels: At most so many channels; 512 in the paper.

    Raises:
        ValueError: If the network cannot make images of this shape.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 32, 32),
        latent_dim: int = 512,
        channel_base: int = 8192,
        max_channels: int = 512,
    ) -> None:
        levels, size = coarsest_map("ProGANGenerator", image_shape)
        channels = channels_by_level(levels, channel_base, max_channels)
        blocks = [ProGANStart(latent_dim, channels[0], size), *(ProGANBlock(*pair) for pair in pairwise(channels))]
        super().__init__(blocks, channels, image_shape[0])

    def forward(self, latent: Tensor) -> Tensor:
        """Map latents (N, latent_dim) to images (N, C, H, W)."""
        maps = [latent]
        for block in list(self.blocks)[: self.stage + 1]:
            maps.append(block(maps[-1]))
        return self.image_of(maps[1:])


class ProGANDownBlock(nn.Sequential):
    """Two 3 x 3 convolutions with LeakyReLU, then the mean of every 2 x 2 pixels.

    Args:
        in_channels: Channels in.
        out_channels: Channels out.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            EqualizedConv2d(in_channels, in_channels, gain=LEAKY_GAIN),
            nn.LeakyReLU(LEAK),
            EqualizedConv2d(in_channels, out_channels, gain=LEAKY_GAIN),
            nn.LeakyReLU(LEAK),
            nn.AvgPool2d(2),
        )


class ProGANDiscriminator(GrowingDiscriminator):
    """Mirror of the generator, without normalisation: arguments of :class:`GrowingDiscriminator`."""

    block = ProGANDownBlock
