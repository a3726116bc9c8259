"""Networks of Age-cGAN (Antipov et al., 2017, arXiv 1702.01983) beside DCGAN's generator."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from gan_lightning.networks.dcgan import dcgan_init
from gan_lightning.networks.layers.image_shape import coarsest_map
from gan_lightning.networks.layers.labels import one_hot


class _LabelledConvolutions(nn.Module):
    """DCGAN's strided convolutions, with the class joined to the output of the first one.

    Args:
        image_shape: Channels, height and width of the images, from 8 up; see ``coarsest_map``.
        outputs: Numbers made of an image.
        num_classes: Number of classes, one-hot planes beside the first layer's output.
        width: Channels of the first layer; they double with every level down to 4 x 4.

    Raises:
        ValueError: If the network cannot take images of this shape.
    """

    def __init__(self, image_shape: tuple[int, int, int], outputs: int, num_classes: int, width: int) -> None:
        super().__init__()
        n_hidden, rest = coarsest_map(type(self).__name__, image_shape, smallest=8)
        # At 64 x 64 and width 64: 64, 128, 256, 512 channels at 32 x 32, 16 x 16, 8 x 8, 4 x 4.
        channels = [width * 2**level for level in range(n_hidden)]
        self.num_classes = num_classes
        self.first = nn.Sequential(nn.Conv2d(image_shape[0], width, 4, stride=2, padding=1), nn.LeakyReLU(0.2))
        layers: list[nn.Module] = []
        for level, (inputs, made) in enumerate(pairwise(channels)):
            given = inputs + (num_classes if level == 0 else 0)
            layers += [nn.Conv2d(given, made, 4, stride=2, padding=1, bias=False), nn.BatchNorm2d(made)]
            layers.append(nn.LeakyReLU(0.2))
        given = channels[-1] + (num_classes if n_hidden == 1 else 0)
        self.layers = nn.Sequential(*layers, nn.Conv2d(given, outputs, rest), nn.Flatten())
        self.apply(dcgan_init)

    def forward(self, image: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map images (N, C, H, W) in [-1, 1] with labels (N,) to (N, outputs)."""
        x = self.first(image)
        # N x num_classes x H/2 x W/2, constant over each image
        planes = one_hot(labels, x, self.num_classes)[:, :, None, None].expand(-1, -1, *x.shape[2:])
        return self.layers(torch.cat([x, planes], dim=1))


class AgeDiscriminator(_LabelledConvolutions):
    """DCGAN's discriminator, with the class joined to the output of the first convolution and not to the image.

    Args:
        image_shape: Channels, height and width of the images judged, from 8 up; see ``coarsest_map``.
        num_classes: Number of classes.
        width: Channels of the first layer; they double with every level down to 4 x 4.
    """

    def __init__(self, image_shape: tuple[int, int, int], num_classes: int, width: int = 64) -> None:
        super().__init__(image_shape, 1, num_classes, width)

    def forward(self, image: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map images (N, C, H, W) in [-1, 1] with labels (N,) to logits (N,)."""
        return super().forward(image, labels).flatten()


class AgeEncoder(_LabelledConvolutions):
    """The same from an image and its class to the latent that a generator would make it of.

    Args:
        image_shape: Channels, height and width of the images, from 8 up; see ``coarsest_map``.
        latent_dim: Length of the latent vector.
        num_classes: Number of classes.
        width: Channels of the first layer; they double with every level down to 4 x 4.
    """

    def __init__(self, image_shape: tuple[int, int, int], latent_dim: int, num_classes: int, width: int = 64) -> None:
        super().__init__(image_shape, latent_dim, num_classes, width)
