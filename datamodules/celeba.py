"""CelebA."""

from collections.abc import Sequence
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from datamodules.base import Splits
from datamodules.file_base import FileDataModule
from datamodules.loading import Subset

_NAMES = """
    5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose Black_Hair Blond_Hair
    Blurry Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee Gray_Hair Heavy_Makeup High_Cheekbones Male
    Mouth_Slightly_Open Mustache Narrow_Eyes No_Beard Oval_Face Pale_Skin Pointy_Nose Receding_Hairline Rosy_Cheeks
    Sideburns Smiling Straight_Hair Wavy_Hair Wearing_Earrings Wearing_Hat Wearing_Lipstick Wearing_Necklace
    Wearing_Necktie Young
"""
ATTRIBUTES = tuple(_NAMES.split())
_PARTITION = {"0": "train", "1": "val", "2": "test"}


class CelebADataModule(FileDataModule):
    """The 202,599 faces of CelebA, aligned and cropped, RGB, with 40 attributes that are there or not.

    The files lie as torchvision lays them out: `celeba/img_align_celeba/*.jpg`, `celeba/list_attr_celeba.txt` and
    `celeba/list_eval_partition.txt`, which says who is trained, validated and tested on. torchvision's other lists
    are not needed. An image is cropped to its central square as wide as itself, the standard 178 x 178 of the
    178 x 218 originals (89 x 89 of 89 x 109, if someone has halved them), and resized (bicubic).

    Attributes: the batches carry them as float32, N x A, 1 where the face has the attribute and 0 where it has not.

    Args:
        data_dir: folder that holds `celeba`.
        batch_size: images in a batch, in each process.
        image_size: height and width.
        attributes: names of those that the batches carry, in this order; null: all 40, in CelebA's order; an empty
            list: none, the batches are images alone.
        flip: mirror training images horizontally with probability one half.
        in_memory: decode all images once and keep them; None: if they take no more than 1 GiB.
        cache: decode all images once and for all, into one file, as in `ImageFolderDataModule`, but every start asks
            for the sizes and times of all files.
        num_workers: processes that decode images which are not kept in memory; 0: none but the training process;
            None: one for each CPU, at most 8.
        seed: the order of the training images is a function of this seed and the epoch.

    Raises:
        ValueError: an argument is out of its range, or CelebA has no such attribute.
    """

    def __init__(
        self,
        data_dir: str = "data",
        batch_size: int = 64,
        image_size: int = 64,
        attributes: list[str] | None = None,
        flip: bool = True,
        in_memory: bool | None = None,
        cache: bool | str = False,
        num_workers: int | None = None,
        seed: int = 0,
    ) -> None:
        self.attributes = list(ATTRIBUTES if attributes is None else attributes)
        _check_attributes(self.attributes)
        shape = (3, image_size, image_size)
        super().__init__(shape, len(self.attributes) or None, batch_size, flip, num_workers, seed)
        self.data_dir = data_dir
        self.in_memory = in_memory
        self.cache = cache

    @property
    def location(self) -> str:
        return str(self._home)

    def load_splits(self) -> Splits:
        partition = self._partition()
        names = list(partition)
        labels = self._labels(names) if self.attributes else None
        folder = self._home / "img_align_celeba"
        present = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
        missing = [name for name in names if name not in present]
        if missing:
            raise FileNotFoundError(
                f"CelebADataModule: {folder} lacks {len(missing)} of the {len(names)} images that "
                f"list_eval_partition.txt lists, {missing[0]} first: unpack img_align_celeba.zip completely there."
            )
        paths = [folder / name for name in names]
        source, broken = self.read_images(paths, labels, self.in_memory, self.cache)
        self.refuse(broken, paths)
        parts = list(partition.values())
        return Splits(
            **{
                split: Subset(source, torch.tensor([i for i, part in enumerate(parts) if part == split]).long())
                for split in _PARTITION.values()
            }
        )

    @property
    def _home(self) -> Path:
        return Path(self.data_dir).expanduser() / "celeba"

    def _partition(self) -> dict[str, str]:
        """The split of every image, by the name of its file."""
        partition = {}
        for number, row in enumerate(self._rows("list_eval_partition.txt"), 1):
            if len(row) != 2 or row[1] not in _PARTITION:
                raise ValueError(
                    f"CelebADataModule: line {number} of {self._home / 'list_eval_partition.txt'} is not a file name "
                    "and 0, 1 or 2: the file is damaged."
                )
            partition[row[0]] = _PARTITION[row[1]]
        return partition

    def _labels(self, names: Sequence[str]) -> Tensor:
        """The chosen attributes of the named images: float32, N x A."""
        file = self._home / "list_attr_celeba.txt"
        rows = self._rows(file.name)
        header = rows[1] if len(rows) > 1 else []
        if not set(self.attributes) <= set(header):
            raise ValueError(f"CelebADataModule: the second line of {file} does not name CelebA's attributes: damaged.")
        columns = [header.index(name) + 1 for name in self.attributes]
        known = {}
        for number, row in islice(enumerate(rows, 1), 2, None):
            if len(row) != len(header) + 1 or not set(row[1:]) <= {"1", "-1"}:
                raise ValueError(
                    f"CelebADataModule: line {number} of {file} is not a file name and {len(header)} times 1 or -1: "
                    "the file is damaged."
                )
            known[row[0]] = [row[column] == "1" for column in columns]
        unknown = [name for name in names if name not in known]
        if unknown:
            raise ValueError(f"CelebADataModule: {file} has no attributes of {unknown[0]} and {len(unknown) - 1} more.")
        return torch.tensor([known[name] for name in names], dtype=torch.float32)

    def _rows(self, name: str) -> list[list[str]]:
        file = self._home / name
        if not file.is_file():
            raise FileNotFoundError(
                f"CelebADataModule: there is no {file}: set data_dir to the folder that holds `celeba`, laid out as "
                "torchvision does."
            )
        return [line.split() for line in file.read_text().rstrip().splitlines()]


def _check_attributes(names: list[str]) -> None:
    for name in names:
        if name not in ATTRIBUTES:
            near = get_close_matches(name, ATTRIBUTES, 1, 0)[0]
            raise ValueError(
                f"CelebA has no attribute {name!r}; the nearest is {near!r}. All 40: {', '.join(ATTRIBUTES)}."
            )
        if names.count(name) > 1:
            raise ValueError(f"attributes has {name!r} twice.")
