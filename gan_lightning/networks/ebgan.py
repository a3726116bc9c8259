"""The convolutional auto-encoder that is EBGAN's discriminator (Zhao, Mathieu, LeCun, 2017, arXiv 1609.03126)."""

from torch import Tensor, nn

from gan_lightning.networks.dcgan import dcgan_init


class ConvAutoencoder(nn.Module):
    """Three convolutions that halve the side and three that double it again, 4 x 4 with stride 2.

    The encoder has 64, 128 and 256 channels with LeakyReLU of slope .2, the decoder 128, 64 and the image's; BatchNorm
    everywhere but after the first and the last. The output is linear. Weights start as DCGAN's, N(0, .02), in both
    halves: the paper has N(0, .002) in its discriminators on MNIST, which are fully connected, and names none here.

    Args:
        image_shape: Channels, height and width of the images; the sides are multiples of 8.
        width: Channels of the first layer.

    Raises:
        ValueError: If the sides are no multiples of 8.
    """

    def __init__(self, image_shape: tuple[int, int, int] = (3, 64, 64), width: int = 64) -> None:
        super().__init__()
        channels, height, breadth = image_shape
        if height < 8 or breadth < 8 or height % 8 or breadth % 8:
            raise ValueError(
                f"ConvAutoencoder works on images whose sides are multiples of 8, not {height} x {breadth}."
            )

        def activated(layer: nn.Module, outputs: int) -> list[nn.Module]:
            return [layer, nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2, inplace=True)]

        def down(inputs: int, outputs: int) -> nn.Module:
            return nn.Conv2d(inputs, outputs, kernel_size=4, stride=2, padding=1)

        def up(inputs: int, outputs: int) -> nn.Module:
            return nn.ConvTranspose2d(inputs, outputs, kernel_size=4, stride=2, padding=1)

        # C x H x W to 4 width x H/8 x W/8
        self.encoder = nn.Sequential(
            down(channels, width),
            nn.LeakyReLU(0.2, inplace=True),
            *activated(down(width, 2 * width), 2 * width),
            *activated(down(2 * width, 4 * width), 4 * width),
        )
        # and back to C x H x W
        self.decoder = nn.Sequential(
            *activated(up(4 * width, 2 * width), 2 * width),
            *activated(up(2 * width, width), width),
            # No tanh at the end: an energy compares with real images, and needs no bound.
            up(width, channels),
        )
        self.apply(dcgan_init)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Map images (N, C, H, W) to their reconstructions (N, C, H, W) and their codes (N, C', H / 8, W / 8)."""
        # The energy is the reconstruction error; the codes serve the repelling term (section 2.4).
        code = self.encoder(image)
        return self.decoder(code), code
