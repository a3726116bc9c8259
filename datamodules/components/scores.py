"""Bars of scores as piano rolls: their chords, their keys, and the loader of bars with the bar before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.components.loading import Batch, EpochLoader, EpochOrder

PITCH_CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
MAJOR_SCALE = (0, 2, 4, 5, 7, 9, 11)
"""Pitch classes of C major."""
CHORD_DIM = 13
"""Numbers of a chord: one of twelve roots, and whether it is minor (Yang et al., 2017, arXiv 1703.10847)."""
ALL_KEYS = tuple(range(-5, 7))
"""Shifts in semitones, of which each key is one."""

Rolls = NDArray[np.uint8]


def chroma_of(rolls: Rolls, lowest_pitch: int = 0) -> NDArray[np.int64]:
    """Number of steps of each pitch class, from C: ... x T x P to ... x 12."""
    counts = rolls.astype(np.int64).sum(axis=-2)
    classes = (np.arange(rolls.shape[-1]) + lowest_pitch) % 12
    return np.stack([counts[..., classes == number].sum(axis=-1) for number in range(12)], axis=-1)


def chords_of(chroma: NDArray[np.int64]) -> NDArray[np.float32]:
    """Estimate the chord of each bar: the major or minor triad whose notes sound in most of its steps.

    Of two that are equal the one whose root sounds longer is taken, then the lower root, and major before minor.

    Args:
        chroma: B x 12, see :func:`chroma_of`.

    Returns:
        B x 13: the root, one of twelve, and 1 where it is minor; a silent bar has none, 13 zeros.
    """
    chords = np.zeros((len(chroma), CHORD_DIM), np.float32)
    roots = chroma
    fifths = np.roll(chroma, -7, axis=1)
    # B x 12 x 2: of each root the major and the minor triad. The root counts a little more, for ties alone.
    thirds = np.stack([np.roll(chroma, -4, axis=1), np.roll(chroma, -3, axis=1)], axis=2)
    longest = int(chroma.sum(axis=1).max(initial=0)) + 1
    scores = ((roots + fifths)[..., None] + thirds) * longest + roots[..., None]
    best = scores.reshape(len(chroma), 24).argmax(axis=1)
    sounding = np.flatnonzero(chroma.any(axis=1))
    chords[sounding, best[sounding] // 2] = 1
    chords[sounding, 12] = best[sounding] % 2
    return chords


def shifted_chords(chords: Tensor, shifts: Tensor) -> Tensor:
    """Chords, N x 13, of bars that are moved by N numbers of semitones."""
    places = (torch.arange(12) - shifts[:, None]) % 12
    return torch.cat([chords[:, :12].gather(1, places), chords[:, 12:]], dim=1)


def chord_named(name: str) -> Tensor:
    """The 13 numbers of a chord by its name, such as ``C``, ``F#`` or ``Am``.

    Raises:
        ValueError: It is no such name.
    """
    root = name.removesuffix("m")
    if root not in PITCH_CLASSES:
        raise ValueError(f"{name!r} is no chord: name a root, {', '.join(PITCH_CLASSES)}, with m after it for minor.")
    chord = torch.zeros(CHORD_DIM)
    chord[PITCH_CLASSES.index(root)] = 1
    chord[12] = float(name != root)
    return chord


def shift_to_c(chroma: NDArray[np.int64]) -> int:
    """Semitones, -5 to 6, by which most of a piece comes to lie in C major or A minor; the nearest of several."""
    shares = {shift: np.roll(chroma, shift)[list(MAJOR_SCALE)].sum() for shift in ALL_KEYS}
    return max(shares, key=lambda shift: (shares[shift], -abs(shift), shift))


def shifted(rolls: Rolls, shift: int) -> Rolls:
    """Rolls, ... x P, moved by semitones; what leaves the range of pitches is lost."""
    moved = np.zeros_like(rolls)
    n = rolls.shape[-1]
    moved[..., max(shift, 0) : n + min(shift, 0)] = rolls[..., max(-shift, 0) : n + min(-shift, 0)]
    return moved


def bars_of(roll: Rolls, steps: int) -> Rolls:
    """Cut a piece, V x T x P, into whole bars, B x V x steps x P; a rest at its end is left out."""
    n_bars = roll.shape[1] // steps
    cut = roll[:, : n_bars * steps].reshape(len(roll), n_bars, steps, roll.shape[2])
    return np.ascontiguousarray(cut.swapaxes(0, 1))


class Bars:
    """The bars of some pieces, each with the one before, in some keys; as an ``ImageSource``, the bars alone.

    Args:
        pieces: Bars of each piece, B x V x steps x P, uint8, 0 or 1.
        chords: Of each piece, B x 13.
        shifts: Semitones by which every bar is moved, one example for each.
    """

    labels: Tensor | None = None

    def __init__(
        self, pieces: Sequence[Rolls], chords: Sequence[NDArray[np.float32]], shifts: Sequence[int] = (0,)
    ) -> None:
        self.bars = np.concatenate([*pieces]) if pieces else np.zeros((0, 1, 1, 1), np.uint8)
        self.chords = torch.from_numpy(np.concatenate([*chords]) if chords else np.zeros((0, CHORD_DIM), np.float32))
        self.is_first = np.zeros(len(self.bars), np.bool_)
        starts = np.cumsum([0, *map(len, pieces)])[:-1]
        self.is_first[starts[starts < len(self.bars)]] = True
        self.shifts = np.array(shifts, np.int64)

    def __len__(self) -> int:
        return len(self.bars) * len(self.shifts)

    def examples(self, indices: Tensor) -> dict[str, Tensor]:
        """Bars and those before them, uint8, n x V x steps x P, 0 or 255, and chords, n x 13.

        Zeros come before the first bar of a piece.
        """
        numbers, keys = np.divmod(indices.numpy(), len(self.shifts))
        before = self.bars[numbers - 1] * ~self.is_first[numbers, None, None, None]
        bars = self.bars[numbers]
        shifts = self.shifts[keys]
        for rolls in (bars, before):
            for i in np.flatnonzero(shifts):
                rolls[i] = shifted(rolls[i], int(shifts[i]))
            rolls *= 255
        chords = shifted_chords(self.chords[torch.from_numpy(numbers)], torch.from_numpy(shifts))
        return {"bars": torch.from_numpy(bars), "before": torch.from_numpy(before), "chords": chords}

    def image_batches(self, batches: Sequence[Tensor]) -> Iterator[Tensor]:
        for indices in batches:
            yield self.examples(indices)["bars"]


class BarLoader(EpochLoader):
    """Dictionaries of ``bars``, ``before`` and ``chords``, see :meth:`Bars.examples`.

    Args:
        source: The bars.
        sampler: As in ``EpochLoader``.
        batch_size: Bars in a batch.
        training: Leave out a last batch that is smaller.
        pin_memory: As in ``EpochLoader``.
    """

    source: Bars

    def __init__(self, source: Bars, sampler: EpochOrder, batch_size: int, training: bool, pin_memory: bool) -> None:
        super().__init__(source, sampler, batch_size, training, pin_memory)

    def batches(self, todo: slice) -> Iterator[Batch]:
        for indices in self.sampler.indices().split(self.batch_size)[todo]:
            yield self.source.examples(indices)
