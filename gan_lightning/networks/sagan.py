"""Residual networks of SNGAN at 64 x 64 and 128 x 128, and of SAGAN.

After the code of Miyato and Koyama, 2018, arXiv 1802.05637, and of Zhang et al., 2019, arXiv 1805.08318. Initial
weights and BatchNorm are those of SNGAN in ``resnet.py``; SAGAN's 3 x 3 convolutions start from Glorot's distribution
as it is, and its BatchNorm adds 1e-5 to the variance. Its code samples with the batch's own statistics; here samples
are made with running ones, so that none depends on the others.
"""

from itertools import pairwise

from torch import nn

from gan_lightning.networks.layers.attention import SelfAttention
from gan_lightning.networks.layers.image_shape import coarsest_map
from gan_lightning.networks.layers.spectral import spectral_norm
from gan_lightning.networks.resnet import DownBlock, PlainBlock, ResidualDiscriminator, ResidualGenerator, UpBlock

_WIDEST = 16


class PyramidGenerator(ResidualGenerator):
    """A linear layer to 4 x 4, one upsampling block per doubling, then BatchNorm, ReLU, convolution and tanh.

    At 128 x 128 the maps have 1024, 1024, 512, 256, 128 and 64 channels.

    Args:
        image_shape: Channels, height and width of the images made, from 16 up; see ``coarsest_map``.
        latent_dim: Length of the latent vector.
        num_classes: Number of classes, which select scale and offset of BatchNorm in the blocks. None: none.
        width: Channels of the last block; they double with every level down, up to 16 times.
        attention: Self-attention on the map of a quarter of the image's side.

    Raises:
        ValueError: If the network cannot make images of this shape.
    """

    norm_eps = 2e-5

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 64, 64),
        latent_dim: int = 128,
        num_classes: int | None = None,
        width: int = 64,
        attention: bool = False,
    ) -> None:
        n_blocks, start = coarsest_map("PyramidGenerator", image_shape, smallest=16)
        # At 128 x 128: 1024, 1024, 512, 256, 128, 64
        channels = [width * min(2**level, _WIDEST) for level in reversed(range(n_blocks + 1))]
        blocks: list[nn.Module] = [UpBlock(*pair, num_classes, self.norm_eps) for pair in pairwise(channels)]
        if attention:
            # At a quarter of the image's side: 32 x 32 of 128 x 128
            blocks.insert(n_blocks - 2, SelfAttention(channels[-3]))
        super().__init__(image_shape[0], latent_dim, channels[0], blocks, width, start)


class PyramidDiscriminator(ResidualDiscriminator):
    """Blocks that widen and halve the side, ReLU, the sum over space, a linear layer; spectrally normalised.

    At 128 x 128 the blocks have 64, 128, 256, 512, 1024 and 1024 channels, the last of which keeps its shape; at
    64 x 64 it is left out.

    Args:
        image_shape: Channels, height and width of the images judged, from 16 up; see ``coarsest_map``.
        num_classes: Number of classes, by a projection at the end. None: none.
        width: Channels of the first block; they double with every block, up to 16 times.
        attention: Self-attention on the map of a quarter of the image's side.
        widen_first: Whether a block widens in its first convolution, as SAGAN's, or in its second, as SNGAN's.

    Raises:
        ValueError: If the network cannot judge images of this shape.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 64, 64),
        num_classes: int | None = None,
        width: int = 64,
        attention: bool = False,
        widen_first: bool = False,
    ) -> None:
        n_levels, _ = coarsest_map("PyramidDiscriminator", image_shape, smallest=16)
        channels = [width * min(2**level, _WIDEST) for level in range(n_levels + 1)]
        # The first block has no ReLU before the image.
        blocks: list[nn.Module] = [DownBlock(image_shape[0], width, first=True)]
        for inputs, outputs in pairwise(channels):
            blocks.append(
                DownBlock(inputs, outputs, widen_first=widen_first) if outputs > inputs else PlainBlock(inputs)
            )
        if attention:
            # After two halvings
            blocks.insert(2, SelfAttention(channels[1]))
        super().__init__(blocks, channels[-1], num_classes)
        # After the initial weights, of which it takes the singular values.
        spectral_norm(self)


class SAGANGenerator(PyramidGenerator):
    """:class:`PyramidGenerator` with self-attention, spectrally normalised.

    Args:
        image_shape: Channels, height and width of the images made, from 16 up; see ``coarsest_map``.
        latent_dim: Length of the latent vector.
        num_classes: Number of classes, which select scale and offset of BatchNorm in the blocks. None: none.
        width: Channels of the last block; they double with every level down, up to 16 times.
    """

    norm_eps = 1e-5
    gain = 1.0

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 128, 128),
        latent_dim: int = 128,
        num_classes: int | None = None,
        width: int = 64,
    ) -> None:
        super().__init__(image_shape, latent_dim, num_classes, width, attention=True)
        spectral_norm(self)


class SAGANDiscriminator(PyramidDiscriminator):
    """:class:`PyramidDiscriminator` with self-attention.

    Args:
        image_shape: Channels, height and width of the images judged, from 16 up; see ``coarsest_map``.
        num_classes: Number of classes, by a projection at the end. None: none.
        width: Channels of the first block; they double with every block, up to 16 times.
    """

    gain = 1.0

    def __init__(
        self, image_shape: tuple[int, int, int] = (3, 128, 128), num_classes: int | None = None, width: int = 64
    ) -> None:
        super().__init__(image_shape, num_classes, width, attention=True, widen_first=True)
