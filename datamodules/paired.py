"""Pairs of images: a photograph and its label map, a map and the view from above."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Literal

from datamodules.base import Splits, check_channels, shape_of
from datamodules.components.captions import listed_splits
from datamodules.components.decoding import check, read_raster
from datamodules.components.examples import Chances, ExampleDataModule, Examples, Jitter, Pixels
from datamodules.components.file_base import check_files
from datamodules.components.files import list_images, pack, read_again, unpack
from datamodules.components.first_process import rank_zero_warn
from datamodules.components.layouts import (
    check_domains,
    domain_folders,
    folders_in_words,
    split_folders,
    warn_of_empty,
    warn_of_unread,
)
from datamodules.components.raster import Raster

_SPLITS = ("train", "val", "test")
_SAMPLE = 100  # as many files are looked at to see whether they can be pairs side by side
_NAMED_FILES = 5  # as many files without a partner are named in an error

Pair = tuple[Path, Path]  # A and B; twice the same file where they lie side by side in it


class PairedImageDataModule(ExampleDataModule):
    """Aligned pairs of images A and B, for image-to-image translation as in pix2pix.

    Two layouts: both images side by side in one file (A on the left) in ``train``, ``val`` and ``test``; or two folders
    with the same file names, apart from suffixes: ``trainA`` and ``trainB``, ``A/train`` and ``B/train``, or
    ``train/A`` and ``train/B``. ``A`` and ``B`` alone are for training, but for the files to which a
    ``metadata.jsonl`` or ``metadata.csv`` beside the two gives another ``split``. Case and the usual synonyms of the
    splits do not matter. A split without folders, or with one of its two folders empty, is empty; a warning names
    folders that are not read. Files that do not look like two images side by side are refused, doubtful ones cause a
    warning; ``side_by_side`` decides.

    Batches are (target, condition), uint8 or uint16, n x C x H x W, of ``image_shape`` and ``condition_shape``. In
    training both images of a pair are resized to ``load_size``, cropped at the same random position and flipped
    together; otherwise they are resized to ``image_size``. Images of another aspect ratio are stretched, as in the
    authors' code.

    Args:
        root: The folder.
        batch_size: Pairs in a batch, in each process.
        image_size: Height and width: one number for a square, or [height, width].
        load_size: The same before the random crop; None: image_size * 286 / 256, as in the paper.
        direction: AtoB: the generator is given A and makes B; BtoA: the other way round.
        channels: Of the target. 3: RGB; 1: grey; others as in ``ImageFolderDataModule``.
        condition_channels: The same of the condition.
        flip: Mirror training pairs horizontally with probability one half.
        num_workers: Processes that decode images; 0: none but the training process; None: one for each CPU, at
            most 8.
        seed: The order and the jitter of the training pairs are functions of this seed and the epoch.
        folder_a: What the folders of A are called in place of ``A``, such as ``photos`` for ``train/photos``.
        folder_b: What those of B are called in place of ``B``.
        side_by_side: True: the files are pairs side by side, whatever they look like; false: the pairs lie in two
            folders; null: as the folders tell.
        bits: Of each channel, 8 or 16, as in ``ImageFolderDataModule``.

    Raises:
        ValueError: An argument is out of its range.
    """

    def __init__(
        self,
        root: str,
        batch_size: int = 1,
        image_size: int | tuple[int, int] = 256,
        load_size: int | tuple[int, int] | None = None,
        direction: Literal["AtoB", "BtoA"] = "AtoB",
        channels: int = 3,
        condition_channels: int = 3,
        flip: bool = True,
        num_workers: int | None = None,
        seed: int = 0,
        folder_a: str = "A",
        folder_b: str = "B",
        side_by_side: bool | None = None,
        bits: int = 8,
    ) -> None:
        check_channels(channels=channels, condition_channels=condition_channels)
        if direction not in ("AtoB", "BtoA"):
            raise ValueError(f"direction is {direction!r}: it must be AtoB or BtoA.")
        super().__init__(shape_of(channels, image_size), None, batch_size, flip, num_workers, seed, bits)
        self.condition_shape = shape_of(condition_channels, image_size)
        self.jitter = Jitter(image_size, load_size, flip)
        self.root = Path(root).expanduser()
        self.direction = direction
        check_domains(folder_a, folder_b)
        self.folder_a, self.folder_b = folder_a, folder_b
        self.side_by_side = side_by_side

    @property
    def location(self) -> str:
        return str(self.root)

    def load_splits(self) -> Splits:
        # A and B in two folders of a split, or side by side in the files of one folder.
        folders = {} if self.side_by_side else domain_folders(self.root, self.folder_a, self.folder_b)
        wholes = {} if self.side_by_side is False else split_folders(self.root)
        # Where a split has both layouts, its two folders are read.
        wholes = {split: folder for split, folder in wholes.items() if split not in folders}
        splits = {split: self._pairs(split, folders, wholes) for split in _SPLITS}
        if folders.keys() == {"train"} and not wholes:
            splits = _by_list(splits["train"], self.root)
        if not splits["train"]:
            a, b = self.folder_a, self.folder_b
            raise FileNotFoundError(
                f"PairedImageDataModule: {self.root} has no training pairs: put files with both images side by side "
                f"into `train`, or the images into `train{a}` and `train{b}`, `{a}/train` and `{b}/train`, or "
                f"`train/{a}` and `train/{b}`, or set folder_a and folder_b to what these two are called; "
                f"{folders_in_words(self.root)}."
            )
        # Everything else under ``root`` is reported, not ignored silently.
        used = [*wholes.values(), *(folder for two in folders.values() for folder in two)]
        warn_of_unread("PairedImageDataModule", self.root, used)
        pairs = [pair for split in splits.values() for pair in split]
        target, condition = self.image_shape[0], self.condition_shape[0]
        to_b = self.direction == "AtoB"
        channels = (condition, target) if to_b else (target, condition)
        # All pairs before training: a broken one shows now, with its name.
        self.refuse(
            check_files(len(pairs), lambda i: _check_pair(pairs[i], channels, self.bits)), [a for a, _ in pairs]
        )
        if self.side_by_side is None:
            for folder in wholes.values():
                _check_shapes(folder, channels[0], self.bits)
        return Splits(
            **{
                name: PairedImages(split, to_b, channels, self.jitter, self.workers(), self.bits)
                for name, split in splits.items()
            }
        )

    def _pairs(self, split: str, folders: dict[str, tuple[Path, Path]], wholes: dict[str, Path]) -> list[Pair]:
        if split in folders:
            return _matched(*folders[split], needed=split == "train")
        if split not in wholes:
            return []
        files = list_images(wholes[split])
        if not files and split != "train":
            warn_of_empty("PairedImageDataModule", {wholes[split]: 0})
        if self.side_by_side is None:
            _check_places(wholes[split], files)
        return [(path, path) for path in files]


class PairedImages(Examples):
    """Pairs of images that are read from their files on demand.

    Args:
        pairs: The files of A and B.
        to_b: B is the target and A the condition, and not the other way round.
        channels: Of A and of B, as in ``read_raster``.
        jitter: What both images of a pair undergo.
        num_workers: Worker processes.
        bits: As in ``read_raster``.
    """

    n_chances = 3

    def __init__(
        self,
        pairs: list[Pair],
        to_b: bool,
        channels: tuple[int, int],
        jitter: Jitter,
        num_workers: int,
        bits: int = 8,
    ) -> None:
        super().__init__(num_workers)
        self.a, self.b = pack(a for a, _ in pairs), pack(b for _, b in pairs)
        self.to_b = to_b
        self.channels = channels
        self.jitter = jitter
        self.bits = bits

    def __len__(self) -> int:
        return len(self.a)

    def make(self, index: int, chances: Chances | None) -> tuple[Pixels, ...]:
        a, b = unpack(self.a[index]), unpack(self.b[index])
        first = self._read(a, self.channels[0])
        # Side by side: one file holds both, and is read twice only where they differ in their channels.
        second = first if a == b and self.channels[0] == self.channels[1] else self._read(b, self.channels[1])
        halves = (_halves(first)[0], _halves(second)[1]) if a == b else (first, second)
        images = halves[::-1] if self.to_b else halves
        # The same chances for both images: crop and flip must agree, or they are no pair any more.
        return tuple(self.jitter(image, chances) for image in images)

    def _read(self, path: str, channels: int) -> Raster:
        return read_again(path, lambda file: read_raster(file, channels, self.bits))


def _halves(whole: Raster) -> tuple[Raster, Raster]:
    middle = whole.pixels.shape[1] // 2
    # H x 2W x C to two images of H x W x C
    return replace(whole, pixels=whole.pixels[:, :middle]), replace(whole, pixels=whole.pixels[:, middle:])


def _matched(a: Path, b: Path, needed: bool) -> list[Pair]:
    """The images of two folders that have the same names but for their endings, sorted.

    Where all lie in one of them, it is a mistake if they are needed, and else none, with a warning.
    """
    named = [_by_name(folder) for folder in (a, b)]
    if not needed and not all(named):
        warn_of_empty("PairedImageDataModule", {a: len(named[0]), b: len(named[1])})
        return []
    for folder, mine, other, theirs in ((a, named[0], b, named[1]), (b, named[1], a, named[0])):
        alone = [mine[name] for name in mine if name not in theirs]
        if alone:
            raise ValueError(
                f"PairedImageDataModule: {len(alone)} of the {len(mine)} images in {folder} have no partner of the "
                f"same name in {other}: {_listed(alone)}: add the partners or remove these."
            )
    # By name, not by position in the listing: one file that is missing would shift all others.
    return [(named[0][name], named[1][name]) for name in sorted(named[0])]


def _by_list(pairs: list[Pair], root: Path) -> dict[str, list[Pair]]:
    """Divide the pairs of two folders as a metadata.jsonl or .csv says, which may list A, B or both."""
    listed = listed_splits("PairedImageDataModule", root)
    splits: dict[str, list[Pair]] = {split: [] for split in _SPLITS}
    for a, b in pairs:
        splits[listed.get(a) or listed.get(b) or "train"].append((a, b))
    return splits


def _by_name(folder: Path) -> dict[str, Path]:
    images: dict[str, Path] = {}
    for path in list_images(folder):
        name = str(path.relative_to(folder).with_suffix(""))
        if name in images:
            raise ValueError(
                f"PairedImageDataModule: {images[name]} and {path} differ only in their endings, so it is not clear "
                "which one belongs to the pair: remove one of them."
            )
        images[name] = path
    return images


def _listed(paths: Iterable[Path]) -> str:
    names = [str(path) for path in paths]
    more = f" and {len(names) - _NAMED_FILES} more" if len(names) > _NAMED_FILES else ""
    return ", ".join(names[:_NAMED_FILES]) + more


def _check_places(folder: Path, files: list[Path]) -> None:
    """Refuse pairs side by side that are images of two folders, and warn of others in sub-folders."""
    places: dict[str, list[str]] = {}  # the sub-folders that have an image of this name
    for file in files:
        *above, name = file.relative_to(folder).parts
        places.setdefault(Path(name).stem.lower(), []).append("/".join(above))
    names = sorted({place for each in places.values() for place in each} - {""})
    if not names:
        return
    listed = ", ".join(names[:_NAMED_FILES]) + (" and others" if len(names) > _NAMED_FILES else "")
    several = next((sorted(set(each)) for each in places.values() if len(set(each)) > 1), None)
    if several:
        raise ValueError(
            f"PairedImageDataModule: images of the same names lie in sub-folders of {folder} ({listed}), so they are "
            f"no pairs side by side: set folder_a and folder_b to the two that are A and B, or side_by_side to true if "
            "each file holds both images."
        )
    rank_zero_warn(
        f"PairedImageDataModule: the images in sub-folders of {folder} ({listed}) are each cut in the middle into A "
        "and B. If A and B lie in two of these folders, set folder_a and folder_b to their names; if not, set "
        "side_by_side to true."
    )


def _check_shapes(folder: Path, channels: int, bits: int) -> None:
    """Refuse files of the shape of single images, and warn of those that may be."""
    files = list_images(folder)
    sample = [files[i * len(files) // _SAMPLE] for i in range(_SAMPLE)] if len(files) > _SAMPLE else files
    sizes = {file: check(file, channels, bits) for file in sample}
    narrow = [file for file, (width, height) in sizes.items() if width < 2 * height]
    # Two square images side by side are twice as wide as high.
    tall = [file for file, (width, height) in sizes.items() if width <= height]
    advice = (
        "if A and B lie in files of their own, put them into two folders for each split and set folder_a and folder_b "
        "to their names; if each file holds both, set side_by_side to true"
    )
    if 2 * len(tall) > len(sizes):
        width, height = sizes[tall[0]]
        raise ValueError(
            f"PairedImageDataModule: {tall[0]} is {width} x {height} pixels, as most of the images in {folder} are no "
            f"wider than high: they are hardly two images side by side: {advice}."
        )
    # Three or more square images in a row: only two of them are the pair.
    rows = [file for file, (width, height) in sizes.items() if width % (2 * height) == height < width]
    if 2 * len(rows) > len(sizes):
        width, height = sizes[rows[0]]
        rank_zero_warn(
            f"PairedImageDataModule: each image in {folder} is cut in the middle into A and B, but {rows[0].name}, "
            f"{width} x {height} pixels, and {len(rows) - 1} more of {len(sizes)} have the shape of "
            f"{width // height} square images in a row: if they are, cut the two that make a pair out of each; if not, "
            "set side_by_side to true."
        )
    if narrow:
        width, height = sizes[narrow[0]]
        rank_zero_warn(
            f"PairedImageDataModule: each image in {folder} is cut in the middle into A and B, but {narrow[0].name}, "
            f"{width} x {height} pixels, and {len(narrow) - 1} more of {len(sizes)} have the shape of single images: "
            f"{advice}."
        )


def _check_pair(pair: Pair, channels: tuple[int, int], bits: int) -> None:
    """Raise an error that says why a pair, A and B of so many channels each, cannot be used."""
    a, b = pair
    width, height = check(a, channels[0], bits)
    if a == b:
        if channels[0] != channels[1]:
            check(b, channels[1], bits)
        if width % 2:
            raise ValueError(f"its width, {width} pixels, is odd, so it does not hold two images of one size")
        return
    try:
        other = check(b, channels[1], bits)
    except Exception as error:
        raise ValueError(f"its partner {b} cannot be read: {error}") from error
    if other != (width, height):
        raise ValueError(f"it is {width} x {height} pixels, but its partner {b} is {other[0]} x {other[1]}")
