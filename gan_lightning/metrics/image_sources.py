"""Sources of images to evaluate: a generator, a folder, a data module.

All have the methods of ``datamodules.components.loading.ImageSource``: given a batch of indices they return images.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import torch
from torch import Tensor

from datamodules.components.decoding import check, own_channels, read_raster
from datamodules.components.files import SUFFIXES, list_images, reason
from datamodules.components.loading import ImageSource, Subset, TensorImages
from datamodules.components.raster import Size, sides
from gan_lightning.metrics.digest import digest_of
from gan_lightning.visualization.images import are_points, to_uint8

if TYPE_CHECKING:
    from lightning.pytorch import LightningDataModule

T = TypeVar("T")
SPLITS = ("train", "val", "test")
MOST_SAMPLES = 10_000
"""As many samples as this are made unless the user asks for a number."""


class Images(Protocol):
    """Images addressed by index."""

    def __len__(self) -> int: ...

    def image_batches(self, batches: Sequence[Tensor]) -> Iterator[Tensor]:
        """Yields, for each tensor of n indices, n x C x H x W images: uint8, or float in [-1, 1]."""


class Samples:
    """Samples of a generator. Sample ``i`` is a function of the seed and ``i``.

    A conditional generator draws its classes inside ``sample``, by index too, from the class frequencies in training.

    Args:
        sample: ``sample(n, seed=..., start=...)`` makes samples ``start`` to ``start + n - 1``, in [-1, 1].
        n: How many there are.
        seed: Which ones.
    """

    def __init__(self, sample: Callable[..., Tensor], n: int, seed: int = 0) -> None:
        self.sample = sample
        self.n = n
        self.seed = seed

    def __len__(self) -> int:
        return self.n

    def image_batches(self, batches: Sequence[Tensor]) -> Iterator[Tensor]:
        for indices in batches:
            # Indices of a batch are consecutive.
            yield self.sample(len(indices), seed=self.seed, start=int(indices[0]))


class FolderImages:
    """The image files of a folder, at any depth, read as our data modules read theirs; an ``ImageSource``.

    Args:
        folder: Where they are.
        channels: 3: a grey image is read as RGB; 1: a coloured one as grey; others as in ``ImageFolderDataModule``.
            None: as many as the first has if it is an array, else 3.
        size: Height and width to which each is cropped and resized, as ``ImageFolderDataModule`` does it, with a
            warning where that changes one. None: at their own size, which must be the same for all.
        at_most: Take so many, evenly spread, if there are more. None: all.

    Raises:
        FileNotFoundError: There is no such folder, or no image in it.
        ValueError: The first file is no image that can be read.
    """

    labels = None

    def __init__(
        self, folder: str | Path, channels: int | None = 3, size: Size | None = None, at_most: int | None = None
    ) -> None:
        self.folder = Path(folder)
        self.size = size
        listed = list_images(self.folder)
        # A pipe or a device is no image, and to open it is to wait; a link to nothing is one that is missing.
        found = [path for path in listed if path.is_file() or not path.exists()]
        if others := sorted(map(str, {*listed} - {*found})):
            warnings.warn(f"Not read, for they are no files: {', '.join(others[:10])}.", stacklevel=2)
        if not found:
            raise FileNotFoundError(f"There are no images ({', '.join(SUFFIXES)}) in a folder {folder}.")
        self.paths = [found[i] for i in _evenly(len(found), at_most)]
        self.channels = self._opened(self.paths[0], own_channels) if channels is None else channels
        self.first_size = self._opened(self.paths[0], lambda file: check(file, self.channels))
        self._warned = False

    def __len__(self) -> int:
        return len(self.paths)

    def image_batches(self, batches: Sequence[Tensor]) -> Iterator[Tensor]:
        """See :class:`Images`.

        Raises:
            ValueError: A file is no image, or not as large as the first where none is resized.
        """
        for indices in batches:
            yield torch.stack([self._image(self.paths[i]) for i in indices])

    def _image(self, path: Path) -> Tensor:
        raster = self._opened(path, lambda file: read_raster(file, self.channels))
        height, width, _ = raster.pixels.shape
        if self.size is None:
            if (width, height) != self.first_size:
                raise ValueError(
                    f"The images of {self.folder} have different sizes: {_and_size(self.paths[0], *self.first_size)}, "
                    f"{_and_size(path, width, height)}: name one size for all, such as --image_size "
                    f"{min(height, width)}."
                )
            # H x W x C to C x H x W
            return torch.tensor(raster.pixels).permute(2, 0, 1)
        high, wide = sides(self.size)
        if (height, width) != (high, wide) and not self._warned:
            self._warned = True
            part = "their central squares" if high == wide else f"the aspect ratio {wide} : {high} in their middle"
            warnings.warn(
                f"Images of {self.folder} are cropped to {part} and resized to {wide} x {high} pixels: "
                f"{_and_size(path, width, height)}.",
                stacklevel=2,
            )
        return torch.from_numpy(raster.cropped(self.size).resized(self.size))

    def _opened(self, path: Path, reading: Callable[[Path], T]) -> T:
        try:
            return reading(path)
        except Exception as error:  # PIL raises SyntaxError, struct.error, ... besides OSError
            raise ValueError(f"{path} cannot be read as an image: {reason(error)}.") from error


def _and_size(path: Path, width: int, height: int) -> str:
    return f"{path.name} has {width} x {height}"


def domain_note(game: Any) -> str | None:
    """Note that only the first domain of several is evaluated; None: there is one domain."""
    domains: Sequence[str] = getattr(game, "domains", ())
    if len(domains) < 2:
        return None
    return (
        f"{type(game).__name__} makes images of the domains {' and '.join(domains)}: all metrics are of its images of "
        f"{domains[0]}, compared with the data's of {domains[0]}, and say nothing of the others."
    )


def real_images(
    data: LightningDataModule | None, split: str, at_most: int | None = None, game: Any = None
) -> ImageSource:
    """The images of a split of a data module, unflipped and each once, whatever the process.

    Args:
        data: It has been set up. A module of another kind than ours is read through its loader, into memory.
        split: train, val or test.
        at_most: Take so many, evenly spread, if there are more. None: all.
        game: Whose samples they are compared with: of data of two domains those of the first are taken for a game of
            several domains, see :func:`domain_note`.

    Raises:
        ValueError: There is no data module, or it has no such images, or points in their place.
    """
    if data is None:
        raise ValueError("The real images are read from a data module, and there is none: give datamodule=...")
    if are_points(getattr(data, "image_shape", ())):
        raise ValueError(f"{type(data).__name__} has points and no images: judge the samples by ModeCoverage.")
    loader = getattr(data, f"{split}_dataloader")()
    # Our loaders know their images: no batches, no flips, no shuffling.
    source = getattr(loader, "source", None) or _read_all(loader)
    if domain_note(game):
        source = getattr(source, "a", source)
    if source is None or len(source) == 0:
        raise ValueError(f"{type(data).__name__} has no images in its split {split!r}: choose another split.")
    if at_most is None or at_most >= len(source):
        return source
    return Subset(source, _evenly(len(source), at_most))


def _evenly(n: int, at_most: int | None) -> Tensor:
    """The indices of so many of ``n``, evenly spread."""
    # Not the first ones: folders and data sets are often sorted by class.
    few = n if at_most is None else min(n, at_most)
    # 0, n / few, 2 n / few, ...
    return torch.arange(few) * n // few


def count_of(data: LightningDataModule, split: str) -> int | None:
    """How many images a split of a data module has; None if only its loader could tell, by being read.

    Raises:
        ValueError: It has none.
    """
    loader = getattr(data, f"{split}_dataloader")()
    if getattr(loader, "source", None) is None and loader != []:
        return None
    return len(real_images(data, split))


def label_of(data: LightningDataModule, split: str) -> str:
    """Names a split in the cache, apart from its content."""
    place = digest_of(getattr(data, "location", ""), getattr(data, "image_shape", ""))
    return f"{type(data).__name__}-{place[:8]}-{split}"


def _read_all(loader: Any) -> TensorImages | None:
    batches = [batch if isinstance(batch, tuple | list) else (batch, None) for batch in loader]
    if not batches:
        return None
    images = torch.cat([to_uint8(images) for images, *_ in batches])
    labels = [labels for _, labels, *_ in batches]
    return TensorImages(images, torch.cat(labels) if isinstance(labels[0], Tensor) else None)
