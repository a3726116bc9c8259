"""The networks of SpecGAN (Donahue, McAuley, Puckette, ICLR 2019, arXiv 1802.04208, appendix D)."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from gan_lightning.networks.wavegan import initialise

_COARSEST = 4


class SpecGANGenerator(nn.Module):
    """A map of 4 x 4, then transposed convolutions of 5 x 5 and stride 2, and tanh: spectrograms as square images.

    ``width`` channels are in the last map before the spectrogram, twice as many in each before it.

    Args:
        side: Frequencies, and frames, of a spectrogram: 4 times a power of 2.
        latent_dim: Length of the latent vector.
        width: See above; 64 in the paper.

    Raises:
        ValueError: The network cannot make spectrograms of this side.
    """

    def __init__(self, side: int = 128, latent_dim: int = 100, width: int = 64) -> None:
        super().__init__()
        widths = _widths(side, width)
        self.linear = nn.Linear(latent_dim, widths[0] * _COARSEST**2)
        layers: list[nn.Module] = []
        for inner, outer in pairwise([*widths, 1]):
            layers += [nn.ReLU(), nn.ConvTranspose2d(inner, outer, 5, 2, 2, output_padding=1)]
        self.layers = nn.Sequential(*layers, nn.Tanh())
        initialise(self)

    def forward(self, latent: Tensor) -> Tensor:
        """Make spectrograms, N x 1 x side x side in [-1, 1], of latents, N x latent_dim."""
        return self.layers(self.linear(latent).unflatten(1, (-1, _COARSEST, _COARSEST)))


class SpecGANDiscriminator(nn.Module):
    """The generator turned round, with leaky ReLU and without any normalisation.

    Args:
        side: As of the generator.
        width: Channels of the first map, twice as many in each after it.

    Raises:
        ValueError: The network cannot take spectrograms of this side.
    """

    def __init__(self, side: int = 128, width: int = 64) -> None:
        super().__init__()
        widths = _widths(side, width)[::-1]
        layers: list[nn.Module] = []
        for inner, outer in pairwise([1, *widths]):
            layers += [nn.Conv2d(inner, outer, 5, 2, 2), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers)
        self.linear = nn.Linear(widths[-1] * _COARSEST**2, 1)
        initialise(self)

    def forward(self, spectrograms: Tensor) -> Tensor:
        """Judge spectrograms, N x 1 x side x side: N."""
        return self.linear(self.layers(spectrograms).flatten(1))[:, 0]


def _widths(side: int, width: int) -> list[int]:
    """Channels of the generator's maps before the spectrogram, first to last."""
    n_layers = (side // _COARSEST).bit_length() - 1
    if n_layers < 1 or side != _COARSEST * 2**n_layers or width < 1:
        raise ValueError(
            f"side is {side} and width {width}: the side must be 8, 16, 32, ..., and the width at least 1."
        )
    return [width * 2**power for power in reversed(range(n_layers))]
