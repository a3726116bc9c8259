"""Networks of BigGAN (Brock, Donahue, Simonyan, 2019, arXiv 1809.11096), after the authors' PyTorch code.

Residual blocks as in SAGAN, with self-attention on one map. In the generator a class selects scale and offset of
BatchNorm by a vector that all layers share; with hierarchical latents each block has a part of the latent beside it.
All layers of both are spectrally normalised but the generator's embeddings, which that would cripple. Biases start
from torch's distribution, as in that code.
"""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from gan_lightning.networks.layers.attention import SelfAttention
from gan_lightning.networks.layers.image_shape import coarsest_map
from gan_lightning.networks.layers.labels import Labelled, LabelledSequential
from gan_lightning.networks.layers.spectral import spectral_norm
from gan_lightning.networks.resnet import DownBlock, PlainBlock, ResidualDiscriminator, UpBlock

InitialWeights = Literal["orthogonal", "normal"]
"""Distribution of the initial weights: orthogonal matrices, or N(0, 0.02^2) as in the authors' script for CIFAR-10."""

_DOUBLINGS = range(2, 7)  # from a map of 4 x 4: sides of 16 to 256
# Channels of the maps in multiples of the width, by doublings: from the 4 x 4 map to the image in the generator, of the
# blocks' outputs in the discriminator. Below 64 x 64 both keep one width.
_UP = {4: (16, 16, 8, 4, 2), 5: (16, 16, 8, 4, 2, 1), 6: (16, 16, 8, 8, 4, 2, 1)}
_DOWN = {4: (1, 2, 4, 8, 16), 5: (1, 2, 4, 8, 16, 16), 6: (1, 2, 4, 8, 8, 16, 16)}
_FLAT = 4


class ModulatedBatchNorm2d(Labelled):
    """BatchNorm whose scale and offset are functions of a condition: ``(1 + g(c)) (x - mean) / std + b(c)``.

    Args:
        channels: Channels in and out.
        modulation: Makes g and b: modules from c to N x ``channels``.
    """

    def __init__(self, channels: int, modulation: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.gain = modulation(channels)
        self.bias = modulation(channels)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Map (N, channels, H, W) with conditions (N, ...) to the same shape."""
        # N x C x 1 x 1
        gain, bias = (part(condition)[:, :, None, None] for part in (self.gain, self.bias))
        return (1 + gain) * self.norm(x) + bias


class BigGANGenerator(nn.Module):
    """A linear layer to 4 x 4, one upsampling block per doubling, then BatchNorm, ReLU, convolution and tanh.

    At 128 x 128 the maps have 16, 16, 8, 4, 2 and 1 times ``width`` channels, at 32 x 32 four times throughout.

    Args:
        image_shape: Channels, height and width of the images made: a smallest map, whose shorter side is from 4 to 7,
            doubled two to six times, such as 32 x 32, 48 x 64 or 128 x 128.
        latent_dim: Length of the latent vector.
        num_classes: Number of classes.
        width: Channels of the last map at 128 x 128; ``ch`` in the authors' code.
        attention: Shorter side of the map that has self-attention. None, or the image is no larger: none.
        shared_dim: Length of the class's vector that all layers share and map to scales and offsets. None: each
            BatchNorm has a table of its own with one of either for every class.
        hierarchical: Split the latent: one part for the first layer, one for each block's BatchNorm beside the class's
            vector. What does not divide goes to the first.
        initial_weights: Their distribution.

    Raises:
        ValueError: The network cannot make images of this shape, or split this latent.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 128, 128),
        latent_dim: int = 120,
        num_classes: int = 1000,
        width: int = 96,
        attention: int | None = 64,
        shared_dim: int | None = 128,
        hierarchical: bool = True,
        initial_weights: InitialWeights = "orthogonal",
    ) -> None:
        super().__init__()
        n_blocks, start = coarsest("BigGANGenerator", image_shape, attention)
        channels = [width * times for times in _UP.get(n_blocks, [_FLAT] * (n_blocks + 1))]
        parts = n_blocks + 1 if hierarchical else 1
        if latent_dim < parts or (hierarchical and shared_dim is None):
            raise ValueError(
                f"BigGANGenerator with hierarchical latents splits a latent of at least {parts} numbers at this size, "
                f"and puts them beside a shared class vector: latent_dim is {latent_dim}, shared_dim {shared_dim}."
            )
        part = latent_dim // parts if hierarchical else 0
        self.parts = [latent_dim - part * n_blocks, *[part] * n_blocks] if hierarchical else [latent_dim]
        self.shared = None if shared_dim is None else nn.Embedding(num_classes, shared_dim)
        # From the class's vector and the block's latent, or from the class
        modulation: Callable[[int], nn.Module] = partial(nn.Embedding, num_classes)
        if shared_dim is not None:
            modulation = partial(nn.Linear, shared_dim + part, bias=False)
        self.linear = nn.Linear(self.parts[0], channels[0] * start[0] * start[1])
        self.unflatten = nn.Unflatten(1, (channels[0], *start))
        self.blocks = nn.ModuleList()
        norm = partial(ModulatedBatchNorm2d, modulation=modulation)
        for number, (inputs, outputs) in enumerate(pairwise(channels), start=1):
            block = LabelledSequential(UpBlock(inputs, outputs, norm=norm))
            if min(start) * 2**number == attention:
                block.append(SelfAttention(outputs))
            self.blocks.append(block)
        self.output = nn.Sequential(
            nn.BatchNorm2d(channels[-1]),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels[-1], image_shape[0], kernel_size=3, padding=1),
            nn.Tanh(),
        )
        self.apply(partial(initialise, initial_weights=initial_weights))
        spectral_norm(self, embeddings=False)

    def forward(self, latent: Tensor, labels: Tensor) -> Tensor:
        """Map latents (N, latent_dim) with labels (N,) to images (N, C, H, W) in [-1, 1]."""
        first, *others = latent.split(self.parts, dim=1)
        condition = labels if self.shared is None else self.shared(labels)
        # One for each block: N x (shared_dim + part), or the labels
        conditions = [torch.cat([condition, part], 1) for part in others] or [condition] * len(self.blocks)
        x = self.unflatten(self.linear(first))
        for block, condition in zip(self.blocks, conditions, strict=True):
            x = block(x, condition)
        return self.output(x)


class BigGANDiscriminator(ResidualDiscriminator):
    """Blocks that halve the side, ReLU, the sum over space, a linear layer and a projection on the class.

    At 128 x 128 the blocks have 1, 2, 4, 8, 16 and 16 times ``width`` channels, the last of which keeps its shape; at
    32 x 32 four times throughout, and two of four blocks halve the side.

    Args:
        image_shape: Channels, height and width of the images judged; sides as in :class:`BigGANGenerator`.
        num_classes: Number of classes.
        width: Channels of the first block at 128 x 128; ``ch`` in the authors' code.
        attention: Shorter side of the map that has self-attention. None, or the image is no larger: none.
        initial_weights: Their distribution.

    Raises:
        ValueError: The network cannot judge images of this shape.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 128, 128),
        num_classes: int = 1000,
        width: int = 96,
        attention: int | None = 64,
        initial_weights: InitialWeights = "orthogonal",
    ) -> None:
        doublings, _ = coarsest("BigGANDiscriminator", image_shape, attention)
        n_down = doublings if doublings in _DOWN else doublings - 1
        channels = [width * times for times in _DOWN.get(doublings, [_FLAT] * (n_down + 2))]
        blocks: list[nn.Module] = []
        side = min(image_shape[1:])
        for number, (inputs, outputs) in enumerate(pairwise([image_shape[0], *channels])):
            if number >= n_down:
                blocks.append(PlainBlock(inputs, outputs))
                continue
            # The first block has no ReLU before the image.
            blocks.append(DownBlock(inputs, outputs, first=number == 0, widen_first=True))
            side //= 2
            if side == attention:
                blocks.append(SelfAttention(outputs))
        super().__init__(blocks, channels[-1], num_classes)
        self.apply(partial(initialise, initial_weights=initial_weights))
        spectral_norm(self)


def initialise(module: nn.Module, initial_weights: InitialWeights) -> None:
    """Initialise the weights of one layer; for ``nn.Module.apply``.

    Args:
        module: The layer, changed in place.
        initial_weights: Their distribution.
    """
    if isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding):
        module.reset_parameters()  # the biases
        if initial_weights == "orthogonal":
            nn.init.orthogonal_(module.weight)
        else:
            nn.init.normal_(module.weight, 0, 0.02)


def coarsest(network: str, image_shape: tuple[int, int, int], attention: int | None) -> tuple[int, tuple[int, int]]:
    """How often a map is doubled to the image, and height and width of the coarsest one.

    Raises:
        ValueError: The image is too small or too large, cannot be halved so often, or no map has that side.
    """
    doublings, start = coarsest_map(network, image_shape)
    if doublings not in _DOUBLINGS:
        raise ValueError(
            f"{network} works on images whose shorter side is from 16 to {8 * 2 ** _DOUBLINGS[-1] - 1}, not "
            f"{image_shape[1]} x {image_shape[2]}: set the data's image_size to 32, 64, 128 or 256."
        )
    sides = [min(start) * 2**level for level in range(doublings + 1)]
    if attention is not None and attention < sides[-1] and attention not in sides:
        raise ValueError(
            f"{network} has no map of side {attention} for self-attention: at {image_shape[1]} x {image_shape[2]} "
            f"choose one of {', '.join(map(str, sides[1:-1]))}, or null."
        )
    return doublings, start
