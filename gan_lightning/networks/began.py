"""The networks of BEGAN (Berthelot, Schumm, Metz, 2017, arXiv 1703.10717): an auto-encoder, and its decoder alone.

3 x 3 convolutions with ELU throughout, without BatchNorm, between the image and 8 x 8. Weights are drawn from Glorot's
uniform distribution and biases are 0: the paper gives none. Its vanishing residuals and skip connections, which it
found helpful and not needed, are left out.
"""

import math

from torch import Tensor, nn

from gan_lightning.networks.layers.image_shape import coarsest_map
from gan_lightning.networks.layers.resampling import UpsampledConv2d


class BEGANAutoencoder(nn.Module):
    """An encoder to a code, a linear layer on either side of it, and a decoder of :class:`BEGANGenerator`'s kind.

    The encoder has two convolutions at each side; the first halves the side and adds ``width`` channels. The output is
    linear.

    Args:
        image_shape: Channels, height and width of the images, from 8 up; see ``coarsest_map``.
        width: Channels at the image's side, n in the paper.
        code_dim: Length of the code, N_h in the paper.

    Raises:
        ValueError: If the network cannot take images of this shape.
    """

    def __init__(self, image_shape: tuple[int, int, int] = (3, 64, 64), width: int = 64, code_dim: int = 64) -> None:
        super().__init__()
        n_halvings, rest = coarsest_map("BEGANAutoencoder", image_shape, smallest=8, start=8)
        layers = [*_activated(image_shape[0], width), *_activated(width, width), *_activated(width, width)]
        for level in range(1, n_halvings + 1):
            # n, 2n, 3n, ... channels
            wider = (level + 1) * width
            layers += [*_activated(level * width, wider, stride=2), *_activated(wider, wider)]
        self.encoder = nn.Sequential(
            *layers, nn.Flatten(), nn.Linear((n_halvings + 1) * width * math.prod(rest), code_dim)
        )
        # No tanh: a reconstruction may leave [-1, 1], and its error then has a gradient.
        self.decoder = _decoder("BEGANAutoencoder", image_shape, code_dim, width)
        self.apply(_glorot_init)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Map images (N, C, H, W) to their reconstructions (N, C, H, W) and their codes (N, code_dim)."""
        # N x C x H x W to N x code_dim
        code = self.encoder(image)
        # N x code_dim to N x C x H x W
        return self.decoder(code), code


class BEGANGenerator(nn.Module):
    """The decoder, with weights of its own: a linear layer to 8 x 8, two convolutions at each side, one to the image.

    Sides are doubled by copying pixels, and every layer has ``width`` channels. It ends in a tanh, where the paper's
    output is linear: samples are in [-1, 1].

    Args:
        image_shape: Channels, height and width of the images made, from 8 up; see ``coarsest_map``.
        latent_dim: Length of the latent vector.
        width: Channels of every layer, n in the paper.

    Raises:
        ValueError: If the network cannot make images of this shape.
    """

    def __init__(self, image_shape: tuple[int, int, int] = (3, 64, 64), latent_dim: int = 64, width: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(_decoder("BEGANGenerator", image_shape, latent_dim, width), nn.Tanh())
        self.apply(_glorot_init)

    def forward(self, latent: Tensor) -> Tensor:
        """Map latents (N, latent_dim) to images (N, C, H, W) in [-1, 1]."""
        return self.layers(latent)


def _decoder(network: str, image_shape: tuple[int, int, int], code_dim: int, width: int) -> nn.Sequential:
    n_doublings, start = coarsest_map(network, image_shape, smallest=8, start=8)
    layers = [nn.Linear(code_dim, width * math.prod(start)), nn.Unflatten(1, (width, *start))]
    for level in range(n_doublings + 1):
        # 8 x 8, 16 x 16, ...
        # The Identity keeps the names of the weights.
        first = [nn.Identity(), UpsampledConv2d(width, width)] if level else [nn.Conv2d(width, width, 3, padding=1)]
        layers += [*first, nn.ELU(inplace=True), *_activated(width, width)]
    return nn.Sequential(*layers, nn.Conv2d(width, image_shape[0], kernel_size=3, padding=1))


def _activated(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, kernel_size=3, stride=stride, padding=1), nn.ELU(inplace=True)]


def _glorot_init(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
