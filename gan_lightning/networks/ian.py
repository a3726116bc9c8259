"""Networks of the introspective adversarial network (Brock et al., ICLR 2017, arXiv 1609.07093).

They are the paper's full model, with multiscale dilated convolutions and colours that are made in turn, but for its
autoregressive flow of latents. Weights start from N(0, .02), as in the authors' code.
"""

from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from gan_lightning.networks.layers.image_shape import coarsest_map
from gan_lightning.networks.layers.minibatch_discrimination import MinibatchDiscrimination
from gan_lightning.networks.layers.multiscale import MultiscaleBlock, MultiscaleDilatedConv2d


class IANGenerator(nn.Module):
    """A linear layer to 4 x 4, transposed 5 x 5 convolutions, each with a multiscale block, and colours in turn.

    At 64 x 64 the maps have 512, 512, 256, 128 and 128 channels. A channel of the image is the mean of a beta
    distribution, ``2 a / (a + b) - 1``: a and b, in (0, 1), are made of the last map and of those of the channels
    before it, blue of red and green.

    Args:
        image_shape: Channels, height and width of the images made, from 8 up; see ``coarsest_map``.
        latent_dim: Length of the latent vector.
        width: Channels of the last map.

    Raises:
        ValueError: If the network cannot make images of this shape.
    """

    def __init__(
        self, image_shape: tuple[int, int, int] = (3, 64, 64), latent_dim: int = 100, width: int = 128
    ) -> None:
        super().__init__()
        doublings, (height, breadth) = coarsest_map("IANGenerator", image_shape, smallest=8)
        # At 64 x 64: 512, 256, 128, 128; the first map has as many as the second.
        channels = [width * 2 ** max(doublings - 2 - level, 0) for level in range(doublings)]
        layers: list[nn.Module] = [
            nn.Linear(latent_dim, channels[0] * height * breadth),
            nn.LeakyReLU(0.2),
            nn.Unflatten(1, (channels[0], height, breadth)),
        ]
        for level, (inputs, outputs) in enumerate(pairwise([channels[0], *channels])):
            layers.append(nn.ConvTranspose2d(inputs, outputs, 5, stride=2, padding=2, output_padding=1, bias=False))
            if level < doublings - 1:
                # On the smallest map a dilation of 3 would reach little but the border.
                layers.append(MultiscaleBlock(outputs, (0, 2) if level == 0 else (0, 2, 3)))
        self.layers = nn.Sequential(*layers, nn.BatchNorm2d(width), nn.LeakyReLU(0.2))
        self.apply(_initialise)
        self.of_map = nn.ModuleList(MultiscaleDilatedConv2d(width, 2, (2, 3, 4)) for _ in range(image_shape[0]))
        # Of the 2, 4, ... numbers a and b of the channels before
        self.of_colors = nn.ModuleList(
            MultiscaleDilatedConv2d(2 * before, 2, (2, 3, 4)) for before in range(1, image_shape[0])
        )

    def forward(self, latent: Tensor) -> Tensor:
        """Map latents (N, latent_dim) to images (N, C, H, W) in [-1, 1]."""
        features = self.layers(latent)
        # N x 2 x H x W each
        made: list[Tensor] = []
        for of_map in self.of_map:
            logits = of_map(features)
            if made:
                logits = logits + self.of_colors[len(made) - 1](torch.cat(made, dim=1))
            made.append(logits.sigmoid())
        # N x C x 2 x H x W to a and b, N x C x H x W
        a, b = torch.stack(made, dim=1).unbind(dim=2)
        return 2 * a / (a + b + 1e-8) - 1


class IANDiscriminator(nn.Module):
    """5 x 5 convolutions of stride 2, whose maps are the encoder's features too, and logits of three classes.

    Real, reconstruction, sample. BatchNorm after every convolution but the first, LeakyReLU of slope .2 after each. The
    head takes the mean of the last map over space, with minibatch discrimination, whose weights start at 0 here; its
    bias stands for the offsets that the authors' code adds to the similarities.

    Args:
        image_shape: Channels, height and width of the images judged, from 8 up; see ``coarsest_map``.
        width: Channels of the first map; they double with every level down to 4 x 4.
        n_kernels: Number of similarities; see :class:`~.layers.minibatch_discrimination.MinibatchDiscrimination`.
        kernel_dim: Length of the vectors that are compared.

    Raises:
        ValueError: If the network cannot judge images of this shape.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 64, 64),
        width: int = 128,
        n_kernels: int = 500,
        kernel_dim: int = 5,
    ) -> None:
        super().__init__()
        n_maps, _ = coarsest_map("IANDiscriminator", image_shape, smallest=8)
        # At 64 x 64: 128, 256, 512, 1024 channels at 32 x 32, 16 x 16, 8 x 8, 4 x 4.
        channels = [image_shape[0], *(width * 2**level for level in range(n_maps))]
        self.trunk = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(inputs, outputs, 5, stride=2, padding=2, bias=level == 0),
                nn.BatchNorm2d(outputs) if level else nn.Identity(),
                nn.LeakyReLU(0.2),
            )
            for level, (inputs, outputs) in enumerate(pairwise(channels))
        )
        self.head = nn.Sequential(
            MinibatchDiscrimination(channels[-1], n_kernels, kernel_dim), nn.Linear(channels[-1] + n_kernels, 3)
        )
        self.apply(_initialise)
        # Similarities begin near the size of the batch: with weights like the others' they alone would make logits of
        # ten and more, and no image would be given its class.
        with torch.no_grad():
            cast(nn.Linear, self.head[1]).weight[:, channels[-1] :] = 0

    def maps(self, image: Tensor) -> list[Tensor]:
        """Feature maps of images (N, C, H, W), N x ... each, the last one 4 x 4."""
        maps = []
        for layer in self.trunk:
            image = layer(image)
            maps.append(image)
        return maps

    def forward(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Map images (N, C, H, W) to logits (N, 3) of real, reconstruction and sample, and to :meth:`maps`."""
        maps = self.maps(image)
        return self.head(maps[-1].mean(dim=(2, 3))), maps


class IANEncoder(nn.Module):
    """The encoder's head, from the discriminator's last map to the latent: a hidden layer, BatchNorm after all three.

    Args:
        shape: Channels, height and width of the map.
        latent_dim: Length of the latent vector.
        hidden: Units of the hidden layer.
    """

    def __init__(self, shape: tuple[int, int, int] = (1024, 4, 4), latent_dim: int = 100, hidden: int = 1000) -> None:
        super().__init__()
        channels, height, width = shape

        def normalised(inputs: int, outputs: int) -> list[nn.Module]:
            return [nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs)]

        self.hidden = nn.Sequential(nn.Flatten(), *normalised(channels * height * width, hidden), nn.ReLU())
        self.mean = nn.Sequential(*normalised(hidden, latent_dim))
        self.log_deviation = nn.Sequential(*normalised(hidden, latent_dim))
        self.apply(_initialise)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Map features (N, C, h, w) to mu and log sigma of the latents, N x latent_dim each."""
        hidden = self.hidden(features)
        return self.mean(hidden), self.log_deviation(hidden)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
