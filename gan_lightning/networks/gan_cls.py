"""Networks of GAN-CLS (Reed et al., ICML 2016, arXiv 1605.05396), for images of many sizes."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from gan_lightning.networks.dcgan import dcgan_init
from gan_lightning.networks.layers.image_shape import coarsest_map

_N_RESIDUAL = 2


class GANCLSGenerator(nn.Module):
    """DCGAN's generator with the text joined to the latent, and a residual block at each of the two coarsest maps.

    A linear layer with LeakyReLU makes the text shorter. At 64 x 64 the maps have 1024, 512, 256 and 128 channels, as
    in the authors' code; smaller images have fewer levels.

    Args:
        image_shape: Channels, height and width of the images made, from 8 up; see ``coarsest_map``.
        latent_dim: Length of the latent vector.
        embed_dim: Length of the text's features.
        width: Channels of the last hidden layer.
        text_dim: Length of what the linear layer makes of these features.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 64, 64),
        latent_dim: int = 100,
        embed_dim: int = 1024,
        width: int = 128,
        text_dim: int = 128,
    ) -> None:
        super().__init__()
        n_hidden, start = coarsest_map("GANCLSGenerator", image_shape, smallest=8)
        # At 64 x 64: 1024, 512, 256, 128 channels at 4 x 4, 8 x 8, 16 x 16, 32 x 32.
        channels = [width * 2**level for level in reversed(range(n_hidden))]
        self.project = nn.Sequential(nn.Linear(embed_dim, text_dim), nn.LeakyReLU(0.2, inplace=True))
        layers: list[nn.Module] = [nn.ConvTranspose2d(latent_dim + text_dim, channels[0], start, bias=False)]
        for level, (inputs, outputs) in enumerate(pairwise([*channels, 0])):
            # ReLU behind the block's sum, not before: its shortcut takes what BatchNorm gives.
            block = [_Residual(inputs, nn.ReLU(inplace=True))] if level < _N_RESIDUAL and level < n_hidden - 1 else []
            layers += [nn.BatchNorm2d(inputs), *block, nn.ReLU(inplace=True)]
            if outputs:
                layers.append(nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False))
        last = nn.ConvTranspose2d(width, image_shape[0], 4, stride=2, padding=1, bias=False)
        self.layers = nn.Sequential(nn.Unflatten(1, (-1, 1, 1)), *layers, last, nn.Tanh())
        self.apply(dcgan_init)

    def forward(self, latent: Tensor, sentence: Tensor) -> Tensor:
        """Map latents (N, latent_dim) and texts (N, embed_dim) to images (N, C, H, W) in [-1, 1]."""
        return self.layers(torch.cat([latent, self.project(sentence)], dim=1))


class GANCLSDiscriminator(nn.Module):
    """DCGAN's discriminator with a residual block at the coarsest map, where the text is joined to every position.

    A linear layer with BatchNorm and LeakyReLU of its own makes the text shorter. LeakyReLU follows every convolution
    but the last, as in the paper; the authors' code has none behind the third.

    Args:
        image_shape: Channels, height and width of the images judged, from 8 up; see ``coarsest_map``.
        embed_dim: Length of the text's features.
        width: Channels of the first layer.
        text_dim: Length of what the linear layer makes of these features.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 64, 64),
        embed_dim: int = 1024,
        width: int = 64,
        text_dim: int = 128,
    ) -> None:
        super().__init__()
        n_hidden, rest = coarsest_map("GANCLSDiscriminator", image_shape, smallest=8)
        # At 64 x 64: 64, 128, 256, 512 channels at 32 x 32, 16 x 16, 8 x 8, 4 x 4.
        channels = [width * 2**level for level in range(n_hidden)]
        slope = nn.LeakyReLU(0.2, inplace=True)
        layers: list[nn.Module] = [nn.Conv2d(image_shape[0], width, 4, stride=2, padding=1, bias=False)]
        for inputs, outputs in pairwise(channels):
            layers += [slope, nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False), nn.BatchNorm2d(outputs)]
        self.layers = nn.Sequential(*layers, _Residual(channels[-1], slope), slope)
        self.project = nn.Sequential(nn.Linear(embed_dim, text_dim), nn.BatchNorm1d(text_dim), slope)
        self.judge = nn.Sequential(
            nn.Conv2d(channels[-1] + text_dim, channels[-1], 1, bias=False),
            nn.BatchNorm2d(channels[-1]),
            slope,
            nn.Conv2d(channels[-1], 1, rest, bias=False),
        )
        self.apply(dcgan_init)

    def forward(self, image: Tensor, sentence: Tensor) -> Tensor:
        """Map images (N, C, H, W) and texts (N, embed_dim) to logits (N,)."""
        maps = self.layers(image)
        # N x text_dim x h x w, constant over each image
        planes = self.project(sentence)[:, :, None, None].expand(-1, -1, *maps.shape[2:])
        return self.judge(torch.cat([maps, planes], dim=1)).flatten()


class StyleEncoder(nn.Module):
    """Strided convolutions from an image to the latent that a generator would make it of (section 4.6 of the paper).

    Args:
        image_shape: Channels, height and width of the images, from 8 up; see ``coarsest_map``.
        latent_dim: Length of the latent vector.
        width: Channels of the first layer; they double with every level.
    """

    def __init__(self, image_shape: tuple[int, int, int], latent_dim: int, width: int = 64) -> None:
        super().__init__()
        n_hidden, rest = coarsest_map("StyleEncoder", image_shape, smallest=8)
        channels = [image_shape[0], *(width * 2**level for level in range(n_hidden))]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(channels):
            layers += [nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False), nn.BatchNorm2d(outputs)]
            layers.append(nn.LeakyReLU(0.2, inplace=True))
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels[-1], latent_dim, rest), nn.Flatten())
        self.apply(dcgan_init)

    def forward(self, image: Tensor) -> Tensor:
        """Map images (N, C, H, W) in [-1, 1] to latents (N, latent_dim)."""
        return self.layers(image)


class _Residual(nn.Module):
    """``x + f(x)``: 1 x 1, 3 x 3 and 3 x 3 convolutions, of which the first makes a quarter of the channels."""

    def __init__(self, channels: int, activation: nn.Module) -> None:
        super().__init__()
        inner = max(channels // 4, 1)
        self.layers = nn.Sequential(
            *(nn.Conv2d(channels, inner, 1, bias=False), nn.BatchNorm2d(inner), activation),
            *(nn.Conv2d(inner, inner, 3, padding=1, bias=False), nn.BatchNorm2d(inner), activation),
            *(nn.Conv2d(inner, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, h, w) to the same shape."""
        return x + self.layers(x)
