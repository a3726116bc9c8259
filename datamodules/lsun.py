"""LSUN: databases of photographs, one for each category of scenes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from datamodules.base import Splits, check_at_least, check_channels, held_out, shape_of
from datamodules.components.decoding import decode
from datamodules.components.file_base import FileDataModule
from datamodules.components.files import in_workers, reason
from datamodules.components.loading import Subset
from datamodules.components.raster import Size, sides

if TYPE_CHECKING:
    from lmdb import Transaction


class LSUNDataModule(FileDataModule):
    """LSUN's photographs (Yu et al., 2015, arXiv 1506.03365), read from its LMDB databases, one per category.

    ``root`` holds ``<category>_train_lmdb/data.mdb``, as the archives unpack, and optionally
    ``<category>_val_lmdb/data.mdb``, whose 300 photographs are the test split (LSUN's own test set has no categories).
    Photographs, 256 pixels on their shorter side, are cropped in the middle to the aspect ratio of ``image_size`` and
    resized (bicubic), which for squares equals the resize and crop of DCGAN's and WGAN's code.

    Batches are uint8, N x C x H x W; with two or more categories, with int64 labels, the positions in ``categories``.
    Setup reads the keys only: 48 bytes of memory per photograph, a few seconds for three million. A photograph that
    cannot be decoded stops the run when it is read.

    Args:
        root: Folder that holds the databases.
        categories: Those to use, such as bedroom and church_outdoor.
        batch_size: Images in a batch, in each process.
        image_size: Height and width: one number for a square, or [height, width].
        channels: 3: RGB; 1: grey.
        val_size: Images held out of the training images for validation; 0: validation uses the test images.
        flip: Mirror training images horizontally with probability one half.
        num_workers: Processes that decode images; 0: none but the training process; None: one for each CPU, at
            most 8.
        seed: The order of the training images is a function of this seed and the epoch.

    Raises:
        ValueError: An argument is out of its range.
    """

    def __init__(
        self,
        root: str = "data/lsun",
        categories: str | list[str] = "bedroom",
        batch_size: int = 64,
        image_size: int | tuple[int, int] = 64,
        channels: int = 3,
        val_size: int = 0,
        flip: bool = True,
        num_workers: int | None = None,
        seed: int = 0,
    ) -> None:
        self.categories = [categories] if isinstance(categories, str) else list(categories)
        if not self.categories or len(set(self.categories)) < len(self.categories):
            raise ValueError(f"categories is {self.categories}: name at least one, and none of them twice.")
        check_channels(photographs=True, channels=channels)
        check_at_least(0, val_size=val_size)
        classes = len(self.categories) if len(self.categories) > 1 else None
        super().__init__(shape_of(channels, image_size), classes, batch_size, flip, num_workers, seed)
        self.root = Path(root).expanduser()
        self.val_size = val_size
        self.class_names = self.categories if classes else None

    @property
    def location(self) -> str:
        return f"{', '.join(self.categories)} under {self.root}"

    def load_splits(self) -> Splits:
        images = self._images("train")
        train, val = held_out(len(images), self.location, val_size=self.val_size)
        return Splits(Subset(images, train), Subset(images, val), self._images("val"))

    def _images(self, split: str) -> "LMDBImages":
        folders = [self.root / f"{category}_{split}_lmdb" for category in self.categories]
        missing = [folder for folder in folders if not _file(folder).is_file()]
        # Without any photographs to test on one can train; with those of some categories only, nothing is measured.
        if missing == folders and split != "train":
            folders = []
        elif missing:
            raise FileNotFoundError(
                f"LSUNDataModule: there is no {_file(missing[0])}: unpack {missing[0].name}.zip in {self.root}, or set "
                f"root and categories to others; this root has {self._there(split)}."
            )
        channels, height, width = self.image_shape
        return LMDBImages(folders, self.num_classes is not None, (height, width), channels, self.workers())

    def _there(self, split: str) -> str:
        """The categories whose databases lie under ``root``, in words."""
        end = f"_{split}_lmdb"
        found = sorted(folder.name.removesuffix(end) for folder in self.root.glob(f"*{end}") if _file(folder).is_file())
        return ", ".join(found) or "none"


class LMDBImages(Dataset[Tensor]):
    """Images that worker processes decode from LMDB databases on demand, in the order of databases, then of keys.

    Args:
        folders: Of the databases; their values are image files.
        labelled: The number of its database is an image's label.
        size: Height and width of the decoded images.
        channels: 1 or 3.
        num_workers: Worker processes; 0: decode in this one.

    Raises:
        ModuleNotFoundError: The package lmdb is not installed.
        ValueError: A database is damaged or empty.
    """

    def __init__(self, folders: Sequence[Path], labelled: bool, size: Size, channels: int, num_workers: int) -> None:
        self.folders = folders
        self.size = size
        self.channels = channels
        self.num_workers = num_workers
        # All keys of all databases as one array; ``_ends`` finds the database of a position.
        keys = [_keys(folder) for folder in folders]
        self._keys = np.concatenate([np.empty(0, "S1"), *keys])  # one block, which workers share
        # Position i is in the first database that ends behind it.
        self._ends = np.cumsum([len(each) for each in keys])
        counts = torch.tensor([len(each) for each in keys])
        self.labels = torch.arange(len(keys)).repeat_interleave(counts) if labelled and keys else None

    def __len__(self) -> int:
        return len(self._keys)

    def __getitems__(self, indices: Sequence[int]) -> Tensor:
        """One batch, n x C x H x W: the unit of work of a DataLoader worker."""
        images = np.empty((len(indices), self.channels, *sides(self.size)), np.uint8)
        # Open each database once a batch: group the keys by database.
        keys, places = self._keys[indices], np.searchsorted(self._ends, indices, side="right")
        for place in np.unique(places):
            with _opened(self.folders[place]) as database:
                for i in np.flatnonzero(places == place):
                    images[i] = self._decode(database, keys[i], self.folders[place])
        return torch.from_numpy(images)

    def image_batches(self, batches: Sequence[Tensor]) -> Iterator[Tensor]:
        return in_workers(self, [indices.tolist() for indices in batches], self.num_workers)

    def _decode(self, database: "Transaction", key: bytes, folder: Path) -> NDArray[np.uint8]:
        try:
            return decode(BytesIO(database.get(key, b"")), self.size, self.channels)
        except Exception as error:
            raise RuntimeError(
                f"LSUNDataModule: the photograph {key.decode(errors='replace')} in {_file(folder)} cannot be read "
                f"({reason(error)}): unpack {folder.name}.zip again."
            ) from error


@contextmanager
def _opened(folder: Path) -> Iterator["Transaction"]:
    """Open a database to read from, for a batch at a time.

    It costs far less than decoding one photograph, and so nothing is open when workers are started: LMDB forbids them
    to use what their parent has opened, and to open it again.
    """
    try:
        import lmdb
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "LSUNDataModule reads LMDB databases with the package lmdb, which is not installed: pip install "
            "'gan-lightning[lsun]'."
        ) from error
    file = _file(folder)
    try:
        # Without a lock the folder may be read-only; without read-ahead the disk reads what is asked for.
        environment = lmdb.open(str(folder), readonly=True, lock=False, readahead=False, meminit=False)
    except lmdb.Error as error:
        raise ValueError(
            f"LSUNDataModule: {file} cannot be opened as an LMDB database ({error}): unpack {folder.name}.zip again."
        ) from error
    with environment:
        # Where the file ends too early, LMDB would not raise: the operating system would kill the process.
        # Last page number times page size: the smallest complete file.
        there, least = file.stat().st_size, (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]
        if there < least:
            raise ValueError(
                f"LSUNDataModule: {file} is cut short, {there:,} of {least:,} bytes: unpack {folder.name}.zip again."
            )
        with environment.begin() as transaction:
            yield transaction


def _keys(folder: Path) -> NDArray[np.bytes_]:
    """The keys of a database, in its order."""
    with _opened(folder) as database:
        # The keys alone: the photographs of bedroom fill 43 GB.
        keys = np.array(list(database.cursor().iternext(values=False)), dtype=np.bytes_)
    if not len(keys):
        raise ValueError(f"LSUNDataModule: {_file(folder)} is empty: unpack {folder.name}.zip again.")
    return keys


def _file(folder: Path) -> Path:
    """Where LMDB keeps the data of the database in a folder."""
    return folder / "data.mdb"
