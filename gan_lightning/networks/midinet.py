"""The networks of MidiNet (Yang et al., 2017, arXiv 1703.10847), after the authors' code.

A bar is an image of one channel, T x P: steps and pitches. The authors' values are 0 and 1, and in a game -1 and 1: the
networks convert them.
"""

import torch
from torch import Tensor, nn

from gan_lightning.networks.dcgan import dcgan_init

BarShape = tuple[int, int, int]


class MidiNetGenerator(nn.Module):
    """A generator of a bar from noise, a chord and the bar before, which a conditioner of convolutions reads.

    The conditioner goes from T x P to T x 1 and by halves to 2 x 1. Two linear layers make a map of 2 x 1, transposed
    convolutions double it up to T x 1, and the last one has the whole width of P. Before each of these the chord and
    the conditioner's map of that size are joined to the channels. BatchNorm and ReLU, LeakyReLU of .2 in the
    conditioner.

    Args:
        image_shape: Voices, steps and pitches of a bar; the steps are a power of two from 4 up.
        latent_dim: Length of the noise.
        chord_dim: Numbers of a chord; 0: without chords.
        width: Channels of the maps.
        n_conditions: Channels of the conditioner's maps.
        hidden: Units of the first linear layer.

    Raises:
        ValueError: If the network cannot make bars of this shape.
    """

    def __init__(
        self,
        image_shape: BarShape = (1, 16, 128),
        latent_dim: int = 100,
        chord_dim: int = 13,
        width: int = 128,
        n_conditions: int = 16,
        hidden: int = 1024,
    ) -> None:
        super().__init__()
        voices, steps, pitches = image_shape
        if steps < 4 or steps.bit_count() != 1:
            raise ValueError(f"MidiNetGenerator makes bars of 4, 8, 16, 32, ... steps, not of {steps}.")
        n_halvings = steps.bit_length() - 2
        whole = nn.Conv2d(voices, n_conditions, (1, pitches))
        halvings = [nn.Conv2d(n_conditions, n_conditions, (2, 1), (2, 1)) for _ in range(n_halvings)]
        # Maps of T, T / 2, ..., 2 steps.
        self.conditioner = nn.ModuleList(
            nn.Sequential(layer, nn.BatchNorm2d(n_conditions), nn.LeakyReLU(0.2)) for layer in (whole, *halvings)
        )
        self.first = _activated(nn.Linear(latent_dim + chord_dim, hidden), nn.BatchNorm1d(hidden))
        self.second = _activated(nn.Linear(hidden + chord_dim, 2 * width), nn.BatchNorm1d(2 * width))
        inputs = width + chord_dim + n_conditions
        self.doublings = nn.ModuleList(
            _activated(nn.ConvTranspose2d(inputs, width, (2, 1), (2, 1)), nn.BatchNorm2d(width))
            for _ in range(n_halvings)
        )
        self.last = nn.ConvTranspose2d(inputs, voices, (1, pitches))
        self.apply(_init)

    def forward(self, latent: Tensor, before: Tensor, chords: Tensor) -> Tensor:
        """Make bars (N, V, T, P) in (-1, 1).

        Args:
            latent: Noise, N x latent_dim.
            before: The bar before each, N x V x T x P, -1 where nothing sounds.
            chords: N x chord_dim.
        """
        maps = [(before + 1) / 2]
        for layer in self.conditioner:
            maps.append(layer(maps[-1]))
        hidden = self.first(torch.cat([latent, chords], dim=1))
        made = self.second(torch.cat([hidden, chords], dim=1)).unflatten(1, (-1, 2, 1))
        # From 2 x 1 up: the conditioner's maps from the last one back.
        for layer, given in zip([*self.doublings, self.last], reversed(maps[1:]), strict=True):
            made = layer(torch.cat([with_chords(made, chords), given], dim=1))
        # tanh(x / 2) = 2 sigmoid(x) - 1
        return (made / 2).tanh()


class MidiNetDiscriminator(nn.Module):
    """A discriminator of bars with chords: two convolutions over time, the first of the whole width, two linear layers.

    The chord is joined to the input of each layer. LeakyReLU of .2; BatchNorm but in the first layer and the last.

    Args:
        image_shape: Voices, steps and pitches of a bar; 8 steps at least.
        chord_dim: Numbers of a chord; 0: without chords.
        n_features: Channels of the first convolution, whose maps are the features that are matched.
        width: Channels of the second.
        hidden: Units of the first linear layer.

    Raises:
        ValueError: If the network cannot judge bars of this shape.
    """

    def __init__(
        self,
        image_shape: BarShape = (1, 16, 128),
        chord_dim: int = 13,
        n_features: int = 14,
        width: int = 77,
        hidden: int = 1024,
    ) -> None:
        super().__init__()
        voices, steps, pitches = image_shape
        if steps < 8:
            raise ValueError(f"MidiNetDiscriminator judges bars of 8 steps or more, not of {steps}.")
        self.first = nn.Sequential(
            nn.Conv2d(voices + chord_dim, n_features, (2, pitches), (2, 2)),
            nn.LeakyReLU(0.2),
        )
        self.second = nn.Sequential(
            nn.Conv2d(n_features + chord_dim, width, (4, 1), (2, 2)),
            nn.BatchNorm2d(width),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
        )
        # T steps, halved, then by windows of 4 with stride 2.
        flat = width * ((steps // 2 - 4) // 2 + 1)
        self.third = nn.Sequential(nn.Linear(flat + chord_dim, hidden), nn.BatchNorm1d(hidden), nn.LeakyReLU(0.2))
        self.judge = nn.Linear(hidden + chord_dim, 1)
        self.apply(_init)

    def forward(self, bars: Tensor, chords: Tensor) -> tuple[Tensor, Tensor]:
        """Judge bars (N, V, T, P) in [-1, 1] with chords (N, chord_dim).

        Returns:
            Logits (N,), and the features of the first convolution, N x n_features x T / 2 x 1.
        """
        features = self.first(with_chords((bars + 1) / 2, chords))
        hidden = self.second(with_chords(features, chords))
        hidden = self.third(torch.cat([hidden, chords], dim=1))
        return self.judge(torch.cat([hidden, chords], dim=1)).squeeze(1), features


def with_chords(maps: Tensor, chords: Tensor) -> Tensor:
    """Join chords, N x 13, to the channels of maps, N x C x H x W, at every place."""
    planes = chords[:, :, None, None].to(maps.dtype).expand(-1, -1, *maps.shape[2:])
    return torch.cat([maps, planes], dim=1)


def _activated(layer: nn.Module, norm: nn.Module) -> nn.Sequential:
    return nn.Sequential(layer, norm, nn.ReLU())


def _init(module: nn.Module) -> None:
    """Weights N(0, .02), biases 0; BatchNorm's scales 1."""
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        dcgan_init(module)
