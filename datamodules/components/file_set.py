"""Base of the data modules of any set of image files: splits are held out of it, unusable files skipped or refused."""

from abc import ABC
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from datamodules.base import Splits, check_at_least, held_out
from datamodules.components.decoding import FORMATS
from datamodules.components.file_base import FileDataModule
from datamodules.components.first_process import rank_zero_warn
from datamodules.components.layouts import warn_of_empty
from datamodules.components.loading import ImageSource, Subset

NAMED_FILES = 10  # as many skipped files are named in the warning


@dataclass(frozen=True)
class FilesFound:
    """Files of the splits.

    Attributes:
        members: The number of images in each split; they come split by split.
        runs: Label and number of images of one class that follow each other; none where there are no classes.
        others: The first files that are no images, below ``location``.
        n_others: How many there are.
    """

    members: dict[str, int]
    runs: list[tuple[int, int]]
    others: list[str]
    n_others: int

    def labels(self) -> Tensor | None:
        """Labels of all images, int64 (N,); None where there are no classes."""
        if not self.runs:
            return None
        labels, counts = np.array(self.runs).T
        return torch.from_numpy(labels.repeat(counts))

    def without(self, broken: Collection[int]) -> dict[str, Tensor]:
        """Indices of each split's images, without the broken ones."""
        usable = torch.ones(sum(self.members.values()), dtype=torch.bool)
        # Dropped by index: labels and split of the others stay those of their files.
        usable[list(broken)] = False
        indices = torch.arange(len(usable)).split(list(self.members.values()))
        return {name: part[usable[part]] for name, part in zip(self.members, indices, strict=True)}


class FileSetDataModule(FileDataModule, ABC):
    """Base of the data modules of any set of image files, see ``ImageFolderDataModule`` for all arguments.

    Raises:
        ValueError: An argument is out of its range.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        num_classes: int | None,
        batch_size: int,
        val_size: int | None,
        test_size: int,
        flip: bool,
        strict: bool,
        in_memory: bool | None,
        cache: bool | str,
        draft: bool,
        num_workers: int | None,
        seed: int,
        bits: int = 8,
    ) -> None:
        check_at_least(0, val_size=val_size or 0, test_size=test_size)
        super().__init__(image_shape, num_classes, batch_size, flip, num_workers, seed, bits)
        self.val_size = val_size
        self.test_size = test_size
        self.strict = strict
        self.in_memory = in_memory
        self.cache = cache
        self.draft = draft

    def place_of(self, split: str) -> Path:
        """Where the images of a split are."""
        return Path(self.location)

    def split_files(
        self, found: FilesFound, path_of: Callable[[int], str], source: ImageSource, broken: dict[int, str]
    ) -> Splits:
        """Report the files that cannot be used, and divide the others.

        Args:
            found: All files.
            path_of: Path of image i.
            source: The images, broken ones included.
            broken: The reason for each of these, by index.

        Raises:
            ValueError: There are unusable files, and ``strict`` refuses them; or no image is left to train on.
        """
        # Every start reports what it skips, cached or not.
        self._report(found, [(path_of(i), broken[i]) for i in sorted(broken)])
        # Indices of the readable images of each split.
        usable = found.without(broken)
        for name in found.members:
            if name != "train" and not len(usable[name]):
                warn_of_empty(type(self).__name__, {self.place_of(name): 0})
        train, place = usable["train"], self.place_of("train")
        if len(train) == 0:
            raise ValueError(f"{type(self).__name__}: none of the images under {place} can be read.")
        val_size = min(1000, len(train) // 10) if self.val_size is None else self.val_size
        # A split with a folder of its own is not taken from the training images.
        rest, val, test = held_out(
            len(train),
            str(place),
            val_size=0 if "val" in usable else val_size,
            test_size=0 if "test" in usable else self.test_size,
        )
        return Splits(
            Subset(source, train[rest]),
            Subset(source, usable.get("val", train[val])),
            Subset(source, usable.get("test", train[test])),
        )

    def _report(self, found: FilesFound, broken: list[tuple[str, str]]) -> None:
        count = len(broken) + found.n_others
        if not count:
            return
        others = [(self.location + name, f"not {FORMATS}") for name in found.others]
        named = ", ".join(f"{path} ({reason})" for path, reason in (broken + others)[:NAMED_FILES])
        more = f" and {count - NAMED_FILES} more" if count > NAMED_FILES else ""
        counted = f"{count} of the {sum(found.members.values()) + found.n_others} files under {self.location}"
        if self.strict:
            raise ValueError(
                f"{type(self).__name__}: {counted} cannot be used: {named}{more}. Remove them, or set strict to false "
                "to skip them."
            )
        rank_zero_warn(f"{type(self).__name__}: skipped {counted}: {named}{more}.")
