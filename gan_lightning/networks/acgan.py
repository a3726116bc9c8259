"""The discriminator of ACGAN (Odena, Olah, Shlens, 2017, arXiv 1610.09585), with a classifier head."""

from itertools import pairwise

from torch import Tensor, nn

from gan_lightning.networks.dcgan import dcgan_init


class ClassifyingDiscriminator(nn.Module):
    """Six 3 x 3 convolutions, every other one halving the side, and one linear layer for logit and classes.

    LeakyReLU of slope .2 and dropout after each convolution, BatchNorm from the second on.

    Args:
        image_shape: Channels, height and width of the images judged.
        num_classes: Number of classes.
        width: Channels of the first layer; they double with every layer.
        dropout: Probability of dropping a unit.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 32, 32),
        num_classes: int = 10,
        width: int = 16,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        channels = [image_shape[0], *(width * 2**layer for layer in range(6))]
        layers: list[nn.Module] = []
        for number, (inputs, outputs) in enumerate(pairwise(channels)):
            # Strides 2, 1, 2, 1, 2, 1: three halvings of the side.
            layers.append(nn.Conv2d(inputs, outputs, kernel_size=3, stride=2 - number % 2, padding=1))
            layers += [nn.BatchNorm2d(outputs)] if number else []
            # On all six layers, as in the paper.
            layers += [nn.LeakyReLU(0.2, inplace=True), nn.Dropout(dropout)]
        # Rounded up, as a padded convolution of stride 2 does.
        height, width_left = (-(-side // 8) for side in image_shape[1:])
        self.features = nn.Sequential(*layers, nn.Flatten())
        # One logit of being real, and one for each class.
        self.linear = nn.Linear(channels[-1] * height * width_left, 1 + num_classes)
        # dcgan_init leaves linear layers alone, so theirs is set below.
        self.apply(dcgan_init)
        nn.init.normal_(self.linear.weight, 0.0, 0.02)
        nn.init.zeros_(self.linear.bias)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Map images (N, C, H, W) to logits of being real (N,) and of the classes (N, num_classes)."""
        # N x (1 + num_classes)
        outputs = self.linear(self.features(image))
        return outputs[:, 0], outputs[:, 1:]
