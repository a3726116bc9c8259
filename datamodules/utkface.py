"""UTKFace: faces whose files are named after their age."""

import re
from collections.abc import Sequence
from itertools import groupby, pairwise
from pathlib import Path

from datamodules.base import Splits, check_channels, shape_of
from datamodules.components.file_set import NAMED_FILES, FileSetDataModule, FilesFound
from datamodules.components.files import is_image, walk

_NAME = re.compile(r"(\d{1,3})_[01]_[0-4]_[^_]+", re.ASCII)  # age, gender, race, date


class UTKFaceDataModule(FileSetDataModule):
    """Faces with their ages in the names of their files, ``age_gender_race_date.jpg``, as UTKFace has them.

    Zhang, Song, Qi, *Age Progression/Regression by Conditional Adversarial Autoencoder*, CVPR 2017, arXiv 1702.08423.
    23,708 faces of ages from 0 to 116; at any depth below ``root``, such as in ``UTKFace`` or in ``part1``. Classes are
    groups of ages. Images whose names are not of this form, as those of three in the published set are not, and images
    that cannot be read are skipped with one warning, or refused (``strict``).

    Images are cropped in the middle to the aspect ratio of ``image_size`` and resized (bicubic). Batches are (images,
    labels): uint8 N x C x H x W and int64 N.

    Args:
        root: The folder.
        batch_size: Images in a batch, in each process.
        image_size: Height and width: one number for a square, or [height, width].
        age_groups: Ages at which a group begins, of all but the first, in years; by default the groups of Age-cGAN, 0
            to 18, 19 to 29, 30 to 39, 40 to 49, 50 to 59 and from 60 on (Antipov et al., 2017, arXiv 1702.01983).
        channels: 3: RGB; 1: grey; others as in ``ImageFolderDataModule``.
        val_size: Images held out for validation; None: a tenth, at most 1,000; 0: validation uses the test images.
        test_size: Images held out for testing; 0: testing uses the validation images.
        flip: Mirror training images horizontally with probability one half.
        strict: Refuse a folder with files that cannot be used, instead of skipping them.
        in_memory: Decode all images once and keep them; None: if they take no more than 1 GiB.
        cache: Keep the decoded images in one file, as ``ImageFolderDataModule`` does; every start looks for the files.
        num_workers: Processes that decode images which are not kept in memory; 0: none but the training process;
            None: one for each CPU, at most 8.
        seed: The order of the training images is a function of this seed and the epoch.

    Raises:
        FileNotFoundError: There is no folder ``root``.
        ValueError: An argument is out of its range, or no image in ``root`` has such a name.
    """

    def __init__(
        self,
        root: str,
        batch_size: int = 64,
        image_size: int | tuple[int, int] = 64,
        age_groups: Sequence[int] = (19, 30, 40, 50, 60),
        channels: int = 3,
        val_size: int | None = None,
        test_size: int = 0,
        flip: bool = True,
        strict: bool = False,
        in_memory: bool | None = None,
        cache: bool | str = False,
        num_workers: int | None = None,
        seed: int = 0,
    ) -> None:
        check_channels(channels=channels)
        self.root = Path(root).expanduser().absolute()
        bounds = [0, *age_groups]
        if len(bounds) < 2 or any(first >= then for first, then in pairwise(bounds)):
            raise ValueError(
                f"age_groups is {list(age_groups)}: it must be one age or more, each greater than the one before, and "
                "than 0."
            )
        shape, options = shape_of(channels, image_size), (in_memory, cache, False, num_workers, seed)
        super().__init__(shape, len(bounds), batch_size, val_size, test_size, flip, strict, *options)
        if not self.root.is_dir():
            raise FileNotFoundError(f"UTKFaceDataModule: there is no folder {root}: set root to one with faces.")
        self.age_groups = list(age_groups)
        self.class_names = [*(f"{first}-{then - 1}" for first, then in pairwise(bounds)), f"{bounds[-1]}+"]

    @property
    def location(self) -> str:
        return str(self.root)

    def load_splits(self) -> Splits:
        files, _ = walk(self.location)
        paths = [path for path in files if is_image(path)]
        ages = [_NAME.fullmatch(Path(path).name.partition(".")[0]) for path in paths]
        if not any(ages):
            shown = f", such as {paths[0]}" if paths else ""
            raise ValueError(
                f"UTKFaceDataModule: no image under {self.root} is named age_gender_race_date.jpg{shown}: set root to "
                "the folder of UTKFace."
            )
        # A name without an age is a file that cannot be used, and its label is never seen.
        labels = [0 if age is None else self.group_of(int(age[1])) for age in ages]
        runs = [(label, len(list(run))) for label, run in groupby(labels)]
        others = [path.removeprefix(self.location) for path in files if not is_image(path)]
        found = FilesFound({"train": len(paths)}, runs, others[:NAMED_FILES], len(others))
        source, broken = self.read_images(paths, found.labels(), self.in_memory, self.cache)
        nameless = {i: "not named age_gender_race_date" for i, age in enumerate(ages) if age is None}
        return self.split_files(found, paths.__getitem__, source, broken | nameless)

    def group_of(self, age: int) -> int:
        """Number of the group of an age."""
        return sum(age >= first for first in self.age_groups)
