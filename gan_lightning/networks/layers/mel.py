"""Spectrograms in mel bands, as HiFi-GAN's code and librosa make them."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Slaney's mel scale: linear below 1 kHz, 200 / 3 Hz a mel, and 27 mels for each factor of 6.4 above.
_HERTZ_PER_MEL = 200 / 3
_KNEE = 1000.0
_LOG_STEP = math.log(6.4) / 27


def hertz_to_mel(hertz: Tensor) -> Tensor:
    """Mels of frequencies, float64."""
    above = _KNEE / _HERTZ_PER_MEL + (hertz.clamp(min=1e-9) / _KNEE).log() / _LOG_STEP
    return torch.where(hertz < _KNEE, hertz / _HERTZ_PER_MEL, above)


def mel_to_hertz(mels: Tensor) -> Tensor:
    """Frequencies of mels, float64."""
    knee = _KNEE / _HERTZ_PER_MEL
    return torch.where(mels < knee, mels * _HERTZ_PER_MEL, _KNEE * ((mels - knee) * _LOG_STEP).exp())


def mel_filters(sample_rate: int, n_fft: int, n_mels: int, lowest: float = 0.0, highest: float | None = None) -> Tensor:
    """Triangles over the frequencies of a spectrum, equally wide in mels, each of area 1 (Slaney's norm).

    Args:
        sample_rate: Samples a second.
        n_fft: Length of the transform.
        n_mels: Number of bands, B.
        lowest: Frequency in Hz at which the first begins.
        highest: Frequency at which the last ends. None: half the sample rate.

    Returns:
        B x (n_fft / 2 + 1), float32.

    Raises:
        ValueError: The frequencies are not in order, or beyond half the sample rate.
    """
    top = sample_rate / 2 if highest is None else highest
    if not 0 <= lowest < top <= sample_rate / 2:
        raise ValueError(
            f"mel bands from lowest {lowest:g} Hz to highest {top:g} Hz: they must lie between 0 and half the sample "
            f"rate, {sample_rate / 2:g} Hz."
        )
    frequencies = torch.arange(n_fft // 2 + 1, dtype=torch.float64) * sample_rate / n_fft
    ends = hertz_to_mel(torch.tensor([lowest, top], dtype=torch.float64))
    corners = mel_to_hertz(torch.linspace(ends[0], ends[1], n_mels + 2, dtype=torch.float64))
    left, middle, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    rising, falling = (frequencies - left) / (middle - left), (right - frequencies) / (right - middle)
    return (torch.minimum(rising, falling).clamp(min=0) * 2 / (right - left)).float()


class LogMel(nn.Module):
    """Logarithm of the magnitude in mel bands: Hann windows of ``n_fft`` samples, ``hop`` apart.

    Sounds are reflected by (n_fft - hop) / 2 samples at both ends, so that T samples give T / hop frames. Magnitudes
    are ``sqrt(re^2 + im^2 + 1e-9)``, whose gradient is finite in silence, and the logarithm is of 1e-5 at least.

    Args:
        sample_rate: Samples a second.
        n_mels: Number of bands, B.
        n_fft: Length of a window and of its transform.
        hop: Samples from one frame to the next.
        highest: Frequency in Hz at which the bands end. None: half the sample rate.

    Raises:
        ValueError: Bands or windows cannot be made so.
    """

    filters: Tensor
    window: Tensor

    def __init__(
        self, sample_rate: int, n_mels: int = 80, n_fft: int = 1024, hop: int = 256, highest: float | None = None
    ) -> None:
        super().__init__()
        if not 0 < hop <= n_fft or n_mels < 1:
            raise ValueError(f"hop is {hop}, n_fft {n_fft} and n_mels {n_mels}: hop must be 1 to n_fft, n_mels from 1.")
        self.n_fft = n_fft
        self.hop = hop
        self.reach = (n_fft - hop) // 2
        # Constants, not kept in checkpoints.
        self.register_buffer("filters", mel_filters(sample_rate, n_fft, n_mels, 0.0, highest), persistent=False)
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)

    def forward(self, sounds: Tensor) -> Tensor:
        """Map sounds, N x 1 x T, to N x B x T / hop, in float32 at least."""
        # In low precision the magnitudes of quiet bands would be rounding.
        with torch.autocast(sounds.device.type, enabled=False):
            sounds = sounds[:, 0].to(torch.promote_types(sounds.dtype, torch.float32))
            padded = F.pad(sounds, (self.reach, self.n_fft - self.hop - self.reach), mode="reflect")
            window, filters = self.window.to(sounds.dtype), self.filters.to(sounds.dtype)
            spectrum = torch.stft(padded, self.n_fft, self.hop, window=window, center=False, return_complex=True)
            magnitude = (spectrum.real.square() + spectrum.imag.square() + 1e-9).sqrt()
            return (filters @ magnitude).clamp(min=1e-5).log()
