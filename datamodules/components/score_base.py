"""Base of the data modules of scores: bars of piano rolls with the bar before."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from typing import Literal

import numpy as np

from datamodules.base import SplitDataModule, check_at_least
from datamodules.components.loading import EpochLoader, EpochOrder, ImageSource
from datamodules.components.midi import N_PITCHES
from datamodules.components.scores import (
    ALL_KEYS,
    BarLoader,
    Bars,
    Rolls,
    bars_of,
    chords_of,
    chroma_of,
    shift_to_c,
    shifted,
)

Keys = Literal["own", "c", "all"]
BEATS = 4


class ScoreDataModule(SplitDataModule, ABC):
    """Base of the data modules of scores in 4/4, on a grid.

    Batches are dictionaries of ``bars``, uint8, n x V x T x 128: voices, steps of a bar, pitches, 255 where a note
    sounds; ``before``, the bar before of the same piece, zeros before the first; and ``chords``, float32, n x 13, see
    :func:`datamodules.components.scores.chords_of`.

    Attributes:
        image_shape: (voices, steps, pitches) of a bar; known right after construction.
        steps_per_beat: Steps of a quarter note.

    Args:
        n_voices: See above.
        keys: own: pieces as they are; c: each moved to C major or A minor; all: each training bar in all twelve.
        batch_size: Bars in a batch, in each process.
        steps_per_beat: See above.
        seed: The order of the training bars is a function of this seed and the epoch.
    """

    examples = "bars"

    def __init__(self, n_voices: int, keys: Keys, batch_size: int, steps_per_beat: int, seed: int) -> None:
        super().__init__(batch_size, seed)
        check_at_least(1, steps_per_beat=steps_per_beat)
        self.keys = keys
        self.steps_per_beat = steps_per_beat
        self.image_shape = (n_voices, BEATS * steps_per_beat, N_PITCHES)

    def bars(self, pieces: Sequence[tuple[Rolls, Rolls]], training: bool) -> Bars:
        """Cut pieces into bars.

        Args:
            pieces: Of each the voices to learn, V x T x 128, and all notes that its chords are estimated of, the same
                or another number of voices; uint8, 0 or 1.
            training: Whether they are trained on.
        """
        cut, chords = [], []
        for voices, whole in pieces:
            # Voices together: V x T x P to B x T x P
            chroma = chroma_of(bars_of(whole, self.image_shape[1])).sum(axis=1)
            bars = bars_of(voices, self.image_shape[1])
            if self.keys == "c":
                shift = shift_to_c(chroma.sum(axis=0))
                bars, chroma = shifted(bars, shift), np.roll(chroma, shift, axis=1)
            cut.append(bars)
            chords.append(chords_of(chroma))
        return Bars(cut, chords, ALL_KEYS if self.keys == "all" and training else (0,))

    def make_loader(self, source: ImageSource, order: EpochOrder, training: bool, pin_memory: bool) -> EpochLoader:
        assert isinstance(source, Bars)
        return BarLoader(source, order, self.batch_size, training, pin_memory)
