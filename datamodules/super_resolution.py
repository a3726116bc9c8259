"""Photographs with their low-resolution versions, for super-resolution."""

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch

from datamodules.base import Splits, check_at_least
from datamodules.components.bicubic import downscale
from datamodules.components.decoding import FORMATS, check, read_pixels
from datamodules.components.examples import Chances, ExampleDataModule, Examples, Pixels
from datamodules.components.file_base import check_files
from datamodules.components.files import list_images, pack, read_again, unpack
from datamodules.components.first_process import rank_zero_warn
from datamodules.components.layouts import folder_named, folders_in_words, split_folders, warn_of_unread

_RESOLUTION = re.compile(r"([ _-]?(hr|lr|gt|bicubic|x[2-8]))+$")  # at the end of a file's name
_SCALES = (2, 3, 4, 8)  # by which published sets are made small
_NAMED = 5  # as many sub-folders are named in a warning


class SuperResolutionDataModule(ExampleDataModule):
    """RGB photographs of any size with their low-resolution versions, for SRGAN.

    Batches are (high_resolution, low_resolution), uint8, n x 3 x H x W and n x 3 x H/scale x W/scale. The low
    resolution is computed on the fly as MATLAB's ``imresize`` does it (bicubic, antialiased, mirrored borders,
    rounded).

    In training every photograph gives ``crops_per_image`` random crops an epoch, flipped and rotated. It is decoded for
    each crop: cut very large photographs into pieces first. Validation and test use whole photographs, batch size 1,
    cropped on the right and below to multiples of ``scale``.

    Args:
        root: The folder that holds those of the splits.
        batch_size: Training crops in a batch, in each process.
        scale: High resolution divided by low resolution; 4 in the paper.
        crop_size: Height and width of the high-resolution training crops; a multiple of scale.
        crops_per_image: Crops of each training photograph in an epoch.
        train: Folder of the training photographs, under ``root``, in any case; for train, val and test another usual
            name of that split does too, such as valid.
        val: Folder of those for validation; null: none, validation uses the test photographs.
        test: Folder of those for testing; null: none, testing uses the validation photographs.
        flip: Mirror and turn the training crops, each of the eight ways equally often.
        num_workers: Processes that decode photographs; 0: none but the training process; None: one for each CPU, at
            most 8.
        seed: The order and the crops of the training photographs are functions of this seed and the epoch.

    Raises:
        ValueError: An argument is out of its range.
    """

    def __init__(
        self,
        root: str,
        batch_size: int = 16,
        scale: int = 4,
        crop_size: int = 96,
        crops_per_image: int = 16,
        train: str = "train",
        val: str | None = "Set5",
        test: str | None = "Set14",
        flip: bool = True,
        num_workers: int | None = None,
        seed: int = 0,
    ) -> None:
        check_at_least(1, crop_size=crop_size, crops_per_image=crops_per_image)
        check_at_least(2, scale=scale)
        # Both sides of a pair must be whole pixels.
        if crop_size % scale:
            raise ValueError(f"crop_size is {crop_size}: it must be a multiple of scale, which is {scale}.")
        super().__init__((3, crop_size, crop_size), None, batch_size, flip, num_workers, seed)
        self.condition_shape = (3, crop_size // scale, crop_size // scale)
        self.root = Path(root).expanduser()
        self.scale = scale
        self.crops_per_image = crops_per_image
        self.folders = {"train": train, "val": val, "test": test}

    @property
    def location(self) -> str:
        return str(self.root)

    @property
    def eval_batch_size(self) -> int:
        return 1

    def load_splits(self) -> Splits:
        folders = {split: self._folder(split, name) for split, name in self.folders.items() if name is not None}
        paths = {split: self._photographs(split, folders[split]) if split in folders else [] for split in self.folders}
        warn_of_unread(
            "SuperResolutionDataModule", self.root, [*folders.values()], "as the options train, val and test say"
        )
        every = [(path, split) for split, files in paths.items() for path in files]
        twins = [twin for files in paths.values() for twin in _twins(files)]
        self.refuse(check_files(len(every), lambda i: self._check(*every[i], twins[i])), [path for path, _ in every])
        for split, folder in folders.items():
            _warn_of_sub_folders(folder, paths[split])
        return Splits(
            **{
                split: Photographs(
                    files,
                    self.scale,
                    self.image_shape[1],
                    self.crops_per_image if split == "train" else 1,
                    self.flip,
                    self.workers(),
                )
                for split, files in paths.items()
            }
        )

    def _folder(self, split: str, name: str) -> Path:
        """The folder of this name, in any case, or of another usual name of the split if this is one."""
        # The name as it was given goes before every guess.
        folder = self.root / name
        if folder.is_dir():
            return folder
        usual = split_folders(self.root).get(split) if name == split else None
        return usual or folder_named(folder.parent, folder.name) or folder

    def _photographs(self, split: str, folder: Path) -> list[Path]:
        images = list_images(folder)
        if not images:
            unless = "" if split == "train" else ", or null to go without"
            raise FileNotFoundError(
                f"SuperResolutionDataModule: no images ({FORMATS}) under {folder}: set root, and {split} to "
                f"the name of a folder in it{unless}; {folders_in_words(self.root)}."
            )
        return images

    def _check(self, path: Path, split: str, twins: Sequence[Path]) -> None:
        """Raise an error for an unusable photograph; ``twins`` differ from it only in the resolution suffix."""
        width, height = check(path)
        least, what = (self.image_shape[1], "a crop") if split == "train" else (self.scale, "the scale")
        if min(width, height) < least:
            raise ValueError(f"{width} x {height} pixels, smaller than {what}, {least}")
        for twin in twins:
            # A file that is another one shrunk by 2, 3, 4 or 8 is a low-resolution copy.
            with suppress(Exception):  # of a broken twin
                larger = check(twin)
                if any(abs(width * k - larger[0]) < k and abs(height * k - larger[1]) < k for k in _SCALES):
                    break
        else:
            return
        raise ValueError(
            f"{width} x {height} pixels, seems to be {twin} in low resolution, {larger[0]} x {larger[1]}: low "
            f"resolutions are made of the high ones, so set {split} to the folder of these alone"
        )


def _twins(files: Sequence[Path]) -> list[list[Path]]:
    """For each photograph, the others whose name differs only in a resolution suffix (x4, LR, HR)."""
    names = [_RESOLUTION.sub("", file.stem.lower()) or file.stem for file in files]
    alike: dict[str, list[Path]] = {}
    for file, name in zip(files, names, strict=True):
        alike.setdefault(name, []).append(file)
    return [[twin for twin in alike[name] if twin != file] for file, name in zip(files, names, strict=True)]


def _warn_of_sub_folders(folder: Path, files: Sequence[Path]) -> None:
    names = sorted({"/".join(file.relative_to(folder).parts[:-1]) for file in files} - {""})
    if len(names) > 1:
        rank_zero_warn(
            f"SuperResolutionDataModule: all photographs in sub-folders of {folder} ({', '.join(names[:_NAMED])}"
            f"{' and others' if len(names) > _NAMED else ''}) are taken as high resolution."
        )


class Photographs(Examples):
    """Photographs read from their files on demand, each with its low-resolution version.

    Args:
        paths: The files.
        scale: High resolution divided by low resolution.
        crop_size: Height and width of crops.
        repeats: How often each photograph occurs.
        turn: Mirror and turn the crops.
        num_workers: Worker processes.
    """

    n_chances = 3

    def __init__(
        self, paths: Sequence[Path], scale: int, crop_size: int, repeats: int, turn: bool, num_workers: int
    ) -> None:
        super().__init__(num_workers)
        self.paths = pack(paths)
        self.scale = scale
        self.crop_size = crop_size
        self.repeats = repeats
        self.turn = turn

    def __len__(self) -> int:
        return len(self.paths) * self.repeats

    def make(self, index: int, chances: Chances | None) -> tuple[Pixels, ...]:
        # H x W x 3 to 3 x H x W
        pixels = read_again(unpack(self.paths[index % len(self.paths)]), lambda file: read_pixels(file, 3))
        whole = pixels.transpose(2, 0, 1)
        # Whole photograph in evaluation, a random crop in training.
        high = self._fitted(whole) if chances is None else self._crop(whole, chances)
        # Low from high on the fly: the two always agree, whatever program made other copies of the photographs.
        return high, downscale(torch.from_numpy(high[None].copy()), self.scale)[0].numpy()

    def _fitted(self, whole: Pixels) -> Pixels:
        _, height, width = whole.shape
        # Cut and not resized: resizing would blur the image that PSNR is measured against.
        return whole[:, : height - height % self.scale, : width - width % self.scale]

    def _crop(self, whole: Pixels, chances: Chances) -> Pixels:
        _, height, width = whole.shape
        # Uniform position of a crop_size x crop_size window.
        top = int(chances[0] * (height - self.crop_size + 1))
        left = int(chances[1] * (width - self.crop_size + 1))
        crop = whole[:, top : top + self.crop_size, left : left + self.crop_size]
        if not self.turn:
            return crop
        # One of the eight symmetries of the square.
        quarters, mirrored = divmod(int(chances[2] * 8), 2)
        turned = np.rot90(crop, quarters, (1, 2))
        return turned[..., ::-1] if mirrored else turned
