"""The networks of LAPGAN (Denton et al., 2015, arXiv 1506.05751) for CIFAR-10, after the authors' code.

Each level of a Laplacian pyramid of images has a network of its own. Initial weights of convolutions are torch's, which
are those of the authors' Lua Torch. Their coarsest generator differs a little from ``MLPGenerator``, which takes its
place: its second hidden layer is of sigmoids, its output is linear, and its weights start from N(0, .05), which spreads
as U(-.087, .087).
"""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from gan_lightning.networks.layers.laplacian import up


class LAPGANGenerator(nn.Module):
    """Makes the details of one level: two convolutions 7 x 7, one 5 x 5, rectifiers between, and no tanh at the end.

    The noise is one more channel of the image that lacks the details. Borders are padded, so that sides stay.

    Args:
        image_shape: Channels, height and width of the level's images.
        width: Channels of the hidden layers.
    """

    def __init__(self, image_shape: tuple[int, int, int], width: int = 64) -> None:
        super().__init__()
        channels = image_shape[0]
        self.layers = nn.Sequential(
            nn.Conv2d(channels + 1, width, kernel_size=7, padding=3),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, kernel_size=7, padding=3),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, channels, kernel_size=5, padding=2),
        )

    def forward(self, noise: Tensor, low_pass: Tensor) -> Tensor:
        """Map noise (N, 1, H, W) and images without details (N, C, H, W) to the details (N, C, H, W), unbounded."""
        # N x (1 + C) x H x W: the noise is one more channel.
        return self.layers(torch.cat([noise, low_pass], dim=1))


class LAPGANDiscriminator(nn.Module):
    """Judges one level: convolutions 5 x 5, the second of stride 2, with rectifiers; dropout, a linear layer.

    It is shown the sum of low-pass image and residual, which the authors' network adds up in its first layer. Borders
    are padded, where theirs are cut, so that it takes small images too. There is no sigmoid: it is in the loss.

    Args:
        image_shape: Channels, height and width of the images judged.
        width: Channels of the hidden layers.
        dropout: Probability of dropping a feature before the linear layer.
    """

    def __init__(self, image_shape: tuple[int, int, int], width: int = 64, dropout: float = 0.5) -> None:
        super().__init__()
        channels, *sides = image_shape
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, kernel_size=5, padding=2),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, kernel_size=5, stride=2, padding=2),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Dropout(dropout),
            # The stride of 2 rounds odd sides up.
            nn.Linear(width * math.prod((side + 1) // 2 for side in sides), 1),
        )

    def forward(self, image: Tensor) -> Tensor:
        """Map images (N, C, H, W) to logits (N,)."""
        return self.layers(image).squeeze(1)


class LAPGANCoarseDiscriminator(nn.Module):
    """Judges the coarsest level: two hidden layers of rectifiers with dropout.

    As in the authors' code weights start from N(0, .005) and biases at 0.

    Args:
        image_shape: Channels, height and width of the images judged.
        hidden: Units in each of the two hidden layers.
        dropout: Probability of dropping a hidden unit.
    """

    def __init__(self, image_shape: tuple[int, int, int], hidden: int = 600, dropout: float = 0.5) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(math.prod(image_shape), hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, 1),
        )
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, 0.0, 0.005)
                nn.init.zeros_(layer.bias)

    def forward(self, image: Tensor) -> Tensor:
        """Map images (N, C, H, W) to logits (N,)."""
        return self.layers(image).squeeze(1)


class LaplacianGenerator(nn.Module):
    """The generators of all levels: one makes the coarsest image, each other one adds the details of its level.

    Args:
        levels: A generator by the side, that is the height, of its level, from coarse to fine. The first maps latents
            to images, the others noise and low-pass images to residuals.
        latent_dim: Length of the coarsest level's latent; each other level takes a plane of noise.
        sizes: Height and width of each level. None: squares.
    """

    def __init__(
        self, levels: Mapping[int, nn.Module], latent_dim: int, sizes: Sequence[tuple[int, int]] | None = None
    ) -> None:
        super().__init__()
        self.sides = list(levels)
        self.levels = nn.ModuleDict({str(side): network for side, network in levels.items()})
        self.sizes = [(side, side) for side in self.sides] if sizes is None else list(sizes)
        self.lengths = lengths(self.sizes, latent_dim)

    def noises(self, latent: Tensor) -> dict[int, Tensor]:
        """Split latents (N, sum of ``lengths``): a vector for the coarsest level, a plane for each other one."""
        # N x latent_dim, then N x H W for each finer level
        coarsest, *planes = latent.split(self.lengths, dim=1)
        shaped = [plane.unflatten(1, (1, *size)) for size, plane in zip(self.sizes[1:], planes, strict=True)]
        return dict(zip(self.sides, [coarsest, *shaped], strict=True))

    def at(self, side: int, noise: Tensor, low_pass: Tensor | None) -> Tensor:
        """Images (N, C, H, W) of a level, from its noise and the enlarged coarser images."""
        # A coarsest level has no low-pass image, and makes the image itself.
        network = self.levels[str(side)]
        return network(noise) if low_pass is None else low_pass + network(noise, low_pass)

    def forward(self, latent: Tensor) -> Tensor:
        """Map latents (N, sum of ``lengths``) to images (N, C, H, W) in [-1, 1], each level upon the one before.

        Nothing is cut off to the range before the end.
        """
        noises = self.noises(latent)
        images = self.at(self.sides[0], noises[self.sides[0]], None)
        for side, size in zip(self.sides[1:], self.sizes[1:], strict=True):
            # I_k = up(I_{k-1}) + G_k(z_k, up(I_{k-1}))
            images = self.at(side, noises[side], up(images, size))
        # At the end only: cutting off a coarse level would shift what the finer ones were trained to add.
        return images.clamp(-1, 1)


def lengths(sizes: Sequence[tuple[int, int]], latent_dim: int) -> list[int]:
    """Length of the noise of each level of a :class:`LaplacianGenerator`, by its height and width."""
    return [latent_dim, *(height * width for height, width in sizes[1:])]
