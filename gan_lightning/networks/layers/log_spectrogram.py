"""The spectrograms of SpecGAN (Donahue et al., ICLR 2019, arXiv 1802.04208, section 3.4), and sounds of them."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_FLOOR = 1e-6
_CLIP = 3.0
"""Standard deviations from the mean that become 1; what lies beyond is clipped."""


class LogSpectrogram(nn.Module):
    """Logarithmic magnitudes of sounds, each frequency with mean 0 and deviation 1/3 over the training set.

    Windows are periodic Hann of ``2 side`` samples, ``side`` apart, with zeros after the end, so that ``side^2``
    samples give ``side`` frames. The highest frequency is left out; the way back takes its mean. Values are clipped to
    [-1, 1].

    Args:
        side: Frequencies, and frames, of a spectrogram; 128 in the paper.
        iterations: Of Griffin and Lim's algorithm, on the way back; 16 in the authors' code.

    Attributes:
        mean: Of the logarithm at each frequency, the highest among them, (side + 1,); zeros before it is measured.
        std: Its standard deviation, likewise; ones.
        measured: Whether they are.
    """

    mean: Tensor
    std: Tensor
    measured: Tensor
    window: Tensor

    def __init__(self, side: int, iterations: int = 16) -> None:
        super().__init__()
        self.side = side
        self.iterations = iterations
        self.register_buffer("mean", torch.zeros(side + 1))
        self.register_buffer("std", torch.ones(side + 1))
        self.register_buffer("measured", torch.tensor(False))
        self.register_buffer("window", torch.hann_window(2 * side), persistent=False)

    def forward(self, sounds: Tensor) -> Tensor:
        """Map sounds, N x 1 x side^2, to spectrograms, N x 1 x side x side in [-1, 1]; the lowest frequency first."""
        scaled = (self._log_magnitudes(sounds) - self.mean[:, None]) / self.std[:, None] / _CLIP
        return scaled[:, None, :-1].clamp(-1, 1).to(sounds.dtype)

    @torch.no_grad()
    def moments_of(self, batches: Iterable[Tensor]) -> Tensor:
        """Mean and mean square of the logarithm at each frequency, 2 x (side + 1), float64 on the CPU.

        Args:
            batches: Sounds, N x 1 x side^2 each; at least one.
        """
        count, sums = 0, torch.zeros(2, self.side + 1, dtype=torch.float64)
        for sounds in batches:
            values = self._log_magnitudes(sounds).double().cpu()
            count += values.shape[0] * values.shape[2]
            sums += torch.stack([values.sum((0, 2)), values.square().sum((0, 2))])
        return sums / count

    @torch.no_grad()
    def set_moments(self, moments: Tensor) -> None:
        """Scale by these moments from now on, 2 x (side + 1), as :meth:`moments_of` returns them."""
        mean, square = moments.double()
        self.mean.copy_(mean)
        # A frequency that never changes has a deviation of nearly nothing, and not 0.
        self.std.copy_((square - mean**2).clamp(min=1e-12).sqrt())
        self.measured.fill_(True)

    @torch.no_grad()
    def inverse(self, spectrograms: Tensor) -> Tensor:
        """Find sounds with these spectrograms, by Griffin and Lim's algorithm from phase 0: N x 1 x side^2."""
        values = spectrograms[:, 0].to(self.mean.dtype)
        # The highest frequency is at its mean.
        values = F.pad(values, (0, 0, 0, 1))
        magnitudes = (values * _CLIP * self.std[:, None] + self.mean[:, None]).exp()
        phases = torch.ones_like(magnitudes, dtype=torch.complex64)
        sounds = self._overlapped(magnitudes * phases)
        for _ in range(self.iterations):
            spectrum = self._spectrum(sounds)
            phases = spectrum / spectrum.abs().clamp(min=1e-8)
            sounds = self._overlapped(magnitudes * phases)
        return sounds[:, None].clamp(-1, 1)

    def _log_magnitudes(self, sounds: Tensor) -> Tensor:
        """Of sounds, N x 1 x T: N x (side + 1) x side, in float32 at least."""
        with torch.autocast(sounds.device.type, enabled=False):
            sounds = sounds[:, 0].to(torch.promote_types(sounds.dtype, torch.float32))
            return (self._spectrum(sounds).abs() + _FLOOR).log()

    def _spectrum(self, sounds: Tensor) -> Tensor:
        padded = F.pad(sounds, (0, self.side))
        window = self.window.to(sounds.dtype)
        return torch.stft(padded, 2 * self.side, self.side, window=window, center=False, return_complex=True)

    def _overlapped(self, spectrum: Tensor) -> Tensor:
        """The sounds whose windows are nearest to a spectrum's, N x T: weighted means where two overlap."""
        # N x frames x 2 x side: two halves of each window.
        frames = torch.fft.irfft(spectrum.transpose(1, 2)) * self.window
        first, second = frames.unflatten(2, (2, self.side)).unbind(2)
        weights = self.window.square().view(2, self.side)
        before = F.pad(second, (0, 0, 1, -1))
        # The first half of the first window overlaps with none.
        divisor = (weights[0] + weights[1]).expand(self.side, -1).clone()
        divisor[0] = weights[0].clamp(min=_FLOOR)
        return ((first + before) / divisor).flatten(1)
