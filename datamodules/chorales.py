"""Bach's four-part chorales, bar by bar."""

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from datamodules.base import Splits
from datamodules.components.midi import N_PITCHES
from datamodules.components.score_base import Keys, ScoreDataModule
from datamodules.components.scores import Rolls

_FILE = "chorales.json"
_SPLITS = {"train": ("train",), "val": ("valid", "val"), "test": ("test",)}
"""Names of each split in the file."""
_VOICES = 4
_LARGEST_FILE = 1 << 26


class ChoralesDataModule(ScoreDataModule):
    """Bach's chorales on a grid of sixteenths (Boulanger-Lewandowski et al., 2012, arXiv 1206.6392, and others since).

    ``chorales.json`` holds ``train``, ``valid`` and ``test``: pieces, each a list of steps of four pitches, soprano,
    alto, tenor, bass, -1 for a rest. The pieces of the splits stay apart. The grid does not say where a pitch is struck
    again, nor where a bar begins: bars are counted from the first step, and an upbeat shifts them.

    Batches are described at :class:`~datamodules.components.score_base.ScoreDataModule`. Chords are estimated of all
    four voices.

    Args:
        root: The folder of the file.
        voices: soprano: the melody, bars of 1 x 16 x 128; all: four voices, 4 x 16 x 128.
        keys: own: as they are; c: each piece moved to C major or A minor; all: each training bar in all twelve keys.
        batch_size: Bars in a batch, in each process.
        seed: The order of the training bars is a function of this seed and the epoch.

    Raises:
        ValueError: An argument is out of its range.
    """

    def __init__(
        self,
        root: str = "data/chorales",
        voices: Literal["soprano", "all"] = "soprano",
        keys: Keys = "c",
        batch_size: int = 72,
        seed: int = 0,
    ) -> None:
        self.n_used = 1 if voices == "soprano" else _VOICES
        super().__init__(self.n_used, keys, batch_size, 4, seed)
        self.file = Path(root).expanduser() / _FILE

    @property
    def location(self) -> str:
        return str(self.file)

    def load_splits(self) -> Splits:
        content = self._content()
        splits = {}
        for split, names in _SPLITS.items():
            pieces = next((content[name] for name in names if name in content), None)
            if not isinstance(pieces, list):
                raise ValueError(f"{self.file} has no list of pieces called {names[0]}: {_layout()}.")
            rolls = [self._roll(piece, f"piece {i} of {names[0]}") for i, piece in enumerate(pieces)]
            splits[split] = self.bars([(roll[: self.n_used], roll) for roll in rolls], split == "train")
        return Splits(**splits)

    def _content(self) -> dict[str, Any]:
        if not self.file.is_file():
            raise FileNotFoundError(
                f"ChoralesDataModule: there is no {self.file}: set root to the folder that holds {_FILE}."
            )
        if self.file.stat().st_size > _LARGEST_FILE:
            raise ValueError(f"{self.file} is larger than {_LARGEST_FILE >> 20} MiB: it is hardly a file of chorales.")
        try:
            content = json.loads(self.file.read_bytes())
        except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError too
            raise ValueError(f"{self.file} is no JSON file ({error}): {_layout()}.") from error
        if not isinstance(content, dict):
            raise ValueError(f"{self.file} holds a {type(content).__name__}: {_layout()}.")
        return content

    def _roll(self, piece: Any, name: str) -> Rolls:
        """A piece as a piano roll, 4 x T x 128."""
        try:
            pitches: NDArray[Any] = np.array(piece)
        except ValueError:  # steps of unequal lengths
            pitches = np.zeros(0)
        if pitches.ndim != 2 or pitches.shape[1] != _VOICES or pitches.dtype.kind != "i":
            raise ValueError(f"{self.file}, {name}, is no list of steps of four whole numbers: {_layout()}.")
        low, high = int(pitches.min()), int(pitches.max())
        if not -1 <= low <= high < N_PITCHES:
            raise ValueError(f"{self.file}, {name}, has pitches from {low} to {high}: {_layout()}.")
        return (pitches.T[..., None] == np.arange(N_PITCHES)).astype(np.uint8)


def _layout() -> str:
    return "it must hold train, valid and test, lists of pieces, each a list of steps of four pitches, -1 to 127"
