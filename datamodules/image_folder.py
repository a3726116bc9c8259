"""Any folder of images."""

import os
import time
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

from datamodules.base import Splits, check_channels, shape_of
from datamodules.components.class_folders import NAME_FILES, are_numbered, names_of
from datamodules.components.file_base import FolderScan
from datamodules.components.file_set import NAMED_FILES, FileSetDataModule, FilesFound
from datamodules.components.files import SUFFIXES, FolderState, is_file, is_folder, is_image, walk
from datamodules.components.first_process import rank_zero_warn
from datamodules.components.image_zip import LABELS
from datamodules.components.layouts import (
    is_held_out,
    split_folders,
    split_like,
    sub_folders,
    warn_of_unread,
)


class ImageFolderDataModule(FileSetDataModule):
    """Any folder of images of any size, mode and depth: PNG, JPEG, WebP, AVIF, GIF, BMP, TIFF, and NumPy's .npy.

    Images are turned upright, cropped in the middle to the aspect ratio of ``image_size`` and resized (bicubic).
    Hidden files are ignored. Broken images and other files are found by reading every file once before training; they
    are skipped with one warning, or refused (``strict``).

    Splits are the sub-folders ``train``, ``val`` and ``test``, or their usual synonyms (training; valid, validation,
    dev, eval; testing), in any case. Without ``train``, all of ``root`` is for training; a split without a folder is
    held out of the training images. Classes are the sub-folders of the training folder, sorted, if there are at least
    two and no image lies beside them; otherwise batches are images without labels. Folders of running numbers, such as
    FFHQ's ``01000/01234.png``, are no classes. ``LOC_synset_mapping.txt`` (ImageNet's) or ``classes.json`` in ``root``
    name classes whose folders have codes, such as n01440764.

    Args:
        root: The folder.
        batch_size: Images in a batch, in each process.
        image_size: Height and width: one number for a square, or [height, width].
        channels: 3: RGB; 1: grey; both over white where an image is transparent. 4: RGB with the transparency as a
            fourth channel, the opacity, white where nothing is seen; 2: grey with it. Arrays in .npy files, H x W x C
            or H x W of uint8, uint16 or floating-point numbers from 0 to 1, must have as many channels, any number;
            so may a TIFF of 2, 4 or more grey pages.
        val_size: Images held out for validation, where there is no ``val`` folder; None: a tenth, at most 1,000;
            0: validation uses the test images.
        test_size: Images held out for testing, where there is no ``test`` folder; 0: testing uses the validation
            images.
        flip: Mirror training images horizontally with probability one half.
        strict: Refuse a folder with files that cannot be used, instead of skipping them.
        in_memory: Decode all images once and keep them; None: if they take no more than 1 GiB.
        cache: Keep the decoded images in one file that later runs map into memory and start from at once. true: in
            ``gan_lightning/images`` of the user's cache folder; a path: in that folder. The file is rebuilt when an
            image is added, removed, renamed or changed. A change in a few of many images may be noticed only when they
            are first read: this run then warns and uses the old images, and the next one rebuilds the file. It takes
            precedence over ``in_memory``, which applies where the file cannot be written.
        draft: Decode large JPEGs (shorter side at least 4 * image_size) at 1/2, 1/4 or 1/8 of their size, never below
            2 * image_size, then resize: three times as fast from 1,900 pixels. Pixels differ by 1 to 2 of 255 on
            average, also in the images that metrics compare with.
        num_workers: Processes that decode images which are not kept in memory; 0: none but the training process;
            None: one for each CPU, at most 8.
        seed: The order of the training images is a function of this seed and the epoch.
        bits: 16: keep 16 bits a channel, of PNG, grey TIFF and arrays, in batches of uint16, which take twice the
            memory; images of 8 bits are stretched to them. 8: keep the upper 8, in batches of uint8.

    Raises:
        FileNotFoundError: There is no folder ``root``.
        ValueError: An argument is out of its range, or ``root`` has folders of other splits but none for training.
    """

    def __init__(
        self,
        root: str,
        batch_size: int = 64,
        image_size: int | tuple[int, int] = 64,
        channels: int = 3,
        val_size: int | None = None,
        test_size: int = 0,
        flip: bool = True,
        strict: bool = False,
        in_memory: bool | None = None,
        cache: bool | str = False,
        draft: bool = False,
        num_workers: int | None = None,
        seed: int = 0,
        bits: int = 8,
    ) -> None:
        check_channels(channels=channels)
        self.root = Path(root).expanduser().absolute()
        if self.root.is_file():
            raise FileNotFoundError(
                f"ImageFolderDataModule: {root} is a file: set root to a folder with images; ImageZipDataModule reads "
                "zip files."
            )
        if not self.root.is_dir():
            raise FileNotFoundError(f"ImageFolderDataModule: there is no folder {root}: set root to one with images.")
        self._folders = _split_folders(self.root)
        self.classes = _class_names(self._folders["train"])
        self.class_names = names_of(self.classes, self.root) if self.classes else None
        # Sorted names, as torchvision's ImageFolder numbers them.
        self._class_index = {name: label for label, name in enumerate(self.classes)}
        shape = shape_of(channels, image_size)
        n_classes = len(self.classes) or None
        super().__init__(
            shape,
            n_classes,
            batch_size,
            val_size,
            test_size,
            flip,
            strict,
            in_memory,
            cache,
            draft,
            num_workers,
            seed,
            bits,
        )

    @property
    def location(self) -> str:
        return str(self.root)

    def place_of(self, split: str) -> Path:
        return self._folders[split]

    def load_splits(self) -> Splits:
        warn_of_unread("ImageFolderDataModule", self.root, list(self._folders.values()))
        if not self.classes and (self.root / LABELS).is_file():
            rank_zero_warn(
                f"ImageFolderDataModule does not read the labels in {self.root / LABELS}: ImageZipDataModule does."
            )
        # Fast path: an earlier run's cache, if no folder has changed since.
        cached = self.load_cached(self.cache, self.draft)
        if cached is not None:
            found = FilesFound(**cached.listing.notes)
            if list(found.members) == list(self._folders) and bool(found.runs) == bool(self.classes):
                return self.split_files(found, cached.listing.path, *cached.images(found.labels()))
        # Slow path: look into every folder, then read (or map) every image.
        began = time.time_ns()
        paths, folders, found = self._find()
        scan = FolderScan(folders, began, asdict(found))
        images = self.read_images(paths, found.labels(), self.in_memory, self.cache, self.draft, scan)
        return self.split_files(found, paths.__getitem__, *images)

    def _find(self) -> tuple[list[str], dict[str, FolderState | None], FilesFound]:
        """The images, and the folders that were looked into."""
        paths: list[str] = []
        labels: list[int] = []
        members: dict[str, int] = {}
        others: list[str] = []
        visited: dict[str, FolderState | None] = {}
        known = {f"{self.root}/{name}" for name in NAME_FILES if self.classes}
        for name, folder in self._folders.items():
            files, folders = walk(str(folder))
            images = [path for path in files if is_image(path)]
            others += [path.removeprefix(self.location) for path in files if not is_image(path) and path not in known]
            members[name] = len(images)
            labels += [self._label(path, str(folder)) for path in images] if self.classes else []
            paths += images
            visited |= folders
        self._check_not_empty(labels, members["train"])
        self._warn_of_layout([Path(folder) for folder in visited])
        # Run-length code of the labels: images come class by class.
        runs = [(label, len(list(run))) for label, run in groupby(labels)]
        return paths, visited, FilesFound(members, runs, others[:NAMED_FILES], len(others))

    def _label(self, path: str, folder: str) -> int:
        name = path[len(folder) :].lstrip(os.sep).split(os.sep, 1)[0]
        if name not in self._class_index:
            raise ValueError(
                f"ImageFolderDataModule: {path} is in none of the class folders that {self._folders['train']} has "
                f"({', '.join(self.classes[:10])}): move or remove it, or set root to {self._folders['train']} alone."
            )
        return self._class_index[name]

    def _check_not_empty(self, labels: list[int], n_train: int) -> None:
        folder = self._folders["train"]
        if not n_train:
            raise ValueError(f"ImageFolderDataModule: no images under {folder} (looked for {', '.join(SUFFIXES)}).")
        empty = set(range(len(self.classes))) - set(labels[:n_train])
        if empty:
            names = ", ".join(self.classes[label] for label in sorted(empty))
            raise ValueError(
                f"ImageFolderDataModule: no images in the class folders {names} of {folder}: remove these folders."
            )

    def _warn_of_layout(self, folders: list[Path]) -> None:
        """Warn of folders below the training images that may be meant as splits, or as classes."""
        train = self._folders["train"]
        inner = [folder.relative_to(train) for folder in folders if folder != train and folder.is_relative_to(train)]
        # A folder ``val`` or ``test`` deeper down: ``root`` is probably one level too high.
        split = next((folder for folder in inner if is_held_out(folder.name) and len(folder.parts) > 1), None)
        if split is not None:
            rank_zero_warn(
                f"ImageFolderDataModule trains on the images in {split} too: splits are looked for in {self.root} "
                f"itself. If this is one, set root to {train / split.parent}."
            )
        beside = sorted(folder.name for folder in inner if len(folder.parts) == 1)
        if len(beside) > 1 and not self.classes and not are_numbered(train, beside):
            rank_zero_warn(
                f"ImageFolderDataModule: {train} has images beside the folders {', '.join(beside[:NAMED_FILES])}, "
                "which are therefore no classes: move these images if they are."
            )


def _split_folders(root: Path) -> dict[str, Path]:
    """The folder of each split; ``root`` itself is the training split where it has no ``train``.

    Raises:
        ValueError: There are only others.
    """
    found = split_folders(root)
    if found and "train" not in found:
        other = next(iter(found.values())).name
        raise ValueError(
            f"ImageFolderDataModule: {root} has a folder {other} but none called train, and images to test on must not "
            f"be trained on: call the folder of the training images `train`. If {other} is a class, move all classes "
            "into a folder `train`; to train on it alone, set root to it."
        )
    if len(found) == 1 and found["train"].name != "train" and len(sub_folders(root)) > 1:
        return {"train": root}  # beside other classes, one may be called Training
    if not found and (alike := split_like(sub_folders(root))):
        raise ValueError(
            f"ImageFolderDataModule: the folders {', '.join(alike[:NAMED_FILES])} in {root} are called like splits, "
            "and as classes all of them would be trained on: call them train, val and test, or set root to the one to "
            "train on. If they are classes, move them into a folder `train`."
        )
    return found or {"train": root}


def _class_names(folder: Path) -> list[str]:
    """The names of the class folders, sorted; none where there are fewer than two, or images beside them."""
    names = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if is_image(entry.name) and is_file(entry):
                return []  # at once: the folder may hold all the images
            if is_folder(entry):
                names.append(entry.name)
    return sorted(names) if len(names) > 1 and not are_numbered(folder, names) else []
