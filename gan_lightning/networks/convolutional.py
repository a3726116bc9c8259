"""Convolutional networks of DCGAN (Radford et al., 2015, arXiv 1511.06434), at any power-of-two side.

The variant is that of the authors' Torch code and of the PyTorch example: 4 x 4 kernels and a width of 64,
where the paper has 5 x 5 kernels and a width of 128.
"""

from itertools import pairwise

from torch import Tensor, nn

from gan_lightning.networks._image_shape import log2_side


class ConvGenerator(nn.Module):
    """Transposed convolutions from a 1 x 1 latent to the image, doubling the side from 4 x 4 on.

    BatchNorm and ReLU after every layer but the last, which ends in a tanh. At 64 x 64 the hidden layers have
    512, 256, 128 and 64 channels.

    Args:
        image_shape: Channels, height and width of the images made; square, a power of two from 8 up.
        latent_dim: Length of the latent vector.
        width: Channels of the last hidden layer; they double with every level down to 4 x 4.
        batch_norm: Whether hidden layers are batch-normalised; without it the convolutions have a bias
            instead.

    Raises:
        ValueError: If the network cannot make images of this shape.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 64, 64),
        latent_dim: int = 100,
        width: int = 64,
        batch_norm: bool = True,
    ) -> None:
        super().__init__()
        n_hidden = log2_side("ConvGenerator", image_shape, smallest=8) - 2
        channels = [width * 2**level for level in reversed(range(n_hidden))]
        layers: list[nn.Module] = [
            nn.Unflatten(1, (latent_dim, 1, 1)),
            nn.ConvTranspose2d(latent_dim, channels[0], kernel_size=4, bias=not batch_norm),
        ]
        for inputs, outputs in pairwise([*channels, image_shape[0]]):
            layers += [nn.BatchNorm2d(inputs)] if batch_norm else []
            layers += [
                nn.ReLU(inplace=True),
                nn.ConvTranspose2d(inputs, outputs, kernel_size=4, stride=2, padding=1, bias=not batch_norm),
            ]
        self.layers = nn.Sequential(*layers, nn.Tanh())
        self.apply(dcgan_init)

    def forward(self, latent: Tensor) -> Tensor:
        """Map latents (N, latent_dim) to images (N, C, H, W) in [-1, 1]."""
        return self.layers(latent)


class ConvDiscriminator(nn.Module):
    """Strided convolutions from the image to 4 x 4, then one that covers it: the generator's mirror.

    LeakyReLU of slope .2 after every layer but the last; BatchNorm after every layer but the first and the
    last. There is no sigmoid: it is in the loss.

    Args:
        image_shape: Channels, height and width of the images judged; square, a power of two from 8 up.
        width: Channels of the first layer; they double with every level down to 4 x 4.
        batch_norm: Whether inner layers are batch-normalised; without it the convolutions have a bias
            instead. Switch it off under a gradient penalty, which needs the logit of an image not to depend
            on the rest of the batch.

    Raises:
        ValueError: If the network cannot judge images of this shape.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 64, 64),
        width: int = 64,
        batch_norm: bool = True,
    ) -> None:
        super().__init__()
        n_hidden = log2_side("ConvDiscriminator", image_shape, smallest=8) - 2
        channels = [image_shape[0], *(width * 2**level for level in range(n_hidden))]
        layers: list[nn.Module] = []
        for level, (inputs, outputs) in enumerate(pairwise(channels)):
            layers += [nn.Conv2d(inputs, outputs, kernel_size=4, stride=2, padding=1, bias=not batch_norm)]
            layers += [nn.BatchNorm2d(outputs)] if batch_norm and level > 0 else []
            layers += [nn.LeakyReLU(0.2, inplace=True)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels[-1], 1, kernel_size=4, bias=not batch_norm))
        self.apply(dcgan_init)

    def forward(self, image: Tensor) -> Tensor:
        """Map images (N, C, H, W) to logits (N,)."""
        return self.layers(image).flatten()


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
