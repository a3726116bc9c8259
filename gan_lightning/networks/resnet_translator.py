"""The residual generator of CycleGAN (Zhu et al., 2017, arXiv 1703.10593), after Johnson et al., 2016."""

from torch import Tensor, nn

from gan_lightning.networks.dcgan import dcgan_init
from gan_lightning.networks.layers.winograd import WinogradConv2d


class ResidualTranslator(nn.Module):
    """Two convolutions down, residual blocks, two up: ResNet-9, or ResNet-6 below 256 pixels.

    7 x 7 kernels at both ends, 3 x 3 else; the borders are reflected but for the strided layers; InstanceNorm without
    weights of its own, as in the authors' PyTorch code (their first code gave it some), and ReLU after every layer but
    the last, which ends in a tanh. No dropout.

    Args:
        condition_shape: Channels, height and width of the images given; the sides are multiples of 4 from 8 up.
        image_shape: Channels, height and width of the images made; the sides are those of ``condition_shape``.
        width: Channels of the first layer; the residual blocks have four times as many.
        n_blocks: Residual blocks. None: as in the paper, 9 from 256 pixels up and 6 below.

    Raises:
        ValueError: The sides do not fit.
    """

    side_multiple = 4
    smallest_side = 8

    def __init__(
        self,
        condition_shape: tuple[int, int, int] = (3, 256, 256),
        image_shape: tuple[int, int, int] = (3, 256, 256),
        width: int = 64,
        n_blocks: int | None = None,
    ) -> None:
        super().__init__()
        height, breadth = condition_shape[1:]
        if (
            tuple(condition_shape[1:]) != tuple(image_shape[1:])
            or height % 4
            or breadth % 4
            or min(height, breadth) < 8
        ):
            raise ValueError(
                "ResidualTranslator makes images as large as those it is given, with sides that are multiples of 4 "
                f"from 8 up, not {image_shape[1]} x {image_shape[2]} of {height} x {breadth}: change the data's "
                "image_size."
            )
        if n_blocks is None:
            # Section 7.2
            n_blocks = 9 if min(height, breadth) >= 256 else 6

        def activated(layer: nn.Module, outputs: int) -> list[nn.Module]:
            return [layer, nn.InstanceNorm2d(outputs), nn.ReLU(inplace=True)]

        def down(inputs: int) -> list[nn.Module]:
            return activated(nn.Conv2d(inputs, 2 * inputs, 3, stride=2, padding=1), 2 * inputs)

        def up(inputs: int) -> list[nn.Module]:
            layer = nn.ConvTranspose2d(inputs, inputs // 2, 3, stride=2, padding=1, output_padding=1)
            return activated(layer, inputs // 2)

        self.layers = nn.Sequential(
            nn.ReflectionPad2d(3),
            # C x H x W to width x H x W
            *activated(nn.Conv2d(condition_shape[0], width, kernel_size=7), width),
            *down(width),
            # H/4 x W/4 with 4 width channels: here are the residual blocks.
            *down(2 * width),
            *(ReflectedBlock(4 * width) for _ in range(n_blocks)),
            *up(4 * width),
            *up(2 * width),
            nn.ReflectionPad2d(3),
            nn.Conv2d(width, image_shape[0], kernel_size=7),
            nn.Tanh(),
        )
        self.apply(dcgan_init)

    def forward(self, condition: Tensor) -> Tensor:
        """Map images (N, C, H, W) to images (N, C', H, W) in [-1, 1]."""
        return self.layers(condition)


class ReflectedBlock(nn.Module):
    """Two 3 x 3 convolutions with reflected borders and InstanceNorm, added to what came in.

    Args:
        width: Channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            # Reflected and not zeros: fewer artefacts at the borders.
            nn.ReflectionPad2d(1),
            WinogradConv2d(width, width),
            nn.InstanceNorm2d(width),
            nn.ReLU(inplace=True),
            nn.ReflectionPad2d(1),
            WinogradConv2d(width, width),
            nn.InstanceNorm2d(width),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map features (N, width, H, W) to as many."""
        return features + self.layers(features)
