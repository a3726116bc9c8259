"""The discriminator of StackGAN, StackGAN++ and AttnGAN: is an image real, and is it what the text says?"""

from itertools import pairwise

from torch import Tensor, nn

from gan_lightning.networks.layers.image_shape import coarsest_map
from gan_lightning.networks.layers.stages import initialise, joined

_SLOPE = 0.2
_LEVELS = 4
"""Halvings behind which the heads have their width; those of 128 x 128 and more pass 3 x 3 convolutions back to it."""


class TextDiscriminator(nn.Module):
    """Strided convolutions to 4 x 4, then two heads: one of the image alone, one of the image and a condition.

    4 x 4 kernels with stride 2 that double the channels, from ``width`` to 8 times as many at 64 x 64; of larger images
    more of them, and then 3 x 3 kernels back to 8 times ``width``. A condition is joined at every place, and passes a
    3 x 3 convolution. LeakyReLU of slope .2 after every layer but the last, BatchNorm after all but the first and the
    last; a kernel over all of the map is the end of each head. There is no sigmoid: it is in the loss.

    Layers and order are the authors', of StackGAN's two stages (arXiv 1612.03242), StackGAN++ (arXiv 1710.10916) and
    AttnGAN (arXiv 1711.10485), which are the same.

    Args:
        image_shape: Channels, height and width of the images judged, from 8 up; see ``coarsest_map``.
        condition_dim: Length of a condition.
        has_image_head: Whether there is a head of the image alone; StackGAN's stage 1 has none.
        is_orthogonal: Whether weights begin orthogonal, as in StackGAN++ and AttnGAN. False: N(0, .02), as in StackGAN.
        width: Channels of the first layer.

    Raises:
        ValueError: The network cannot judge images of this shape.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 64, 64),
        condition_dim: int = 128,
        has_image_head: bool = True,
        is_orthogonal: bool = True,
        width: int = 64,
    ) -> None:
        super().__init__()
        halvings, rest = coarsest_map("TextDiscriminator", image_shape, smallest=8)
        # At 256 x 256 and width 64: 64, 128, ..., 2048 channels at 4 x 4
        widths = [width * 2**level for level in range(halvings)]
        layers: list[nn.Module] = [nn.Conv2d(image_shape[0], width, 4, stride=2, padding=1, bias=False), _rectifier()]
        for inputs, outputs in pairwise(widths):
            layers += _normalised(nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False))
        # then 1024 and 512
        for inputs, outputs in pairwise(widths[: _LEVELS - 2 : -1]):
            layers += _normalised(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False))
        outputs = widths[:_LEVELS][-1]
        self.features = nn.Sequential(*layers)
        self.join = nn.Sequential(*_normalised(nn.Conv2d(outputs + condition_dim, outputs, 3, padding=1, bias=False)))
        self.of_pair = nn.Conv2d(outputs, 1, kernel_size=rest)
        self.of_image = nn.Conv2d(outputs, 1, kernel_size=rest) if has_image_head else None
        initialise(self, is_orthogonal)

    def forward(self, image: Tensor, *conditions: Tensor) -> tuple[Tensor | None, ...]:
        """Judge images (N, C, H, W), alone and each with its conditions (N, condition_dim); all from one pass.

        Returns:
            Logits (N,) of being real, None without that head; then for each condition logits (N,) of being real and
            of this condition.
        """
        features = self.features(image)
        alone = None if self.of_image is None else self.of_image(features).flatten()
        return alone, *(self.of_pair(self.join(joined(features, each))).flatten() for each in conditions)


def _rectifier() -> nn.Module:
    return nn.LeakyReLU(_SLOPE, inplace=True)


def _normalised(layer: nn.Conv2d) -> list[nn.Module]:
    return [layer, nn.BatchNorm2d(layer.out_channels), _rectifier()]
