"""The networks of R3GAN (Huang et al., NeurIPS 2024, arXiv 2501.05441, section 4, "Config E"), after the authors' code.

Residual networks without any normalisation: grouped bottlenecks with a wide middle, one count of blocks for every
resolution, filtered resampling between them. Weights are scaled at the start so that variances neither grow nor shrink
with depth (Fixup; Zhang et al., 2019, arXiv 1901.09321), and every block starts as the identity. Images of the
generator are not squashed: R1 and R2 keep them in range.

Class conditions, at the ends alone, are those of the authors' code: an embedding beside the latent, and one multiplied
with the discriminator's features.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from gan_lightning.networks.layers.fir import FIRDownsample, FIRUpsample
from gan_lightning.networks.layers.image_shape import coarsest_map, numbered_by_resolution

_SLOPE = 0.2
_EXPANSION = 2
"""How many times wider than the blocks their grouped convolutions are."""
_WIDE_STAGES = 4
"""Stages at the full width, from 4 x 4 to 32 x 32."""


class R3GANGenerator(nn.Module):
    """A learned 4 x 4 map, scaled channel by channel by a linear function of the latent; then blocks and upsampling.

    Args:
        image_shape: Channels, height and width of the images made; any that can be halved until the shorter side is 4
            to 7 pixels.
        latent_dim: Length of the latent vector.
        num_classes: Number of classes, by an embedding as long as the latent beside it. None: none.
        width: Channels of the blocks up to 32 x 32, half as many with each doubling beyond. Or a list: of every stage,
            beginning at 4 x 4.
        n_blocks: Residual blocks in each stage.
        group_width: Channels in a group of the grouped convolutions, which divides twice every width; the authors give
            the number of groups, their cardinality.

    Raises:
        ValueError: The network cannot make images of this shape, or a width does not fit the shape or the groups.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 32, 32),
        latent_dim: int = 64,
        num_classes: int | None = None,
        width: int | Sequence[int] = 768,
        n_blocks: int = 2,
        group_width: int = 16,
    ) -> None:
        super().__init__()
        halvings, base = coarsest_map(type(self).__name__, image_shape)
        widths = _widths(width, halvings + 1, group_width)
        self.embedding = None if num_classes is None else nn.Embedding(num_classes, latent_dim)
        self.linear = nn.Linear(latent_dim * (1 if num_classes is None else 2), widths[0], bias=False)
        # The same for all images; z scales its channels.
        self.basis = nn.Parameter(torch.randn(widths[0], *base))
        stages = [nn.Sequential(*_blocks(widths[0], n_blocks, group_width))]
        for inputs, outputs in pairwise(widths):
            # Narrower first, where a pixel is one and not four.
            up = [*_change_of_width(inputs, outputs), FIRUpsample()]
            stages.append(nn.Sequential(*up, *_blocks(outputs, n_blocks, group_width)))
        self.stages = nn.Sequential(*stages)
        self.to_image = nn.Conv2d(widths[-1], image_shape[0], kernel_size=1, bias=False)
        _init(self, n_blocks * len(widths))
        if self.embedding is not None and num_classes is not None:
            # A linear layer of one-hot labels, whose inputs are the classes.
            nn.init.normal_(self.embedding.weight, std=1 / math.sqrt(num_classes))

    def forward(self, latent: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map latents (N, latent_dim), with labels (N,) if there are classes, to images (N, C, H, W), unbounded."""
        if self.embedding is not None:
            latent = torch.cat([latent, self.embedding(labels)], dim=1)
        # N x C x 1 x 1 times C x 4 x 4
        scales = self.linear(latent)[:, :, None, None]
        return self.to_image(self.stages(self.basis * scales))


class R3GANDiscriminator(nn.Module):
    """The generator in reverse order: blocks and downsampling, then a depthwise 4 x 4 convolution and a linear layer.

    Args:
        image_shape: Channels, height and width of the images judged; any that can be halved until the shorter side is
            4 to 7 pixels.
        num_classes: Number of classes: the logit is the scalar product of the features with the class's embedding.
            None: none.
        width: Channels of the blocks from 32 x 32 down, half as many with each doubling above. Or a list: of every
            stage, beginning at 4 x 4.
        n_blocks: Residual blocks in each stage.
        group_width: Channels in a group of the grouped convolutions, which divides twice every width.

    Raises:
        ValueError: The network cannot judge images of this shape, or a width does not fit the shape or the groups.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 32, 32),
        num_classes: int | None = None,
        width: int | Sequence[int] = 768,
        n_blocks: int = 2,
        group_width: int = 16,
    ) -> None:
        super().__init__()
        halvings, base = coarsest_map(type(self).__name__, image_shape)
        widths = _widths(width, halvings + 1, group_width)[::-1]
        self.from_image = nn.Conv2d(image_shape[0], widths[0], kernel_size=1, bias=False)
        stages = []
        for inputs, outputs in pairwise(widths):
            down = [FIRDownsample(), *_change_of_width(inputs, outputs)]
            stages.append(nn.Sequential(*_blocks(inputs, n_blocks, group_width), *down))
        stages.append(nn.Sequential(*_blocks(widths[-1], n_blocks, group_width)))
        self.stages = nn.Sequential(*stages)
        # One pattern a channel: how much of it is in the map.
        self.basis = nn.Conv2d(widths[-1], widths[-1], kernel_size=base, groups=widths[-1], bias=False)
        self.linear = nn.Linear(widths[-1], 1 if num_classes is None else widths[-1], bias=False)
        self.embedding = None if num_classes is None else nn.Embedding(num_classes, widths[-1])
        _init(self, n_blocks * len(widths))
        if self.embedding is not None and num_classes is not None:
            # Another root, for a scalar product of so many terms.
            nn.init.normal_(self.embedding.weight, std=1 / math.sqrt(num_classes * widths[-1]))

    def by_resolution(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename weights of images of another resolution; see :func:`numbered_by_resolution`."""
        return numbered_by_resolution(weights, "stages", len(self.stages))

    def forward(self, image: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map images (N, C, H, W), with labels (N,) if there are classes, to logits (N,)."""
        # N x widths[-1], or N x 1
        features = self.linear(self.basis(self.stages(self.from_image(image))).flatten(1))
        return features.squeeze(1) if self.embedding is None else (features * self.embedding(labels)).sum(1)


class Bottleneck(nn.Module):
    """Residual block: 1 x 1 to twice the width, LeakyReLU, grouped 3 x 3, LeakyReLU, 1 x 1 back; then the sum.

    Args:
        channels: Channels in and out.
        group_width: Channels in a group of the 3 x 3 convolution.
    """

    def __init__(self, channels: int, group_width: int) -> None:
        super().__init__()
        wide = _EXPANSION * channels
        self.layers = nn.Sequential(
            nn.Conv2d(channels, wide, kernel_size=1),
            nn.LeakyReLU(_SLOPE, inplace=True),
            nn.Conv2d(wide, wide, kernel_size=3, padding=1, groups=wide // group_width),
            nn.LeakyReLU(_SLOPE, inplace=True),
            nn.Conv2d(wide, channels, kernel_size=1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to the same shape."""
        # Nothing after the sum: the identity stays a line through the whole network.
        return x + self.layers(x)


def _blocks(channels: int, n_blocks: int, group_width: int) -> list[nn.Module]:
    if n_blocks < 1:
        raise ValueError(f"n_blocks is {n_blocks}: it must be at least 1.")
    return [Bottleneck(channels, group_width) for _ in range(n_blocks)]


def _change_of_width(inputs: int, outputs: int) -> list[nn.Module]:
    return [] if inputs == outputs else [nn.Conv2d(inputs, outputs, kernel_size=1, bias=False)]


def _widths(width: int | Sequence[int], n_stages: int, group_width: int) -> list[int]:
    """Channels of each stage, from the coarsest to the finest.

    Raises:
        ValueError: A list has another length, or a width is below 1 or does not fit the groups.
    """
    if isinstance(width, int):
        widths = [width // 2 ** max(0, stage + 1 - _WIDE_STAGES) for stage in range(n_stages)]
    else:
        widths = list(width)
    if len(widths) != n_stages:
        raise ValueError(f"width is {widths}: images of this shape take {n_stages} stages, and a width for each.")
    for each in widths:
        if each < 1 or group_width < 1 or _EXPANSION * each % group_width:
            raise ValueError(
                f"width is {width} and group_width is {group_width}: twice the width of each stage, {widths} from the "
                "coarsest, must be a multiple of group_width."
            )
    return widths


@torch.no_grad()
def _init(network: nn.Module, n_blocks: int) -> None:
    """Normal weights of variance gain^2 / inputs, where the gain in the blocks falls with their number; biases 0."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.normal_(layer.weight, std=1 / math.sqrt(layer.weight[0].numel()))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    # He's gain for this slope, and L^(-1/4) for three layers in a block (Fixup: L^(-1 / (2 m - 2))).
    gain = math.sqrt(2 / (1 + _SLOPE**2)) * n_blocks**-0.25
    for block in network.modules():
        if isinstance(block, Bottleneck):
            first, middle, last = (layer for layer in block.layers if isinstance(layer, nn.Conv2d))
            first.weight.mul_(gain)
            middle.weight.mul_(gain)
            # The block is the identity at first.
            nn.init.zeros_(last.weight)
