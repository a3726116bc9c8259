"""The networks of WaveGAN (Donahue, McAuley, Puckette, ICLR 2019, arXiv 1802.04208, appendix D)."""

from __future__ import annotations

from torch import Tensor, nn

from gan_lightning.networks.layers.phase_shuffle import PhaseShuffle

_COARSEST = 16
"""Time steps of the first map of the generator."""
_KERNEL = 25


class WaveGANGenerator(nn.Module):
    """A DCGAN of one dimension: a map of 16 steps, then transposed convolutions of length 25 and stride 4, and tanh.

    ``width`` channels are in the last map before the sound, and twice as many in each before it. Weights begin as
    Glorot's uniform ones, biases at 0, as in the authors' code.

    Args:
        n_samples: Length of a sound: 16 times a power of 4, or twice that, whose last stride is 2.
        latent_dim: Length of the latent vector.
        width: See above; 64 in the paper.

    Raises:
        ValueError: The network cannot make sounds of this length.
    """

    def __init__(self, n_samples: int = 16384, latent_dim: int = 100, width: int = 64) -> None:
        super().__init__()
        strides = strides_of(n_samples)
        widths = _widths(width, len(strides))
        self.linear = nn.Linear(latent_dim, widths[0] * _COARSEST)
        layers: list[nn.Module] = []
        for inner, outer, stride in zip(widths, [*widths[1:], 1], strides, strict=True):
            # Of 25 taps these paddings make exactly ``stride`` times as many steps.
            padding = 11 if stride == 4 else 12
            layers += [nn.ReLU(), nn.ConvTranspose1d(inner, outer, _KERNEL, stride, padding, output_padding=1)]
        self.layers = nn.Sequential(*layers, nn.Tanh())
        initialise(self)

    def forward(self, latent: Tensor) -> Tensor:
        """Make sounds, N x 1 x T in [-1, 1], of latents, N x latent_dim."""
        return self.layers(self.linear(latent).unflatten(1, (-1, _COARSEST)))


class WaveGANDiscriminator(nn.Module):
    """The generator turned round: convolutions of length 25 and stride 4, leaky ReLU, phase shuffle but after the last.

    Without any normalisation, which a gradient penalty asks for.

    Args:
        n_samples: As of the generator.
        width: Channels of the first map, twice as many in each after it.
        shuffle: Largest shift of phase shuffle; 0: none.

    Raises:
        ValueError: The network cannot take sounds of this length.
    """

    def __init__(self, n_samples: int = 16384, width: int = 64, shuffle: int = 2) -> None:
        super().__init__()
        strides = strides_of(n_samples)
        widths = _widths(width, len(strides))[::-1]
        layers: list[nn.Module] = []
        # The stride of 2, where there is one, is in the last layer here too, as in the authors' code.
        for inner, outer, stride in zip([1, *widths], widths, strides, strict=False):
            padding = 11 if stride == 4 else 12
            layers += [nn.Conv1d(inner, outer, _KERNEL, stride, padding), nn.LeakyReLU(0.2), PhaseShuffle(shuffle)]
        self.layers = nn.Sequential(*layers[:-1])
        self.linear = nn.Linear(widths[-1] * _COARSEST, 1)
        initialise(self)

    def forward(self, sounds: Tensor) -> Tensor:
        """Judge sounds, N x 1 x T: N."""
        return self.linear(self.layers(sounds).flatten(1))[:, 0]


def strides_of(n_samples: int) -> list[int]:
    """Strides of the generator's layers, first to last: fours, and a last two where the length asks for it.

    Raises:
        ValueError: The length is neither 16 times a power of 4 nor twice that.
    """
    steps, strides = _COARSEST, []
    while 4 * steps <= n_samples:
        steps *= 4
        strides.append(4)
    if 2 * steps == n_samples and strides:
        steps *= 2
        strides.append(2)
    if steps != n_samples or not strides:
        raise ValueError(
            f"n_samples is {n_samples}: WaveGAN's networks make sounds of 64, 128, 256, ... samples, a power of two "
            "as 16384: change the data's n_samples."
        )
    return strides


def initialise(network: nn.Module) -> None:
    """Set weights of linear and convolutional layers to Glorot's uniform ones, and biases to 0."""
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.ConvTranspose1d | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(layer.weight)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)


def _widths(width: int, n_layers: int) -> list[int]:
    """Channels of the generator's maps before the sound, first to last."""
    if width < 1:
        raise ValueError(f"width is {width}: it must be at least 1.")
    return [width * 2**power for power in reversed(range(n_layers))]
