"""Convolutional networks of DCGAN (Radford et al., 2015, arXiv 1511.06434), for images of many sizes.

The variant is that of the authors' Torch code and of the PyTorch example: 4 x 4 kernels and a width of 64,
where the paper has 5 x 5 kernels and a width of 128.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from gan_lightning.networks.layers.image_shape import coarsest_map
from gan_lightning.networks.layers.labels import one_hot


class ConvGenerator(nn.Module):
    """Transposed convolutions from a 1 x 1 latent to the image, doubling the sides from 4 x 4 on.

    BatchNorm and ReLU after every layer but the last, which ends in a tanh. At 64 x 64 the hidden layers have
    512, 256, 128 and 64 channels. Images of another aspect ratio begin with another map, 64 x 96 with 4 x 6.

    Args:
        image_shape: Channels, height and width of the images made, from 8 up; see ``coarsest_map``.
        latent_dim: Length of the latent vector.
        num_classes: Number of classes, one-hot and joined to the latent. None: none.
        width: Channels of the last hidden layer; they double with every level down to 4 x 4.
        batch_norm: Whether hidden layers are batch-normalised; without it the convolutions have a bias
            instead.
        n_extra_layers: 3 x 3 convolutions more, at half the image's side, before the last layer: an option of
            WGAN's code (Arjovsky et al., 2017). An image of 8 x 8 has few levels and gains by them.

    Raises:
        ValueError: If the network cannot make images of this shape.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 64, 64),
        latent_dim: int = 100,
        num_classes: int | None = None,
        width: int = 64,
        batch_norm: bool = True,
        n_extra_layers: int = 0,
    ) -> None:
        super().__init__()
        n_hidden, start = coarsest_map("ConvGenerator", image_shape, smallest=8)
        # At 64 x 64 and width 64: 512, 256, 128, 64 channels at 4 x 4, 8 x 8, 16 x 16, 32 x 32.
        channels = [width * 2**level for level in reversed(range(n_hidden))]
        bias = not batch_norm

        def activated(layer: nn.Module, outputs: int) -> list[nn.Module]:
            return [layer, *([nn.BatchNorm2d(outputs)] if batch_norm else []), nn.ReLU(inplace=True)]

        self.num_classes = num_classes
        inputs = latent_dim + (num_classes or 0)
        # 1 x 1 to 4 x 4
        layers = activated(nn.ConvTranspose2d(inputs, channels[0], kernel_size=start, bias=bias), channels[0])
        for inputs, outputs in pairwise(channels):
            # Each doubles the side.
            layers += activated(nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=bias), outputs)
        for _ in range(n_extra_layers):
            layers += activated(nn.Conv2d(width, width, kernel_size=3, padding=1, bias=bias), width)
        last = nn.ConvTranspose2d(width, image_shape[0], kernel_size=4, stride=2, padding=1, bias=bias)
        self.layers = nn.Sequential(nn.Unflatten(1, (-1, 1, 1)), *layers, last, nn.Tanh())
        self.apply(dcgan_init)

    def forward(self, latent: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map latents (N, latent_dim), with labels (N,) if there are classes, to images (N, C, H, W) in [-1, 1]."""
        if self.num_classes is not None:
            # N x (latent_dim + num_classes)
            latent = torch.cat([latent, one_hot(labels, latent, self.num_classes)], dim=1)
        return self.layers(latent)


class ConvDiscriminator(nn.Module):
    """Strided convolutions from the image to 4 x 4, then one that covers it: the generator's mirror.

    LeakyReLU of slope .2 after every layer but the last; BatchNorm after every layer but the first and the
    last. There is no sigmoid: it is in the loss.

    Args:
        image_shape: Channels, height and width of the images judged, from 8 up; see ``coarsest_map``.
        num_classes: Number of classes, one-hot planes joined to the image.
            None: none.
        width: Channels of the first layer; they double with every level down to 4 x 4.
        batch_norm: Whether inner layers are batch-normalised; without it the convolutions have a bias
            instead. Switch it off under a gradient penalty, which needs the logit of an image not to depend
            on the rest of the batch.
        n_extra_layers: 3 x 3 convolutions more, at half the image's side, after the first layer, as in the
            generator.

    Raises:
        ValueError: If the network cannot judge images of this shape.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 64, 64),
        num_classes: int | None = None,
        width: int = 64,
        batch_norm: bool = True,
        n_extra_layers: int = 0,
    ) -> None:
        super().__init__()
        n_hidden, rest = coarsest_map("ConvDiscriminator", image_shape, smallest=8)
        # At 64 x 64 and width 64: 64, 128, 256, 512 channels at 32 x 32, 16 x 16, 8 x 8, 4 x 4.
        channels = [width * 2**level for level in range(n_hidden)]
        bias = not batch_norm

        def activated(layer: nn.Module, outputs: int) -> list[nn.Module]:
            norm = [nn.BatchNorm2d(outputs)] if batch_norm else []
            return [layer, *norm, nn.LeakyReLU(0.2, inplace=True)]

        self.num_classes = num_classes
        first = nn.Conv2d(image_shape[0] + (num_classes or 0), width, kernel_size=4, stride=2, padding=1, bias=bias)
        layers: list[nn.Module] = [first, nn.LeakyReLU(0.2, inplace=True)]
        for _ in range(n_extra_layers):
            layers += activated(nn.Conv2d(width, width, kernel_size=3, padding=1, bias=bias), width)
        for inputs, outputs in pairwise(channels):
            layers += activated(nn.Conv2d(inputs, outputs, kernel_size=4, stride=2, padding=1, bias=bias), outputs)
        # 4 x 4 to one logit
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels[-1], 1, kernel_size=rest, bias=bias))
        self.apply(dcgan_init)

    def forward(self, image: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map images (N, C, H, W), with labels (N,) if there are classes, to logits (N,)."""
        if self.num_classes is not None:
            # N x num_classes x H x W, constant over each image
            planes = one_hot(labels, image, self.num_classes)[:, :, None, None].expand(-1, -1, *image.shape[2:])
            image = torch.cat([image, planes], dim=1)
        # N x 1 x 1 x 1 to N
        return self.layers(image).flatten()


class PlainConvDiscriminator(ConvDiscriminator):
    """:class:`ConvDiscriminator` without BatchNorm, for penalties on its gradient.

    Args:
        image_shape: Channels, height and width of the images judged, from 8 up; see ``coarsest_map``.
        num_classes: Number of classes. None: none.
        width: Channels of the first layer; they double with every level down to 4 x 4.
        n_extra_layers: 3 x 3 convolutions more, at half the image's side, after the first layer.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 64, 64),
        num_classes: int | None = None,
        width: int = 64,
        n_extra_layers: int = 0,
    ) -> None:
        super().__init__(image_shape, num_classes, width, batch_norm=False, n_extra_layers=n_extra_layers)


def dcgan_init(module: nn.Module) -> None:
    """Initialise one layer as DCGAN does; for ``nn.Module.apply``.

    Convolutions: weights N(0, .02), biases 0. BatchNorm: scales N(1, .02), offsets 0. Other layers are left
    alone.

    Args:
        module: The layer, changed in place.
    """
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)
