"""Residual networks of WGAN-GP (Gulrajani et al., 2017, arXiv 1704.00028), after the authors' CIFAR-10 code.

SNGAN (Miyato et al., 2018, arXiv 1802.05957) has the same ones at 32 x 32, with a wider generator, and a
discriminator that sums over space and is spectrally normalised.

Both networks keep one width throughout. Biases start at 0; weights from Glorot's uniform distribution, times
the square root of 2 on the 3 x 3 convolutions inside blocks (what the code calls He's).

BatchNorm adds to the variance what the authors' code adds: 1e-5 in WGAN-GP, Chainer's 2e-5 in SNGAN. It is in no
checkpoint, so older ones load as before. Samples are made with running statistics; WGAN-GP's code takes the batch's
own there too, which would tie the samples of a batch together.
"""

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_lightning.networks.layers.image_shape import coarsest_map
from gan_lightning.networks.layers.labels import Labelled, LabelledSequential, batch_norm, project
from gan_lightning.networks.layers.resampling import PooledConv2d, UpsampledConv2d
from gan_lightning.networks.layers.spectral import spectral_norm
from gan_lightning.networks.layers.winograd import WinogradConv2d


class ResidualGenerator(nn.Module):
    """A linear layer to 4 x 4, the blocks, then BatchNorm, ReLU, convolution and tanh.

    Args:
        image_channels: Channels of the images made.
        latent_dim: Length of the latent vector.
        in_channels: Channels of the 4 x 4 map, which the first block takes.
        blocks: From a 4 x 4 map to one of the image's side.
        out_channels: Channels of the last block's map.
        start: Height and width of the first map, where it is not 4 x 4.
    """

    norm_eps = 1e-5
    """What every BatchNorm adds to the variance."""
    gain = math.sqrt(2)
    """Multiplies Glorot's weights in the 3 x 3 convolutions of the blocks."""

    def __init__(
        self,
        image_channels: int,
        latent_dim: int,
        in_channels: int,
        blocks: Iterable[nn.Module],
        out_channels: int,
        start: tuple[int, int] = (4, 4),
    ) -> None:
        super().__init__()
        output = nn.Conv2d(out_channels, image_channels, kernel_size=3, padding=1)
        self.layers = LabelledSequential(
            # N x latent_dim to N x in_channels x 4 x 4
            nn.Linear(latent_dim, in_channels * math.prod(start)),
            nn.Unflatten(1, (in_channels, *start)),
            *blocks,
            nn.BatchNorm2d(out_channels, eps=self.norm_eps),
            nn.ReLU(inplace=True),
            output,
            nn.Tanh(),
        )
        self.apply(partial(glorot_init, gain=self.gain))
        # The output convolution has gain 1, unlike the 3 x 3 convolutions inside the blocks.
        nn.init.xavier_uniform_(output.weight)

    def forward(self, latent: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map latents (N, latent_dim), with labels (N,) if there are classes, to images (N, C, H, W) in [-1, 1]."""
        return self.layers(latent, labels)


class ResidualDiscriminator(nn.Module):
    """The blocks, ReLU, pooling over space, a linear layer, and a projection on the class if there are classes.

    Args:
        blocks: From the image to a map of ``channels`` channels.
        channels: Channels of the last block's map.
        num_classes: Number of classes. None: none.
        pooling: How the last feature map becomes a vector: its mean over space, or its sum.
        bias: Whether the last layer has a bias.
    """

    gain = math.sqrt(2)
    """Multiplies Glorot's weights in the 3 x 3 convolutions."""

    def __init__(
        self,
        blocks: Iterable[nn.Module],
        channels: int,
        num_classes: int | None,
        pooling: Literal["mean", "sum"] = "sum",
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*blocks, nn.ReLU(inplace=True))
        self.linear = nn.Linear(channels, 1, bias=bias)
        # A vector e_y for each class: phi . e_y is added to the logit (projection).
        self.embedding = None if num_classes is None else nn.Embedding(num_classes, channels)
        # WGAN-GP takes the mean, SNGAN and SAGAN the sum: at 8 x 8 a factor of 64 in the logit.
        self.pool = {"mean": torch.mean, "sum": torch.sum}[pooling]
        self.apply(partial(glorot_init, gain=self.gain))

    def forward(self, image: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map images (N, C, H, W), with labels (N,) if there are classes, to logits (N,)."""
        # phi(x): N x channels x h x w to N x channels
        features = self.pool(self.blocks(image), dim=(2, 3))
        return project(features, self.linear, self.embedding, labels)


class ResNetGenerator(ResidualGenerator):
    """A linear layer to 4 x 4, one upsampling block per doubling, then BatchNorm, ReLU, convolution and tanh.

    Args:
        image_shape: Channels, height and width of the images made, from 8 up; see ``coarsest_map``.
        latent_dim: Length of the latent vector.
        num_classes: Number of classes, which select scale and offset of BatchNorm in the blocks. None: none.
        width: Channels of every hidden layer.

    Raises:
        ValueError: If the network cannot make images of this shape.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 32, 32),
        latent_dim: int = 128,
        num_classes: int | None = None,
        width: int = 128,
    ) -> None:
        # 4 x 4 to the image: one block a doubling
        n_blocks, start = coarsest_map("ResNetGenerator", image_shape, smallest=8)
        blocks = [UpBlock(width, width, num_classes, self.norm_eps) for _ in range(n_blocks)]
        super().__init__(image_shape[0], latent_dim, width, blocks, width, start)


class ResNetDiscriminator(ResidualDiscriminator):
    """Downsampling blocks to 8 x 8, two plain blocks, ReLU, pooling over space, a linear layer; no norm.

    Args:
        image_shape: Channels, height and width of the images judged, from 16 up; see ``coarsest_map``.
        num_classes: Number of classes, by a projection at the end. None: none.
        width: Channels of every hidden layer.
        pooling: How the last feature map becomes a vector: its mean over space, or its sum.
        bias: Whether the last layer has a bias.

    Raises:
        ValueError: If the network cannot judge images of this shape.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 32, 32),
        num_classes: int | None = None,
        width: int = 128,
        pooling: Literal["mean", "sum"] = "mean",
        bias: bool = True,
    ) -> None:
        # Down to 8 x 8
        n_down, _ = coarsest_map("ResNetDiscriminator", image_shape, smallest=16, start=8)
        halving = [DownBlock(width, width) for _ in range(n_down - 1)]
        blocks = [DownBlock(image_shape[0], width, first=True), *halving, PlainBlock(width), PlainBlock(width)]
        super().__init__(blocks, width, num_classes, pooling, bias)


class SNGANGenerator(ResNetGenerator):
    """:class:`ResNetGenerator` at the width of SNGAN.

    Args:
        image_shape: Channels, height and width of the images made, from 8 up; see ``coarsest_map``.
        latent_dim: Length of the latent vector.
        num_classes: Number of classes, which select scale and offset of BatchNorm in the blocks. None: none.
        width: Channels of every hidden layer.
    """

    norm_eps = 2e-5

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 32, 32),
        latent_dim: int = 128,
        num_classes: int | None = None,
        width: int = 256,
    ) -> None:
        super().__init__(image_shape, latent_dim, num_classes, width)


class SNGANDiscriminator(ResNetDiscriminator):
    """:class:`ResNetDiscriminator` spectrally normalised, with sum pooling and, as the authors', no last bias.

    Args:
        image_shape: Channels, height and width of the images judged, from 16 up; see ``coarsest_map``.
        num_classes: Number of classes, by a projection at the end. None: none.
        width: Channels of every hidden layer.
    """

    def __init__(
        self, image_shape: tuple[int, int, int] = (3, 32, 32), num_classes: int | None = None, width: int = 128
    ) -> None:
        super().__init__(image_shape, num_classes, width, pooling="sum", bias=False)
        spectral_norm(self)


class UpBlock(Labelled):
    """Residual block that doubles the side: BN-ReLU-upsample-conv-BN-ReLU-conv beside upsample-1x1.

    Upsampling is by nearest neighbours, before the first convolution (the paper's text has it before the
    second).

    Args:
        in_channels: Channels in.
        out_channels: Channels out; the first convolution has as many. None: as many as in.
        num_classes: Classes with a scale and an offset of their own in BatchNorm. None: no classes.
        norm_eps: What BatchNorm adds to the variance.
        norm: Makes another normalisation from a number of channels, in place of that BatchNorm.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int | None = None,
        num_classes: int | None = None,
        norm_eps: float = 1e-5,
        norm: Callable[[int], nn.Module] | None = None,
    ) -> None:
        super().__init__()
        out_channels = out_channels or in_channels
        norm = norm or partial(batch_norm, num_classes=num_classes, eps=norm_eps)
        self.residual = LabelledSequential(
            norm(in_channels),
            nn.ReLU(inplace=True),
            nn.Identity(),  # keeps the names of the weights
            UpsampledConv2d(in_channels, out_channels),
            norm(out_channels),
            nn.ReLU(inplace=True),
            WinogradConv2d(out_channels, out_channels, padding=1),
        )
        self.shortcut = nn.Conv2d(in_channels, out_channels, kernel_size=1)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, 2H, 2W)."""
        # A 1 x 1 convolution commutes with copying pixels and costs a quarter when it comes first.
        return F.interpolate(self.shortcut(x), scale_factor=2) + self.residual(x, labels)


class DownBlock(nn.Module):
    """Residual block that halves the side: ReLU-conv-ReLU-conv-pool beside pool-1x1; pooling is by the mean.

    Args:
        in_channels: Channels in.
        out_channels: Channels out.
        first: Whether the block is the network's first, whose input is the image: it has no leading ReLU, and
            widens to ``out_channels`` at once.
        widen_first: Whether another block, too, widens in its first convolution and not in its second.
    """

    def __init__(self, in_channels: int, out_channels: int, first: bool = False, widen_first: bool = False) -> None:
        super().__init__()
        middle = out_channels if first or widen_first else in_channels
        self.residual = nn.Sequential(
            # A ReLU on the image would drop every pixel below 0.
            nn.Identity() if first else nn.ReLU(),
            WinogradConv2d(in_channels, middle, padding=1),
            nn.ReLU(inplace=True),
            PooledConv2d(middle, out_channels),
        )
        self.shortcut = nn.Conv2d(in_channels, out_channels, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, 2H, 2W) to (N, out_channels, H, W)."""
        # A 1 x 1 convolution commutes with the mean: pooling first, as the authors do in the first block,
        # makes the same function at a quarter of the cost.
        return self.shortcut(F.avg_pool2d(x, 2)) + self.residual(x)


class PlainBlock(nn.Module):
    """Residual block that keeps the side: ReLU-conv-ReLU-conv beside the identity, or a 1 x 1 convolution.

    Args:
        channels: Channels in.
        out_channels: Channels out; the first convolution widens. None: as many as in, and the identity.
    """

    def __init__(self, channels: int, out_channels: int | None = None) -> None:
        super().__init__()
        out_channels = out_channels or channels
        self.residual = nn.Sequential(
            nn.ReLU(),
            WinogradConv2d(channels, out_channels, padding=1),
            nn.ReLU(inplace=True),
            WinogradConv2d(out_channels, out_channels, padding=1),
        )
        self.shortcut = None if out_channels == channels else nn.Conv2d(channels, out_channels, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to (N, out_channels, H, W)."""
        # Not inplace in the first ReLU: x is needed again for the sum.
        return (x if self.shortcut is None else self.shortcut(x)) + self.residual(x)


def glorot_init(module: nn.Module, gain: float = math.sqrt(2)) -> None:
    """Initialise one layer as WGAN-GP and SNGAN do; for ``nn.Module.apply``.

    Args:
        module: The layer, changed in place.
        gain: Multiplies the weights of 3 x 3 convolutions.
    """
    if isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding):
        # The 1 x 1 convolutions of the shortcuts have gain 1.
        inside_block = isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3)
        nn.init.xavier_uniform_(module.weight, gain=gain if inside_block else 1)
        if not isinstance(module, nn.Embedding) and module.bias is not None:
            nn.init.zeros_(module.bias)
