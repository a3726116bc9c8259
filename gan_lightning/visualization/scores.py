"""Scores as MIDI files and as pictures of piano rolls."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from datamodules.components.midi import midi_bytes
from gan_lightning.visualization.image_sets import write_atomically
from gan_lightning.visualization.images import enlarge
from gan_lightning.visualization.media import Medium

_COLOURS = ((20, 60, 140), (190, 60, 40), (30, 130, 80), (150, 100, 20), (110, 50, 140), (0, 130, 150))
"""Of voices, in turn."""
_ROW, _BLACK_KEY, _BAR_LINE = 255, 240, 205
"""Grey of white keys, of black ones, and of the first step of a bar."""
_BLACK_KEYS = (1, 3, 6, 8, 10)
_LEAST_RANGE = (48, 84)
"""Pitches that a picture shows at least, C3 to C6."""
_SCALE = 4
_BEATS = 4


class Score(Medium):
    """Scores of some voices: MIDI files with a track for each; pictures are piano rolls, in a colour for each.

    An example is V x T x P; what is greater than 0 sounds.

    Args:
        lowest_pitch: MIDI's number of the first of the P pitches.
        steps_per_beat: Steps of a quarter note.
        tempo: Quarter notes a minute.
    """

    name = "scores"
    suffix = ".mid"

    def __init__(self, lowest_pitch: int = 0, steps_per_beat: int = 4, tempo: float = 90.0) -> None:
        self.lowest_pitch = lowest_pitch
        self.steps_per_beat = steps_per_beat
        self.tempo = tempo

    def save(self, path: Path, example: Tensor) -> None:
        voices = [*(example.detach() > 0).cpu().numpy()]
        write_atomically(path, midi_bytes(voices, self.lowest_pitch, self.steps_per_beat, self.tempo))

    def picture(self, example: Tensor) -> Tensor:
        return roll_picture(example, self.lowest_pitch, self.steps_per_beat)

    def log(self, logger: Any, name: str, examples: Sequence[Any], step: int) -> None:
        """Nothing: no logger plays MIDI, and pictures are sent as those of all media."""


def roll_picture(example: Tensor, lowest_pitch: int = 0, steps_per_beat: int = 4) -> Tensor:
    """Draw a piano roll, V x T x P: time to the right, pitch upwards, 4 pixels for a step and for a pitch.

    Rows of black keys are grey, and so is the beginning of each bar.

    Returns:
        uint8, 3 x (4 pitches) x (4 T), of the pitches C3 to C6 and all others that sound.
    """
    rolls = (example.detach() > 0).cpu()
    sounding = rolls.flatten(0, 1).any(dim=0).nonzero()[:, 0] + lowest_pitch
    shown = [*_LEAST_RANGE, *sounding.tolist()]
    pitches = torch.arange(min(shown), max(shown) + 1)
    is_black = torch.from_numpy(np.isin(pitches.numpy() % 12, _BLACK_KEYS))
    rows = torch.where(is_black, _BLACK_KEY, _ROW).to(torch.uint8)
    picture = rows[None, :, None].repeat(3, 1, rolls.shape[1])
    picture[:, :, :: _BEATS * steps_per_beat] = _BAR_LINE
    for number, roll in enumerate(rolls):
        steps, columns = roll.nonzero(as_tuple=True)
        colour = torch.tensor(_COLOURS[number % len(_COLOURS)], dtype=torch.uint8)
        picture[:, columns + lowest_pitch - pitches[0], steps] = colour[:, None]
    # Row 0 is at the top.
    return enlarge(picture.flip(1), _SCALE)
