"""The U-Net of pix2pix (Isola et al., 2017, arXiv 1611.07004): an image in, an image of the same size out."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gan_lightning.networks.dcgan import dcgan_init

_DEEPEST = 8


class UNet(nn.Module):
    """An encoder down to 1 x 1 and a decoder back, with every level of the one joined to that of the other.

    At 256 x 256 it is the paper's: 4 x 4 kernels with stride 2 and 64, 128, 256 and five times 512 channels;
    LeakyReLU of slope .2 in the encoder, ReLU in the decoder, each before its convolution; BatchNorm after every
    layer but the first, the 1 x 1 one and the last; a tanh at the end. Dropout is on the decoder's first three
    layers, as in the paper and the authors' first code; their PyTorch code has it on the second to the fourth.

    Args:
        condition_shape: Channels, height and width of the images given.
        image_shape: Channels, height and width of the images made; the sides are those of ``condition_shape``.
        width: Channels of the first layer; they double up to eight times as many.
        depth: Convolutions of the encoder, so the sides are multiples of 2 to this power. None: as many as lead to
            the smallest map, at most 8.
        dropout: Probability of the dropout.
        dropout_layers: Layers of the decoder that have it, counted from the smallest map; the last never has.

    Raises:
        ValueError: The sides do not fit each other or the depth.
    """

    def __init__(
        self,
        condition_shape: tuple[int, int, int] = (3, 256, 256),
        image_shape: tuple[int, int, int] = (3, 256, 256),
        width: int = 64,
        depth: int | None = None,
        dropout: float = 0.5,
        dropout_layers: Sequence[int] = (0, 1, 2),
    ) -> None:
        super().__init__()
        depth = depth or min(_twos(condition_shape[1]), _twos(condition_shape[2]), _DEEPEST)
        _check(condition_shape, image_shape, depth)
        self.side_multiple = 2**depth
        # 64, 128, 256, 512, ... 512; level 0 is the largest map.
        channels = [width * min(2**level, 8) for level in range(depth)]

        def down(level: int) -> nn.Module:
            inputs = channels[level - 1] if level else condition_shape[0]
            layer = nn.Conv2d(inputs, channels[level], kernel_size=4, stride=2, padding=1, bias=False)
            # Activation before the convolution, as in the authors' code
            before = [nn.LeakyReLU(0.2, inplace=True)] if level else []
            after = [nn.BatchNorm2d(channels[level])] if 0 < level < depth - 1 else []
            return nn.Sequential(*before, layer, *after)

        def up(level: int) -> nn.Module:
            # All but the innermost level receive the skip connection: twice the channels.
            joined = 1 if level == depth - 1 else 2
            outputs = channels[level - 1] if level else image_shape[0]
            layer = nn.ConvTranspose2d(joined * channels[level], outputs, 4, stride=2, padding=1, bias=level == 0)
            # The outermost level makes the image: no norm and no dropout.
            if level == 0:
                return nn.Sequential(nn.ReLU(inplace=True), layer, nn.Tanh())
            after: list[nn.Module] = [nn.BatchNorm2d(outputs)]
            if depth - 1 - level in dropout_layers:
                after.append(nn.Dropout(dropout))
            return nn.Sequential(nn.ReLU(inplace=True), layer, *after)

        self.encoder = nn.ModuleList(down(level) for level in range(depth))
        self.decoder = nn.ModuleList(up(level) for level in reversed(range(depth)))
        self.apply(dcgan_init)

    def forward(self, condition: Tensor) -> Tensor:
        """Map images (N, C, H, W) to images (N, C', H, W) in [-1, 1]."""
        return self.decode(self.encode(condition))

    def encode(self, condition: Tensor) -> list[Tensor]:
        """The image and the map of every level of the encoder, the smallest last."""
        # Every map is kept for its skip connection. The next layer's LeakyReLU changes it in place, which leaves the
        # decoder's ReLU of it as it was: relu(leaky_relu(x)) = relu(x).
        maps = [condition]
        for layer in self.encoder:
            maps.append(layer(maps[-1]))
        return maps

    def decode(self, maps: list[Tensor]) -> Tensor:
        """Make images of what :meth:`encode` returns, which is used up."""
        # From 1 x 1, each level joined to the encoder's map of the same size.
        image = self.decoder[0](maps.pop())
        for layer in self.decoder[1:]:
            image = layer(torch.cat([maps.pop(), image], dim=1))
        return image


def _twos(side: int) -> int:
    """How often 2 divides a side."""
    return (side & -side).bit_length() - 1


def _check(condition_shape: tuple[int, int, int], image_shape: tuple[int, int, int], depth: int) -> None:
    height, width = condition_shape[1:]
    if tuple(condition_shape[1:]) != tuple(image_shape[1:]):
        raise ValueError(
            f"UNet makes images as large as those it is given, not {image_shape[1]} x {image_shape[2]} of "
            f"{height} x {width}."
        )
    if depth < 2 or height % 2**depth or width % 2**depth:
        wanted = 2 ** max(depth, 2)
        raise ValueError(
            f"UNet needs sides that are multiples of {wanted}, not {height} x {width}: change the data's image_size"
            f"{', or lower depth' if depth > 2 else ''}."
        )
