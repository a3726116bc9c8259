"""Any folder of sound files."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from datamodules.base import SplitDataModule, Splits, check_at_least, held_out
from datamodules.components.files import list_files
from datamodules.components.first_process import rank_zero_warn
from datamodules.components.layouts import split_folders, sub_folders
from datamodules.components.loading import EpochLoader, EpochOrder, ImageSource
from datamodules.components.sound import SUFFIXES, Reading
from datamodules.components.sound_cache import packed_sounds
from datamodules.components.sound_loading import Crop, SoundCrops, SoundLoader

_NAMED = 5  # as many broken files are named in a message
_SPLITS = ("train", "val", "test")


class SoundFolderDataModule(SplitDataModule):
    """Any folder of sounds, WAV, FLAC, AIFF or Ogg, of any sample rate, bit depth and number of channels.

    Channels are averaged and resampled. The files are decoded once, into a cache on the disk of two bytes a sample that
    later runs find again and that is read at the speed of memory. Broken, empty, silent (where silence is cut off) and
    too long files are left out with one warning that names them, or refused (``strict``).

    Batches are int16, n x 1 x T, 32768 standing for 1, with int64 labels, n, where there are classes. Splits are the
    sub-folders ``train``, ``val`` and ``test``, or their usual synonyms; without them parts of all files are held out.
    Classes are the sub-folders of the training folder, sorted, if there are at least two and no sound lies beside them.

    Args:
        root: The folder.
        batch_size: Sounds in a batch, in each process.
        n_samples: Length of a sound, T: longer ones are cropped, shorter ones end in zeros.
        sample_rate: Samples a second, to which all are resampled.
        crop: What is taken of a longer sound. start: its beginning. random: in training one crop at a random place, in
            each epoch another one. pieces: as many crops as it takes to cover the sound, in training each moved by up
            to half of its length.
        trim: Cut off both ends of a sound where it is quieter than this share of its loudest sample, such as 0.01.
            None: they stay.
        peak: Make every sound as loud as this, its loudest sample in (0, 1], as HiFi-GAN's data: 0.95. None: as it is.
        val_size: Sounds held out for validation, where there is no ``val`` folder; None: a tenth, at most 1,000;
            0: validation uses the test sounds.
        test_size: Sounds held out for testing, where there is no ``test`` folder; 0: testing uses the validation
            sounds.
        strict: Refuse a folder with files that cannot be used, instead of leaving them out.
        longest: Seconds of the longest file that is read.
        cache: Keep the decoded sounds in a file. true: in ``gan_lightning/sounds`` of the user's cache folder; a path:
            in that folder; false: in memory alone. It is made again when a file is added, removed or changed.
        seed: The order and the places of the training sounds are functions of this seed and the epoch.

    Attributes:
        num_classes: Number of classes; None: there are none.
        class_names: Their names, in the order of the labels.

    Raises:
        FileNotFoundError: There is no folder ``root``.
        ValueError: An argument is out of its range, or ``root`` has folders of other splits but none for training.
    """

    examples = "sounds"

    def __init__(
        self,
        root: str,
        batch_size: int = 64,
        n_samples: int = 16384,
        sample_rate: int = 16000,
        crop: Crop = "start",
        trim: float | None = None,
        peak: float | None = None,
        val_size: int | None = None,
        test_size: int = 0,
        strict: bool = False,
        longest: float = 600.0,
        cache: bool | str = True,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size, seed)
        check_at_least(1, n_samples=n_samples, sample_rate=sample_rate)
        check_at_least(0, test_size=test_size, **({} if val_size is None else {"val_size": val_size}))
        if crop not in ("start", "random", "pieces"):
            raise ValueError(f"crop is {crop!r}: it must be start, random or pieces.")
        for name, share in {"trim": trim, "peak": peak}.items():
            if share is not None and not 0 < share <= 1:
                raise ValueError(f"{name} is {share}: it must be more than 0 and at most 1, or None.")
        if not 0 < longest < math.inf:
            raise ValueError(f"longest is {longest}: it must be a number of seconds, more than 0.")
        self.root = Path(root).expanduser().absolute()
        if not self.root.is_dir():
            raise FileNotFoundError(
                f"SoundFolderDataModule: there is no folder {root}: set root to one with sound files."
            )
        self._folders = _split_folders(self.root)
        classes = _class_names(self._folders["train"])
        self.class_names = classes or None
        self.num_classes = len(classes) or None
        self.n_samples = n_samples
        self.sample_rate = sample_rate
        self.crop = crop
        self.reading = Reading(sample_rate, trim, peak, longest)
        self.val_size = val_size
        self.test_size = test_size
        self.strict = strict
        self.cache = cache

    @property
    def location(self) -> str:
        return str(self.root)

    def load_splits(self) -> Splits:
        found = {split: _sound_files(folder) for split, folder in self._folders.items()}
        if not found["train"]:
            raise ValueError(
                f"SoundFolderDataModule: no sounds under {self._folders['train']} (looked for {', '.join(SUFFIXES)})."
            )
        files = [file for some in found.values() for file in some]
        labels = self._labels(found)
        packed = packed_sounds(files, self.reading, self.root, self.cache)
        self._tell_of_broken(files, packed.broken)
        kept = np.flatnonzero(packed.lengths)
        split_of = np.repeat(np.array([*found]), [len(some) for some in found.values()])[kept]
        parts = self._parts({split: kept[split_of == split] for split in _SPLITS})
        return Splits(
            *(
                SoundCrops(
                    packed, chosen, self.n_samples, self.crop, None if labels is None else labels[torch.tensor(chosen)]
                )
                for chosen in parts
            )
        )

    def make_loader(self, source: ImageSource, order: EpochOrder, training: bool, pin_memory: bool) -> EpochLoader:
        assert isinstance(source, SoundCrops)
        return SoundLoader(source, order, self.batch_size, training, pin_memory)

    def _labels(self, found: dict[str, list[Path]]) -> Tensor | None:
        """The class of every file, int64; None: there are no classes.

        Raises:
            ValueError: A file of another split is in no class of the training folder.
        """
        if self.class_names is None:
            return None
        labels = []
        for split, files in found.items():
            for file in files:
                name = file.relative_to(self._folders[split]).parts[0]
                if name not in self.class_names:
                    raise ValueError(
                        f"SoundFolderDataModule: {file} is in none of the class folders of {self._folders['train']} "
                        f"({', '.join(self.class_names[:10])}): move or remove it."
                    )
                labels.append(self.class_names.index(name))
        return torch.tensor(labels)

    def _tell_of_broken(self, files: list[Path], broken: dict[int, str]) -> None:
        """Warn of files that cannot be used.

        Raises:
            ValueError: There are some and ``strict`` is set, or no others are left.
        """
        if not broken:
            return
        named = ", ".join(f"{files[i]} ({reason})" for i, reason in [*broken.items()][:_NAMED])
        more = f" and {len(broken) - _NAMED} more" if len(broken) > _NAMED else ""
        told = (
            f"SoundFolderDataModule: {len(broken)} of the {len(files)} sounds in {self.root} cannot be used: "
            f"{named}{more}"
        )
        if self.strict or len(broken) == len(files):
            raise ValueError(f"{told}: repair or remove them.")
        rank_zero_warn(f"{told}: they are left out.")

    def _parts(self, chosen: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Indices of the files of each split, those held out of the training files among them."""
        n = len(chosen["train"])
        val = min(n // 10, 1000) if self.val_size is None else self.val_size
        sizes = {
            "val_size": 0 if "val" in self._folders else val,
            "test_size": 0 if "test" in self._folders else self.test_size,
        }
        rest, *held = (chosen["train"][part.numpy()] for part in held_out(n, self.location, "sounds", **sizes))
        return [rest, *(np.concatenate([part, chosen[split]]) for part, split in zip(held, _SPLITS[1:], strict=True))]


def _split_folders(root: Path) -> dict[str, Path]:
    """The folder of each split; ``root`` itself is the training split where there is none.

    Raises:
        ValueError: There are only others.
    """
    found = split_folders(root)
    if found and "train" not in found:
        other = next(iter(found.values())).name
        raise ValueError(
            f"SoundFolderDataModule: {root} has a folder {other} but none called train: call the folder of the "
            "training sounds `train`."
        )
    return found or {"train": root}


def _class_names(folder: Path) -> list[str]:
    """The names of the class folders, sorted; none where there are fewer than two, or sounds beside them."""
    names = sub_folders(folder)
    beside = any(file.suffix.lower() in SUFFIXES for file in folder.iterdir() if file.is_file())
    return names if len(names) > 1 and not beside else []


def _sound_files(folder: Path) -> list[Path]:
    return [file for file in list_files(folder) if file.suffix.lower() in SUFFIXES and file.is_file()]
