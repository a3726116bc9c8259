"""CelebA."""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from datamodules.base import Splits, held_out, shape_of
from datamodules.components.file_base import FileDataModule
from datamodules.components.files import is_image
from datamodules.components.first_process import rank_zero_warn
from datamodules.components.layouts import folder_named, sub_folders
from datamodules.components.loading import Subset

_NAMES = """
    5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose Black_Hair Blond_Hair
    Blurry Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee Gray_Hair Heavy_Makeup High_Cheekbones Male
    Mouth_Slightly_Open Mustache Narrow_Eyes No_Beard Oval_Face Pale_Skin Pointy_Nose Receding_Hairline Rosy_Cheeks
    Sideburns Smiling Straight_Hair Wavy_Hair Wearing_Earrings Wearing_Hat Wearing_Lipstick Wearing_Necklace
    Wearing_Necktie Young
"""
ATTRIBUTES = tuple(_NAMES.split())
# The published split is by number, so it is known where list_eval_partition is missing.
_LAST = {162_770: "train", 182_637: "val", 202_599: "test"}  # the number of the last image of each split
_PARTITION = {"0": "train", "1": "val", "2": "test"}


class CelebADataModule(FileDataModule):
    """The 202,599 aligned faces of CelebA, RGB, with 40 binary attributes.

    Layouts that are read: torchvision's (``celeba/img_align_celeba/*.jpg`` beside ``list_attr_celeba.txt`` and
    ``list_eval_partition.txt``), Kaggle's (lists as CSV files) and CelebA's own (``Img``, ``Anno``, ``Eval``); the
    folder ``celeba`` itself may be left out. Missing images cause one warning. Without ``list_eval_partition``, images
    with CelebA's own names (000001.jpg to 202599.jpg) are split as CelebA is. If validation and test would then be
    empty, a tenth of the images, at most 1,000, are held out for validation.

    Images, 178 pixels wide and 218 high, are cropped in the middle to the aspect ratio of ``image_size``, a square of
    178 x 178 by default, and resized (bicubic). Batches are (images,
    attributes): uint8 N x 3 x H x W and float32 N x A, 1 where the face has the attribute; or, with
    ``class_attribute``, (images, labels) with int64 labels, N.

    Args:
        data_dir: Folder that holds ``celeba``, or its files.
        batch_size: Images in a batch, in each process.
        image_size: Height and width: one number for a square, or [height, width].
        attributes: Names of those that the batches carry, in this order; null: all 40, in CelebA's order; an empty
            list: none, the batches are images alone.
        flip: Mirror training images horizontally with probability one half.
        in_memory: Decode all images once and keep them; None: if they take no more than 1 GiB.
        cache: Keep the decoded images in one file, as ``ImageFolderDataModule`` does; every start compares the sizes
            and times of all files.
        num_workers: Processes that decode images which are not kept in memory; 0: none but the training process;
            None: one for each CPU, at most 8.
        seed: The order of the training images is a function of this seed and the epoch.
        class_attribute: Name of one that divides the faces into two classes, 0 without and 1 with it, for games of
            classes; the batches then carry no attributes. None: there are no classes.

    Raises:
        ValueError: An argument is out of its range, CelebA has no such attribute, or there are both attributes and
            classes.
    """

    def __init__(
        self,
        data_dir: str = "data",
        batch_size: int = 64,
        image_size: int | tuple[int, int] = 64,
        attributes: list[str] | None = None,
        flip: bool = True,
        in_memory: bool | None = None,
        cache: bool | str = False,
        num_workers: int | None = None,
        seed: int = 0,
        class_attribute: str | None = None,
    ) -> None:
        if class_attribute is not None and attributes:
            raise ValueError(
                f"class_attribute is {class_attribute!r} and attributes are given too: batches carry classes or "
                "attributes, so leave one out."
            )
        every = ATTRIBUTES if class_attribute is None else ()
        self.attributes = list(every if attributes is None else attributes)
        # What is read of the list.
        self._read = self.attributes if class_attribute is None else [class_attribute]
        # Before the base class, which takes the number of attributes for that of the classes.
        _check_attributes(self._read)
        n_classes = (len(self.attributes) or None) if class_attribute is None else 2
        super().__init__(shape_of(3, image_size), n_classes, batch_size, flip, num_workers, seed)
        if class_attribute is not None:
            self.class_names = [f"not {class_attribute}", class_attribute]
        self.data_dir = data_dir
        self.in_memory = in_memory
        self.cache = cache

    @property
    def location(self) -> str:
        return str(self._home)

    def load_splits(self) -> Splits:
        images = self._images()
        partition, listed = self._partition(images)
        names = [name for name in partition if name in images]
        if not names:
            raise FileNotFoundError(
                f"CelebADataModule: none of the images in {self._home} is in its list_eval_partition: unpack "
                "img_align_celeba.zip there."
            )
        # A partial download is usable: train on the images that are there.
        if len(names) < len(partition):
            lost = next(name for name in partition if name not in images)
            rank_zero_warn(
                f"CelebADataModule: {self._home} lacks {len(partition) - len(names)} of the {len(partition)} images "
                f"that list_eval_partition lists, {lost} first: going on with the others."
            )
        labels = self._labels(names) if self._read else None
        if labels is not None and self._read is not self.attributes:
            labels = labels[:, 0].long()
        paths = [images[name] for name in names]
        source, broken = self.read_images(paths, labels, self.in_memory, self.cache)
        # The published files can all be read: a broken one is a damaged copy, and not to be skipped.
        self.refuse(broken, paths)
        # Indices into ``source`` of each split.
        parts = [partition[name] for name in names]
        indices = {
            split: torch.tensor([i for i, part in enumerate(parts) if part == split]).long()
            for split in _PARTITION.values()
        }
        # Without images to evaluate on, hold some out of the training images.
        complete = listed and len(names) == len(partition)
        if not complete and not len(indices["val"]) and not len(indices["test"]):
            rest, val = held_out(len(names), self.location, val_size=min(1000, len(names) // 10))
            # All images are training images then, so that indices of the one are indices of the other.
            indices |= {"train": rest, "val": val}
        return Splits(**{split: Subset(source, chosen) for split, chosen in indices.items()})

    @property
    def _home(self) -> Path:
        """The folder ``celeba``, or ``data_dir`` where that holds the files itself."""
        root = Path(self.data_dir).expanduser()
        return folder_named(root, "celeba") or (root if self._find(root, "img_align_celeba") else root / "celeba")

    def _find(self, home: Path, *names: str) -> Path | None:
        """The first of these files or folders in a folder, or in one of its folders."""
        places = [home, *(home / name for name in sub_folders(home) if name != "img_align_celeba")]
        return next((place / name for name in names for place in places if (place / name).exists()), None)

    def _images(self) -> dict[str, Path]:
        """The images by their names, sorted."""
        folder = self._find(self._home, "img_align_celeba")
        if folder is not None:
            folder = folder_named(folder, "img_align_celeba") or folder
        found = {} if folder is None else {path.name: path for path in sorted(folder.iterdir()) if is_image(path.name)}
        if not found:
            raise FileNotFoundError(
                f"CelebADataModule: no images in {folder or self._home / 'img_align_celeba'}: set data_dir to "
                "the folder that holds `celeba`, and unpack img_align_celeba.zip in that."
            )
        return found

    def _partition(self, images: Mapping[str, Path]) -> tuple[dict[str, str], bool]:
        """Split of every image by file name, and whether it comes from CelebA's list."""
        file = self._find(self._home, "list_eval_partition.txt", "list_eval_partition.csv")
        if file is None:
            rank_zero_warn(
                f"CelebADataModule: there is no list_eval_partition in {self._home}: images that have CelebA's own "
                "names are split as CelebA is, and all others are trained on."
            )
            return {name: _official_split(name) for name in images}, False
        partition = {}
        for number, row in _rows(file, header=0):
            if len(row) != 2 or row[1] not in _PARTITION:
                raise ValueError(
                    f"CelebADataModule: line {number} of {file} is not a file name and 0, 1 or 2: the file is damaged."
                )
            partition[row[0]] = _PARTITION[row[1]]
        return partition, True

    def _labels(self, names: Sequence[str]) -> Tensor:
        """The chosen attributes of the named images: float32, N x A."""
        file = self._find(self._home, "list_attr_celeba.txt", "list_attr_celeba.csv")
        if file is None:
            raise FileNotFoundError(
                f"CelebADataModule: there is no list_attr_celeba.txt or .csv in {self._home}: put it there, or set "
                "attributes to an empty list to train without."
            )
        rows = _rows(file, header=1)
        _, header = next(rows, (0, []))
        # Kaggle's CSV names the column of the file as well.
        header = header[1:] if header[:1] == ["image_id"] else header
        if not set(self._read) <= set(header):
            which = "first" if file.suffix == ".csv" else "second"
            raise ValueError(
                f"CelebADataModule: the {which} line of {file} does not name CelebA's attributes: damaged."
            )
        # Column 0 is the name of the image.
        columns = [header.index(name) + 1 for name in self._read]
        known = {}
        for number, row in rows:
            if len(row) != len(header) + 1 or not set(row[1:]) <= {"1", "-1"}:
                raise ValueError(
                    f"CelebADataModule: line {number} of {file} is not a file name and {len(header)} times 1 or -1: "
                    "the file is damaged."
                )
            # CelebA writes -1 for no.
            known[row[0]] = [row[column] == "1" for column in columns]
        unknown = [name for name in names if name not in known]
        if unknown:
            raise ValueError(f"CelebADataModule: {file} has no attributes of {unknown[0]} and {len(unknown) - 1} more.")
        return torch.tensor([known[name] for name in names], dtype=torch.float32)


def _rows(file: Path, header: int) -> Iterator[tuple[int, list[str]]]:
    """The rows of a list with the numbers of their lines, without what stands above the header.

    Args:
        file: With columns between spaces, or between commas if it is a CSV file, which has a line of names on top.
        header: Lines with names that CelebA's own list has; a first line with the number of images comes before them.
    """
    comma = "," if file.suffix == ".csv" else None
    # utf-8-sig drops the mark with which spreadsheets begin a file.
    lines = file.read_text(encoding="utf-8-sig").rstrip().splitlines()
    skipped = header if comma is None else 1 - header
    for number, line in islice(enumerate(lines, 1), skipped, None):
        yield number, [part.strip() for part in line.split(comma)]


def _official_split(name: str) -> str:
    """The split of an image by its number, as CelebA's own list has it; of another one: train."""
    # CelebA's own names are six digits; 0 stands for any other name.
    number = int(Path(name).stem) if re.fullmatch(r"\d{6}", Path(name).stem, re.ASCII) else 0
    return next((split for last, split in _LAST.items() if number <= last), "train")


def _check_attributes(names: list[str]) -> None:
    for name in names:
        if name not in ATTRIBUTES:
            near = get_close_matches(name, ATTRIBUTES, 1, 0)[0]
            raise ValueError(
                f"CelebA has no attribute {name!r}; the nearest is {near!r}. All 40: {', '.join(ATTRIBUTES)}."
            )
        if names.count(name) > 1:
            raise ValueError(f"attributes has {name!r} twice.")
