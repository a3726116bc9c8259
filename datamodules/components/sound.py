"""Sound files: finding them, and reading them as one channel of one sample rate. Every sound file is opened here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SUFFIXES = (".wav", ".flac", ".aif", ".aiff", ".ogg")
"""What the names of sound files end with, in small letters."""

_MOST_CHANNELS = 64
_BLOCK = 1 << 16
_HIGHEST_RATE = 768_000


class SoundError(ValueError):
    """A sound file cannot be used. The message is the reason, to follow its name."""


@dataclass(frozen=True)
class Reading:
    """How sound files are read.

    Args:
        sample_rate: Samples a second of what is made of them.
        trim: Silence is cut off at both ends: what is below this level, a share of the loudest sample. None: it stays.
        peak: Loudest sample of each sound, to which it is scaled. None: it is not.
        longest: Seconds of the longest file that is read.
    """

    sample_rate: int
    trim: float | None = None
    peak: float | None = None
    longest: float = 600.0


def imported_soundfile() -> Any:
    """The package ``soundfile``.

    Raises:
        ModuleNotFoundError: It is not installed.
    """
    try:
        import soundfile
    except (ModuleNotFoundError, OSError) as error:  # OSError: the package without its library
        raise ModuleNotFoundError(
            "Sound files are read and written with the package soundfile, which is not installed: pip install "
            "'gan-lightning[sound]'."
        ) from error
    return soundfile


def imported_soxr() -> Any:
    """The package ``soxr``, which resamples.

    Raises:
        ModuleNotFoundError: It is not installed.
    """
    try:
        import soxr
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Sounds of another sample rate are resampled with the package soxr, which is not installed: pip install "
            "'gan-lightning[sound]'."
        ) from error
    return soxr


def read_sound(path: Path, how: Reading) -> NDArray[np.int16]:
    """Read a sound file of any sample rate, bit depth and number of channels.

    Channels are averaged, and then resampled with soxr's best setting, whose filter lets nothing through that would
    come back at a wrong frequency. What is louder than full scale is clipped.

    Returns:
        int16, (T,).

    Raises:
        SoundError: The file cannot be read, is empty or silent where silence is cut off, too short or too long.
        ModuleNotFoundError: A package is missing.
    """
    mono, rate = _read_mono(path, how.longest)
    if rate != how.sample_rate:
        mono = imported_soxr().resample(mono, rate, how.sample_rate, quality="VHQ")
        if len(mono) == 0:
            raise SoundError(f"it is shorter than a sample of {how.sample_rate} Hz")
    if how.trim is not None:
        mono = trimmed(mono, how.trim)
        if len(mono) == 0:
            raise SoundError("it is silent")
    if how.peak is not None:
        mono = mono * (how.peak / max(float(np.abs(mono).max()), 1e-9))
    return np.clip(np.round(mono * 32768), -32768, 32767).astype(np.int16)


def _read_mono(path: Path, longest: float) -> tuple[NDArray[np.float32], int]:
    """The mean of the channels, float32, (T,), and the sample rate."""
    soundfile = imported_soundfile()
    try:
        with soundfile.SoundFile(path) as file:
            rate, channels, frames = file.samplerate, file.channels, file.frames
            # By the header, before anything is decoded.
            if not 0 < rate <= _HIGHEST_RATE or not 0 < channels <= _MOST_CHANNELS:
                raise SoundError(f"it has {channels} channels of {rate} Hz")
            if frames > longest * rate:
                raise SoundError(f"it is {frames / rate:.0f} s long, and {longest:g} s are the most")
            # Floats whatever the file holds: a file of floats that is read as integers is silence.
            blocks = file.blocks(_BLOCK, dtype="float32", always_2d=True)
            parts = [block.mean(axis=1, dtype=np.float32) for block in blocks]
    except (soundfile.SoundFileError, OSError) as error:
        # soundfile's own sentence repeats the path.
        raise SoundError(str(getattr(error, "error_string", error)).rstrip(".")) from error
    mono = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    if len(mono) == 0:
        raise SoundError("it is empty")
    if not np.isfinite(mono).all():
        raise SoundError("it holds NaN or infinity")
    return mono, rate


def trimmed(sound: NDArray[np.float32], level: float) -> NDArray[np.float32]:
    """Cut off what is below a level, a share of the loudest sample, at both ends; nothing is left of silence."""
    loudness = np.abs(sound)
    loud = np.flatnonzero(loudness > level * loudness.max(initial=0.0))
    return sound[loud[0] : loud[-1] + 1] if len(loud) else sound[:0]
