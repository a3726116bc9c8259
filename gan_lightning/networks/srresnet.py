"""The networks of SRGAN (Ledig et al., 2017, arXiv 1609.04802, figure 4): one enlarges an image, one judges it."""

import math
from itertools import pairwise

from torch import Tensor, nn


class SRResNet(nn.Module):
    """Enlarges images 2, 4, 8, ... times: residual blocks at low resolution, then pixels shuffled into place.

    9 x 9 kernels at both ends, 3 x 3 else, zeros around the image; BatchNorm in the blocks and after them; one slope
    for all channels in each PReLU. Layers, weights and their order are the paper's: 1,549,462 at x4.

    As in the paper, the layers map [0, 1] to [-1, 1]; inputs in [-1, 1] are rescaled first. There is no activation at
    the end, as the paper names none: a tanh would flatten the gradient of the mean squared error at black and at white.
    So values can lie a little outside of [-1, 1]. Weights begin as torch's own, as the paper names no others.

    Args:
        condition_shape: Channels, height and width of the images given.
        image_shape: Channels, height and width of the images made; the sides are 2, 4, 8, ... times those of
            ``condition_shape``. Images of any other size are enlarged as many times.
        width: Channels.
        n_blocks: Residual blocks.

    Raises:
        ValueError: The sides do not fit.
    """

    def __init__(
        self,
        condition_shape: tuple[int, int, int] = (3, 24, 24),
        image_shape: tuple[int, int, int] = (3, 96, 96),
        width: int = 64,
        n_blocks: int = 16,
    ) -> None:
        super().__init__()
        scale = image_shape[1] // condition_shape[1]
        enlarged = tuple(side * scale for side in condition_shape[1:])
        if tuple(image_shape[1:]) != enlarged or scale < 2 or scale.bit_count() != 1:
            raise ValueError(
                "SRResNet makes images whose sides are 2, 4, 8, ... times those of the images it is given, not "
                f"{image_shape[1]} x {image_shape[2]} of {condition_shape[1]} x {condition_shape[2]}: change the "
                "data's scale."
            )
        # x4: two doublings
        n_doublings = scale.bit_length() - 1
        self.first = nn.Sequential(nn.Conv2d(condition_shape[0], width, 9, padding=4), nn.PReLU())
        self.blocks = nn.Sequential(*(PlainBlock(width) for _ in range(n_blocks)))
        # The skip connection of figure 4 adds the first layer's output after this.
        self.after_blocks = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width))
        self.upsampling = nn.Sequential(
            *(
                layer
                for _ in range(n_doublings)
                # 4 width x H x W to width x 2H x 2W
                for layer in (nn.Conv2d(width, 4 * width, 3, padding=1), nn.PixelShuffle(2), nn.PReLU())
            )
        )
        self.last = nn.Conv2d(width, image_shape[0], 9, padding=4)
        # Each 3 x 3 kernel sees 1 pixel further, each 9 x 9 kernel 4; those of an enlarged map are smaller.
        of_upsampling = sum(1 / 2**doubling for doubling in range(n_doublings))
        self.reach = math.ceil(4 + 2 * n_blocks + 1 + of_upsampling + 4 / scale)
        """Radius of the receptive field in pixels of the input, in evaluation mode; tiles overlap by it."""

    def forward(self, condition: Tensor) -> Tensor:
        """Map images (N, C, H, W) in [-1, 1] to images (N, C', H * scale, W * scale) about [-1, 1]."""
        # [-1, 1] to [0, 1]
        first = self.first((condition + 1) / 2)
        return self.last(self.upsampling(first + self.after_blocks(self.blocks(first))))


class PlainBlock(nn.Module):
    """Two 3 x 3 convolutions with BatchNorm, a PReLU between them, added to what came in.

    Args:
        width: Channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.PReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map features (N, width, H, W) to as many."""
        # No activation after the sum (figure 4).
        return features + self.layers(features)


class SRGANDiscriminator(nn.Module):
    """Eight 3 x 3 convolutions, every other one halving the side, and two linear layers.

    LeakyReLU of slope .2 after every layer but the last, BatchNorm after every convolution but the first. There is no
    sigmoid. 23,565,505 weights at 96 x 96; they begin as torch's own.

    Args:
        image_shape: Channels, height and width of the images judged.
        width: Channels of the first layer; they double up to eight times as many.
        hidden: Units of the first linear layer.
    """

    def __init__(self, image_shape: tuple[int, int, int] = (3, 96, 96), width: int = 64, hidden: int = 1024) -> None:
        super().__init__()
        channels = [image_shape[0], *(width * 2 ** (layer // 2) for layer in range(8))]
        layers: list[nn.Module] = []
        for number, (inputs, outputs) in enumerate(pairwise(channels)):
            # Strides 1, 2, 1, 2, ...: four halvings
            layers.append(nn.Conv2d(inputs, outputs, 3, stride=1 + number % 2, padding=1))
            layers += [nn.BatchNorm2d(outputs)] if number else []
            layers.append(nn.LeakyReLU(0.2, inplace=True))
        # Rounded up, as a padded convolution of stride 2 does
        height, breadth = (-(-side // 16) for side in image_shape[1:])
        self.layers = nn.Sequential(
            *layers,
            nn.Flatten(),
            nn.Linear(channels[-1] * height * breadth, hidden),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Linear(hidden, 1),
        )

    def forward(self, image: Tensor) -> Tensor:
        """Map images (N, C, H, W) to logits (N,)."""
        return self.layers(image).flatten()
