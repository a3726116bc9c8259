"""The networks of HiFi-GAN (Kong, Kim, Bae, NeurIPS 2020, arXiv 2010.05646), after the authors' code."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

_SLOPE = 0.1

Judged = tuple[list[Tensor], list[list[Tensor]]]
"""Outputs of each discriminator, N x ...; and the maps of each after every layer, the output among them."""


class HiFiGANGenerator(nn.Module):
    """Transposed convolutions from a mel spectrogram to the sound, each followed by residual blocks side by side.

    The mean of the blocks of one upsampling, which have kernels of different lengths, goes on (MRF). Weights are
    normalised. The defaults are V3 of the paper; V1 has a width of 512, ``rates=[8, 8, 2, 2]``,
    ``kernels=[16, 16, 4, 4]``, ``block_kernels=[3, 7, 11]``, ``dilations=3 * [[1, 3, 5]]`` and ``paired=True``, V2
    the same at a width of 128.

    Args:
        n_mels: Bands of the spectrogram.
        width: Channels before the first upsampling; each halves them.
        rates: Factor of each upsampling.
        kernels: Kernel length of each, even steps longer than the rate.
        block_kernels: Kernel lengths of the residual blocks.
        dilations: Of each of these blocks, the dilations of its convolutions.
        paired: Follow each dilated convolution by one without dilation, as V1 and V2 do.

    Raises:
        ValueError: The lists do not fit each other, or the width is halved too often.
    """

    def __init__(
        self,
        n_mels: int = 80,
        width: int = 256,
        rates: Sequence[int] = (8, 8, 4),
        kernels: Sequence[int] = (16, 16, 8),
        block_kernels: Sequence[int] = (3, 5, 7),
        dilations: Sequence[Sequence[int]] = ((1, 2), (2, 6), (3, 12)),
        paired: bool = False,
    ) -> None:
        super().__init__()
        _check(width, rates, kernels, block_kernels, dilations)
        self.hop = math.prod(rates)
        widths = [width // 2**stage for stage in range(len(rates) + 1)]
        self.first = weight_norm(nn.Conv1d(n_mels, width, 7, padding=3))
        self.upsamplings = nn.ModuleList()
        self.blocks = nn.ModuleList()
        for (inner, outer), rate, kernel in zip(pairwise(widths), rates, kernels, strict=True):
            layer = nn.ConvTranspose1d(inner, outer, kernel, rate, padding=(kernel - rate) // 2)
            self.upsamplings.append(weight_norm(_small(layer)))
            blocks = zip(block_kernels, dilations, strict=True)
            self.blocks.append(nn.ModuleList(_ResidualBlock(outer, size, each, paired) for size, each in blocks))
        self.last = weight_norm(_small(nn.Conv1d(widths[-1], 1, 7, padding=3)))

    def forward(self, mels: Tensor) -> Tensor:
        """Make sounds, N x 1 x (T hop) in [-1, 1], of mel spectrograms, N x B x T."""
        x = self.first(mels)
        for upsampling, blocks in zip(self.upsamplings, self.blocks, strict=True):
            assert isinstance(blocks, nn.ModuleList)
            x = upsampling(F.leaky_relu(x, _SLOPE))
            x = torch.stack([block(x) for block in blocks]).mean(0)
        # Here the slope is torch's default of 0.01, as in the authors' code.
        return torch.tanh(self.last(F.leaky_relu(x)))


class _ResidualBlock(nn.Module):
    def __init__(self, channels: int, kernel: int, dilations: Sequence[int], paired: bool) -> None:
        super().__init__()

        def convolution(dilation: int) -> nn.Module:
            padding = dilation * (kernel - 1) // 2
            return weight_norm(_small(nn.Conv1d(channels, channels, kernel, dilation=dilation, padding=padding)))

        self.branches = nn.ModuleList()
        for dilation in dilations:
            layers = [nn.LeakyReLU(_SLOPE), convolution(dilation)]
            self.branches.append(nn.Sequential(*layers, *([nn.LeakyReLU(_SLOPE), convolution(1)] if paired else [])))

    def forward(self, x: Tensor) -> Tensor:
        for branch in self.branches:
            x = x + branch(x)
        return x


class HiFiGANDiscriminator(nn.Module):
    """The multi-period and the multi-scale discriminator: eight networks that judge a sound together.

    Five see every 2nd, 3rd, 5th, 7th and 11th sample as columns of a picture, and three the sound itself, and it
    averaged to a half and a quarter of its rate.

    Args:
        width: Channels of the first layers of the first kind; four times as many in those of the second.
        periods: See above.
        n_scales: Number of the second kind.

    Raises:
        ValueError: The width is not a multiple of 4, or a number is below 1.
    """

    def __init__(self, width: int = 32, periods: Sequence[int] = (2, 3, 5, 7, 11), n_scales: int = 3) -> None:
        super().__init__()
        if width < 4 or width % 4 or n_scales < 0 or any(period < 2 for period in periods):
            raise ValueError(
                f"width is {width}, periods {list(periods)}, n_scales {n_scales}: width must be a multiple of 4, "
                "periods from 2, n_scales from 0."
            )
        scales = [_ScaleDiscriminator(4 * width, scale) for scale in range(n_scales)]
        self.parts = nn.ModuleList([*(_PeriodDiscriminator(width, period) for period in periods), *scales])

    def forward(self, sounds: Tensor) -> Judged:
        """Judge sounds, N x 1 x T, by each network."""
        maps = [part(sounds) for part in self.parts]
        return [each[-1].flatten(1) for each in maps], maps


class _PeriodDiscriminator(nn.Module):
    """Convolutions along time over a sound that is folded by a period: 32, 128, 512, 1024, 1024 channels."""

    def __init__(self, width: int, period: int) -> None:
        super().__init__()
        self.period = period
        widths = [1, width, 4 * width, 16 * width, 32 * width]
        layers = [nn.Conv2d(*pair, (5, 1), (3, 1), (2, 0)) for pair in pairwise(widths)]
        layers.append(nn.Conv2d(widths[-1], widths[-1], (5, 1), 1, (2, 0)))
        self.layers = nn.ModuleList([weight_norm(layer) for layer in layers])
        self.last = weight_norm(nn.Conv2d(widths[-1], 1, (3, 1), 1, (1, 0)))

    def forward(self, sounds: Tensor) -> list[Tensor]:
        missing = -sounds.shape[2] % self.period
        x = F.pad(sounds, (0, missing), mode="reflect").unflatten(2, (-1, self.period))
        return _maps_of(self.layers, self.last, x)


class _ScaleDiscriminator(nn.Module):
    """Grouped convolutions over a sound, averaged ``scale`` times to half its rate; spectral norm on the whole one."""

    def __init__(self, width: int, scale: int) -> None:
        super().__init__()
        normalised = spectral_norm if scale == 0 else weight_norm
        self.pools = nn.Sequential(*(nn.AvgPool1d(4, 2, 2) for _ in range(scale)))
        # Channels in and out, kernel, stride, groups.
        table = [
            (1, 1, 15, 1, 1),
            (1, 1, 41, 2, 4),
            (1, 2, 41, 2, 16),
            (2, 4, 41, 4, 16),
            (4, 8, 41, 4, 16),
            (8, 8, 41, 1, 16),
            (8, 8, 5, 1, 1),
        ]
        layers = []
        for number, (inner, outer, kernel, stride, groups) in enumerate(table):
            inputs = width * inner if number else 1
            # Of small networks fewer groups: each must have a channel.
            groups = math.gcd(groups, math.gcd(inputs, width * outer))
            layers.append(nn.Conv1d(inputs, width * outer, kernel, stride, kernel // 2, groups=groups))
        self.layers = nn.ModuleList([normalised(layer) for layer in layers])
        self.last = normalised(nn.Conv1d(8 * width, 1, 3, padding=1))

    def forward(self, sounds: Tensor) -> list[Tensor]:
        return _maps_of(self.layers, self.last, self.pools(sounds))


def _maps_of(layers: nn.ModuleList, last: nn.Module, x: Tensor) -> list[Tensor]:
    maps = []
    for layer in layers:
        x = F.leaky_relu(layer(x), _SLOPE)
        maps.append(x)
    return [*maps, last(x)]


def _small(layer: nn.Conv1d | nn.ConvTranspose1d) -> nn.Module:
    """The layer with weights of N(0, 0.01)."""
    nn.init.normal_(layer.weight, 0.0, 0.01)
    return layer


def _check(
    width: int,
    rates: Sequence[int],
    kernels: Sequence[int],
    block_kernels: Sequence[int],
    dilations: Sequence[Sequence[int]],
) -> None:
    if not rates or len(rates) != len(kernels) or len(block_kernels) != len(dilations) or not dilations:
        raise ValueError(
            f"rates {list(rates)} and kernels {list(kernels)}, block_kernels {list(block_kernels)} and dilations "
            f"{[list(each) for each in dilations]}: each two must be lists of one length, from 1."
        )
    if any(rate < 1 or kernel < rate or (kernel - rate) % 2 for rate, kernel in zip(rates, kernels, strict=True)):
        raise ValueError(f"kernels is {list(kernels)}: each must be its rate of {list(rates)} or 2, 4, 6 ... more.")
    if any(kernel % 2 == 0 for kernel in block_kernels):
        raise ValueError(f"block_kernels is {list(block_kernels)}: they must be odd.")
    if width < 2 ** len(rates):
        raise ValueError(f"width is {width}: {len(rates)} layers halve it, so it must be {2 ** len(rates)} at least.")
