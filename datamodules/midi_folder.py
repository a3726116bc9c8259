"""Bars of MIDI files."""

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

import numpy as np
from lightning_utilities.core.rank_zero import rank_zero_only
from tqdm import tqdm

from datamodules.base import Splits, check_at_least, held_out
from datamodules.components.atomic_write import replacing
from datamodules.components.blocks import end_of, exclusive_lock, key_of_files, read_end
from datamodules.components.cache import default_folder
from datamodules.components.files import list_files
from datamodules.components.first_process import rank_zero_warn
from datamodules.components.layouts import split_folders
from datamodules.components.midi import N_PITCHES, SUFFIXES, MidiError, Roll, melody_of, read_notes, to_roll
from datamodules.components.score_base import BEATS, Keys, ScoreDataModule

_NAMED = 5  # as many files are named in a message
_LAYOUT = 1  # of the cache
_SPLITS = ("train", "val", "test")


class MidiFolderDataModule(ScoreDataModule):
    """Bars of the MIDI files under a folder, on a grid.

    The files lie in ``train``, ``val`` and ``test``, or all together; then whole files are held out. Each is read once,
    into a cache of a bit for each step and pitch that later runs find again.

    Time is counted in ticks, whatever the tempo. All tracks but drums are joined. Notes are rounded to the grid and
    have one step at least; where a pitch begins again while it sounds, the first note is cut; a note of velocity 0 ends
    one.
    Files that cannot be read, and those in another measure than four quarters, are left out with a warning, or refused
    (``strict``).

    Batches are described at :class:`~datamodules.components.score_base.ScoreDataModule`. Chords are estimated of all
    notes.

    Args:
        root: The folder.
        voices: melody: the highest note of each step; all: all that sound. Bars are 1 x T x 128.
        keys: own: as they are; c: each piece moved to C major or A minor; all: each training bar in all twelve keys.
        batch_size: Bars in a batch, in each process.
        steps_per_beat: Steps of a quarter note: 4 for sixteenths.
        val_share: Share of the files for validation, where they are not in folders of splits.
        test_share: The same for testing.
        strict: Refuse a folder with files that cannot be used.
        seed: The order of the training bars is a function of this seed and the epoch.
        cache: Folder of the cache. None: ``gan_lightning/scores`` in the user's folder for caches.

    Raises:
        ValueError: An argument is out of its range.
    """

    def __init__(
        self,
        root: str,
        voices: Literal["melody", "all"] = "melody",
        keys: Keys = "own",
        batch_size: int = 72,
        steps_per_beat: int = 4,
        val_share: float = 0.1,
        test_share: float = 0.1,
        strict: bool = False,
        seed: int = 0,
        cache: str | None = None,
    ) -> None:
        super().__init__(1, keys, batch_size, steps_per_beat, seed)
        check_at_least(1, steps_per_beat=steps_per_beat)
        for name, share in {"val_share": val_share, "test_share": test_share}.items():
            if not 0 <= share < 1:
                raise ValueError(f"{name} is {share}: it must be at least 0 and less than 1.")
        if val_share + test_share >= 1:
            raise ValueError(f"val_share {val_share} and test_share {test_share} would leave nothing to train on.")
        self.root = Path(root).expanduser()
        self.voices = voices
        self.shares = {"val": val_share, "test": test_share}
        self.strict = strict
        self.cache = cache

    @property
    def location(self) -> str:
        return str(self.root)

    def load_splits(self) -> Splits:
        folders = split_folders(self.root) or {"": self.root}
        listed = [(split, path) for split, folder in folders.items() for path in _midi_files(folder)]
        if not listed:
            raise FileNotFoundError(
                f"MidiFolderDataModule: {self.root} has no MIDI file ({', '.join(SUFFIXES)}): set root to a folder "
                "that has."
            )
        rolls = self._rolls([path for _, path in listed])
        whole = [(split, roll) for (split, _), roll in zip(listed, rolls, strict=True) if roll is not None]
        if "" in folders:
            n_val, n_test = (round(share * len(whole)) for share in self.shares.values())
            parts = held_out(len(whole), self.location, "MIDI files", val_share=n_val, test_share=n_test)
            chosen = {split: [whole[i][1] for i in part.tolist()] for split, part in zip(_SPLITS, parts, strict=True)}
        else:
            chosen = {split: [roll for of, roll in whole if of == split] for split in _SPLITS}
        return Splits(
            **{split: self.bars([self._piece(roll) for roll in chosen[split]], split == "train") for split in _SPLITS}
        )

    def _piece(self, roll: Roll) -> tuple[Any, Any]:
        """The voice to learn and all notes, 1 x T x 128 each."""
        voice = melody_of(roll) if self.voices == "melody" else roll
        return voice[None].astype(np.uint8), roll[None].astype(np.uint8)

    def _rolls(self, paths: Sequence[Path]) -> list[Roll | None]:
        """The whole bars of each file, T x 128; None of one that cannot be used, after a warning."""
        home = default_folder().with_name("scores") if self.cache is None else Path(self.cache).expanduser()
        maker = f"{self.root.resolve()} {self.steps_per_beat}".encode(errors="surrogateescape")
        file = home / f"{self.root.name}-{blake2b(maker, digest_size=6).hexdigest()}.bars"
        key = key_of_files(paths, str(_LAYOUT))
        found = _load(file, key)
        if found is None:
            try:
                found = self._read_and_keep(file, key, paths)
            except OSError as error:
                rank_zero_warn(
                    f"The cache {file} of scores cannot be written ({error.strerror or error}): they are kept in "
                    "memory. Make room, or set cache to another folder."
                )
                found = self._read(paths)
        rolls, notes = found
        self._report(paths, notes)
        return rolls

    def _read_and_keep(self, file: Path, key: str, paths: Sequence[Path]) -> tuple[list[Roll | None], dict[str, str]]:
        """The same as :meth:`_read`; one process reads the files, the others wait for its cache file."""
        file.parent.mkdir(parents=True, exist_ok=True)
        with exclusive_lock(file):
            found = _load(file, key)
            if found is None:
                found = self._read(paths)
                _keep(file, key, *found)
        return found

    def _read(self, paths: Sequence[Path]) -> tuple[list[Roll | None], dict[str, str]]:
        """The bars of each file, and what is wrong with a file, by its number."""
        rolls: list[Roll | None] = []
        notes: dict[str, str] = {}
        silent = True if getattr(rank_zero_only, "rank", 0) else None
        for i, path in enumerate(tqdm(paths, "Reading MIDI files", unit=" files", disable=silent)):
            try:
                roll = to_roll(read_notes(path), self.steps_per_beat)
            except MidiError as error:
                notes[str(i)] = str(error)
                rolls.append(None)
                continue
            steps = BEATS * self.steps_per_beat
            # The last bar is filled up with silence, as it is notated.
            rolls.append(np.pad(roll, ((0, -len(roll) % steps), (0, 0))))
        return rolls, notes

    def _report(self, paths: Sequence[Path], notes: dict[str, str]) -> None:
        """Tell which files are left out."""
        if not notes:
            return
        named = ", ".join(f"{paths[int(i)]} ({reason})" for i, reason in [*notes.items()][:_NAMED])
        more = f" and {len(notes) - _NAMED} more" if len(notes) > _NAMED else ""
        said = f"{len(notes)} of the {len(paths)} MIDI files in {self.root} cannot be used: {named}{more}"
        if self.strict or len(notes) == len(paths):
            raise ValueError(f"MidiFolderDataModule: {said}: repair or remove them.")
        rank_zero_warn(f"MidiFolderDataModule: {said}; they are left out.")


def _midi_files(folder: Path) -> list[Path]:
    return [path for path in list_files(folder) if path.suffix.lower() in SUFFIXES]


def _load(file: Path, key: str) -> tuple[list[Roll | None], dict[str, str]] | None:
    """A cache file; None if it is missing, damaged or of another key."""
    try:
        _, description = read_end(file)
        if description["key"] != key:
            return None
        lengths, notes = description["lengths"], description["notes"]
        packed = np.fromfile(file, np.uint8, sum(filter(None, lengths)) * N_PITCHES // 8)
        whole = np.unpackbits(packed).astype(np.bool_).reshape(-1, N_PITCHES)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    ends = np.cumsum([length or 0 for length in lengths])
    rolls = [
        None if length is None else whole[end - length : end]
        for length, end in zip(lengths, ends.tolist(), strict=True)
    ]
    return rolls, notes


def _keep(file: Path, key: str, rolls: Sequence[Roll | None], notes: dict[str, str]) -> None:
    """Write a cache file."""
    packed = [np.packbits(roll) for roll in rolls if roll is not None]
    block = np.concatenate(packed) if packed else np.zeros(0, np.uint8)
    lengths = [None if roll is None else len(roll) for roll in rolls]
    description = {"key": key, "shape": [len(block)], "lengths": lengths, "notes": notes}
    with replacing(file) as target:
        target.write(block.tobytes())
        target.write(end_of(np.zeros(0, np.uint32), description))
