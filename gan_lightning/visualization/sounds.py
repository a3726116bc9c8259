"""Sounds as WAV files and as spectrograms."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from datamodules.components.sound import imported_soundfile
from gan_lightning.visualization.image_sets import write_atomically
from gan_lightning.visualization.media import Medium

_WINDOW = 512
_HOP = 128
_RANGE = 80.0
"""Decibels between white and black in a spectrogram."""


class Sound(Medium):
    """Sounds of one channel: WAV files of 16 bits; pictures are spectrograms.

    An example is 1 x T, or T, in [-1, 1].

    Args:
        sample_rate: Samples a second.
    """

    name = "sounds"
    suffix = ".wav"

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate

    def save(self, path: Path, example: Tensor) -> None:
        write_atomically(path, wav(example, self.sample_rate))

    def picture(self, example: Tensor) -> Tensor:
        return spectrogram_picture(example)

    def log(self, logger: Any, name: str, examples: Sequence[Tensor], step: int) -> None:
        sounds = [example.detach().float().reshape(-1).clamp(-1, 1).cpu() for example in examples]
        if hasattr(logger, "log_audio"):  # Weights & Biases
            rates = [self.sample_rate] * len(sounds)
            logger.log_audio(name, [sound.numpy() for sound in sounds], step=step, sample_rate=rates)
        elif add_audio := getattr(getattr(logger, "experiment", None), "add_audio", None):  # TensorBoard
            for i, sound in enumerate(sounds):
                add_audio(f"{name}/{i}", sound[None], step, self.sample_rate)


def to_int16(sound: Tensor) -> Tensor:
    """Round a sound in [-1, 1] to int16, of which 32768 levels are 1; what is louder is clipped."""
    return (sound.detach().float() * 32768).round().clamp(-32768, 32767).to(torch.int16)


def wav(sound: Tensor, sample_rate: int) -> bytes:
    """Encode a sound, 1 x T or T in [-1, 1], as a WAV file of 16 bits.

    Raises:
        ModuleNotFoundError: soundfile is not installed.
    """
    content = io.BytesIO()
    samples = to_int16(sound).reshape(-1).cpu().numpy()
    # The subtype by its name: a float file that a program reads as integers is silence.
    imported_soundfile().write(content, samples, sample_rate, format="WAV", subtype="PCM_16")
    return content.getvalue()


def spectrogram_picture(sound: Tensor) -> Tensor:
    """Draw the spectrogram of a sound, 1 x T or T: time to the right, frequency upwards, the loudest black.

    White lies 80 dB below the loudest point; silence is white.

    Returns:
        uint8, 1 x 256 x (T / 128 + 1): frequencies 0 to half the sample rate, without the highest.
    """
    samples = sound.detach().float().reshape(-1).cpu()
    window = torch.hann_window(_WINDOW)
    # Zeros around it: a reflection needs more samples than half a window.
    spectrum = torch.stft(samples, _WINDOW, _HOP, window=window, pad_mode="constant", return_complex=True)
    power = spectrum.abs().square()[:-1].flip(0)
    loudest = power.max().clamp(min=1e-12)
    decibels = 10 * (power / loudest).clamp(min=1e-12).log10()
    darkness = (1 + decibels / _RANGE).clamp(0, 1) if power.max() > 0 else torch.zeros_like(power)
    return (255 * (1 - darkness)).round().to(torch.uint8)[None]
