"""Two sets of images without pairs: paintings and photographs, horses and zebras."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from datamodules.base import Splits, check_channels, shape_of
from datamodules.components.decoding import FORMATS, check
from datamodules.components.examples import Chances, ExampleDataModule, Examples, Jitter, JitteredImages, Pixels
from datamodules.components.file_base import check_files
from datamodules.components.files import list_images
from datamodules.components.layouts import (
    check_domains,
    domain_folders,
    folders_in_words,
    warn_of_empty,
    warn_of_unread,
)
from datamodules.components.loading import Batch, EpochOrder, ImageSource

_DOMAINS = ("A", "B")
_DOMAIN_STREAM = 2  # and the next one: streams that `EpochOrder` leaves free


class UnpairedImageDataModule(ExampleDataModule):
    """Two domains of images, A and B, for translation without pairs, as in CycleGAN.

    Layouts: ``trainA`` and ``trainB`` (``valA``, ...), ``A/train`` and ``B/train``, or ``train/A`` and ``train/B``, at
    any depth below; ``A`` and ``B`` alone are for training. Case and the usual synonyms of the splits do not matter. A
    split without folders, or with one of its two folders empty, is empty; a warning names folders that are not read.

    Batches are ``{"A": images, "B": images}``, uint8 or uint16, n x C x H x W. The domains are shuffled independently.
    An epoch is one pass over the larger domain; the smaller one is reshuffled whenever it is exhausted and continues in
    the next epoch. In training images are resized to ``load_size``, cropped at random and flipped; otherwise they are
    resized to ``image_size`` and the smaller domain repeats in order. Images of another aspect ratio are stretched, as
    in the authors' code.

    Args:
        root: The folder.
        batch_size: Images of each domain in a batch, in each process.
        image_size: Height and width: one number for a square, or [height, width].
        load_size: The same before the random crop; None: image_size * 286 / 256, as in the paper.
        channels: 3: RGB; 1: grey; others as in ``ImageFolderDataModule``.
        flip: Mirror training images horizontally with probability one half.
        num_workers: Processes that decode images; 0: none but the training process; None: one for each CPU, at
            most 8.
        seed: The order and the jitter of the training images are functions of this seed and the epoch.
        folder_a: What the folders of A are called in place of ``A``, such as ``horses`` for ``train/horses``.
        folder_b: What those of B are called in place of ``B``.
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
        channels: int = 3,
        flip: bool = True,
        num_workers: int | None = None,
        seed: int = 0,
        folder_a: str = "A",
        folder_b: str = "B",
        bits: int = 8,
    ) -> None:
        check_channels(channels=channels)
        super().__init__(shape_of(channels, image_size), None, batch_size, flip, num_workers, seed, bits)
        self.jitter = Jitter(image_size, load_size, flip)
        self.root = Path(root).expanduser()
        check_domains(folder_a, folder_b)
        self.folder_a, self.folder_b = folder_a, folder_b

    @property
    def domain_names(self) -> tuple[str, str]:
        """What A and B are called."""
        return self.folder_a, self.folder_b

    @property
    def location(self) -> str:
        return str(self.root)

    def load_splits(self) -> Splits:
        folders = domain_folders(self.root, self.folder_a, self.folder_b)
        # So that the message about missing images names where they should be.
        folders.setdefault("train", (self.root / f"train{self.folder_a}", self.root / f"train{self.folder_b}"))
        splits = {split: self._domains(split, folders.get(split, ())) for split in ("train", "val", "test")}
        warn_of_unread("UnpairedImageDataModule", self.root, [folder for two in folders.values() for folder in two])
        paths = [path for domains in splits.values() for domain in domains for path in domain]
        channels = self.image_shape[0]
        self.refuse(check_files(len(paths), lambda i: check(paths[i], channels, self.bits)), paths)
        return Splits(**{split: UnpairedImages(*map(self._images, domains)) for split, domains in splits.items()})

    def make_order(self, source: ImageSource, shuffle: bool, rank: int, world_size: int) -> EpochOrder:
        assert isinstance(source, UnpairedImages)
        return DomainOrder((len(source.a), len(source.b)), shuffle, self.seed, rank, world_size)

    def _images(self, paths: list[Path]) -> JitteredImages:
        return JitteredImages(paths, self.image_shape[0], self.jitter, self.workers(), self.bits)

    def _domains(self, split: str, folders: Sequence[Path]) -> list[list[Path]]:
        domains = [list_images(folder) for folder in folders]
        empty = [str(folder) for folder, images in zip(folders, domains, strict=True) if not images]
        if empty and split == "train":
            raise ValueError(
                f"UnpairedImageDataModule: no images under {' and '.join(empty)}: both domains need some ({FORMATS}); "
                f"where they have other names, set folder_a and folder_b; {folders_in_words(self.root)}."
            )
        if empty:
            warn_of_empty(
                "UnpairedImageDataModule",
                {folder: len(images) for folder, images in zip(folders, domains, strict=True)},
            )
        return [[], []] if empty or not domains else domains


class UnpairedImages(Examples):
    """Images of two domains, drawn together; as an ``ImageSource``, those of B.

    Args:
        a: The images of A.
        b: The images of B.
    """

    n_chances = 2 * JitteredImages.n_chances

    def __init__(self, a: JitteredImages, b: JitteredImages) -> None:
        super().__init__(a.num_workers)
        self.a, self.b = a, b

    def __len__(self) -> int:
        return len(self.b)

    def make(self, index: NDArray[np.int64], chances: Chances | None) -> tuple[Pixels, ...]:
        # Each domain has a crop and a flip of its own.
        of_a, of_b = (None, None) if chances is None else np.split(chances, 2)
        return self.a.make(index[0], of_a) + self.b.make(index[1], of_b)

    def collate(self, parts: tuple[Tensor, ...]) -> Batch:
        return dict(zip(_DOMAINS, parts, strict=True))

    def image_batches(self, batches: Sequence[Tensor]) -> Iterator[Tensor]:
        return self.b.image_batches(batches)


class DomainOrder(EpochOrder):
    """The order in which one process sees the images of two domains: ``indices`` is int64, N x 2.

    Args:
        sizes: Number of images of each domain; the larger one makes the epoch.
        shuffle: As in ``EpochOrder``. False: 0, 1, 2, ..., and the smaller domain from its beginning again and again.
        seed: As in ``EpochOrder``.
        rank: As in ``EpochOrder``.
        world_size: As in ``EpochOrder``.
    """

    def __init__(
        self, sizes: tuple[int, int], shuffle: bool, seed: int = 0, rank: int = 0, world_size: int = 1
    ) -> None:
        # The larger domain makes the epoch, as in the authors' code.
        super().__init__(max(sizes), shuffle, seed, rank, world_size)
        self.sizes = sizes

    @property
    def n_images(self) -> int:
        return sum(self.sizes)

    def indices(self) -> Tensor:
        # A stream for each domain: with one and the same the two orders would be tied to each other.
        columns = [self._column(size, _DOMAIN_STREAM + domain) for domain, size in enumerate(self.sizes)]
        return self._share(np.stack(columns, 1))

    def _column(self, size: int, stream: int) -> NDArray[np.int64]:
        places = np.arange(self.size)
        if not self.shuffle:
            # In order, and from the beginning again where the smaller domain is exhausted.
            return places % size
        # Position in the endless sequence of permutations of this domain.
        places += self.epoch * self.size
        first, last = places[0] // size, places[-1] // size
        # Only the permutations that this epoch touches.
        permutations = [np.random.default_rng((self.seed, i, stream)).permutation(size) for i in range(first, last + 1)]
        return np.concatenate(permutations)[places - first * size]
