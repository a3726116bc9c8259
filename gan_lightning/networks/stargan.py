"""The networks of StarGAN (Choi et al., 2018, arXiv 1711.09020), those of the authors' code."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from gan_lightning.networks.layers.winograd import WinogradConv2d


class StarGANGenerator(nn.Module):
    """Two convolutions down, residual blocks, two up, on an image that its wanted attributes are joined to as maps.

    7 x 7 kernels at both ends, 4 x 4 with stride 2 down and up, 3 x 3 in the blocks; no biases; InstanceNorm and ReLU
    after every layer but the last, which ends in a tanh. Borders are zeros: under reflected ones a constant map would
    only shift the first layer, and InstanceNorm takes every shift away. PyTorch's own initial weights.

    InstanceNorm has weights, and no statistics but the image's. The authors' code remembers running ones as well, but
    never uses them, since it never leaves training mode: the function is the same.

    Args:
        image_shape: Channels, height and width of the images given and made; the sides are multiples of 4 from 8 up.
        n_attributes: Attributes of an image.
        width: Channels of the first layer; the residual blocks have four times as many.
        n_blocks: Residual blocks.

    Raises:
        ValueError: The sides do not fit.
    """

    side_multiple = 4
    smallest_side = 8

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 128, 128),
        n_attributes: int = 5,
        width: int = 64,
        n_blocks: int = 6,
    ) -> None:
        super().__init__()
        channels, *sides = image_shape
        if any(side % 4 or side < 8 for side in sides):
            raise ValueError(
                f"StarGANGenerator needs sides that are multiples of 4 from 8 up, not {sides[0]} x {sides[1]}: change "
                "the data's image_size."
            )

        def activated(layer: nn.Module, outputs: int) -> list[nn.Module]:
            return [layer, nn.InstanceNorm2d(outputs, affine=True), nn.ReLU(inplace=True)]

        def down(inputs: int) -> list[nn.Module]:
            return activated(nn.Conv2d(inputs, 2 * inputs, 4, stride=2, padding=1, bias=False), 2 * inputs)

        def up(inputs: int) -> list[nn.Module]:
            layer = nn.ConvTranspose2d(inputs, inputs // 2, 4, stride=2, padding=1, bias=False)
            return activated(layer, inputs // 2)

        self.layers = nn.Sequential(
            *activated(nn.Conv2d(channels + n_attributes, width, 7, padding=3, bias=False), width),
            *down(width),
            *down(2 * width),
            *(_Block(4 * width) for _ in range(n_blocks)),
            *up(4 * width),
            *up(2 * width),
            nn.Conv2d(width, channels, kernel_size=7, padding=3, bias=False),
            nn.Tanh(),
        )

    def forward(self, image: Tensor, attributes: Tensor) -> Tensor:
        """Map images (N, C, H, W) and attributes (N, n_attributes) to images (N, C, H, W) in [-1, 1]."""
        # N x A to N x A x H x W, joined to the image's channels
        maps = attributes[:, :, None, None].expand(-1, -1, *image.shape[2:])
        return self.layers(torch.cat([image, maps], dim=1))


class StarGANDiscriminator(nn.Module):
    """Strided convolutions, then two heads: a score for every patch, and one logit for every attribute.

    4 x 4 kernels with stride 2 and LeakyReLU of slope .01, six of them from 128 x 128 up; no normalisation. The
    patches' head has 3 x 3 kernels, the attributes' covers all that is left; both are without a bias. PyTorch's own
    initial weights.

    Args:
        image_shape: Channels, height and width of the images judged, from 4 x 4 up.
        n_attributes: Attributes of an image.
        width: Channels of the first layer; they double with every layer.
        n_layers: Layers with stride 2. None: as many as lead to sides of 2 or 3, at most 6.

    Raises:
        ValueError: The image is smaller than the layers need.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 128, 128),
        n_attributes: int = 5,
        width: int = 64,
        n_layers: int | None = None,
    ) -> None:
        super().__init__()
        channels, height, breadth = image_shape
        n_layers = min(min(height, breadth).bit_length() - 2, 6) if n_layers is None else n_layers
        if n_layers < 1 or min(height, breadth) >> n_layers < 1:
            raise ValueError(
                f"StarGANDiscriminator has at least one layer, and each halves the sides: {height} x {breadth} and "
                f"n_layers {n_layers} do not fit."
            )
        widths = [channels, *(width * 2**level for level in range(n_layers))]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            # No normalisation, as in WGAN-GP's critics: the gradient penalty is on each image by itself.
            layers += [nn.Conv2d(inputs, outputs, 4, stride=2, padding=1), nn.LeakyReLU(0.01, inplace=True)]
        self.layers = nn.Sequential(*layers)
        self.patches = nn.Conv2d(widths[-1], 1, kernel_size=3, padding=1, bias=False)
        # 2 x 2 at 128 x 128: the attributes' kernel covers all of it.
        rest = (height >> n_layers, breadth >> n_layers)
        self.attributes = nn.Conv2d(widths[-1], n_attributes, kernel_size=rest, bias=False)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Map images (N, C, H, W) to the scores of their patches (N, 1, H', W') and logits (N, n_attributes)."""
        # N x 2048 x 2 x 2 at 128 x 128
        features = self.layers(image)
        return self.patches(features), self.attributes(features).flatten(start_dim=1)


class _Block(nn.Module):
    """Two 3 x 3 convolutions with InstanceNorm, added to what came in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            WinogradConv2d(width, width, padding=1, bias=False),
            nn.InstanceNorm2d(width, affine=True),
            nn.ReLU(inplace=True),
            WinogradConv2d(width, width, padding=1, bias=False),
            nn.InstanceNorm2d(width, affine=True),
        )

    def forward(self, features: Tensor) -> Tensor:
        return features + self.layers(features)
