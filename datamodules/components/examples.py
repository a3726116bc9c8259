"""Examples made of several images (pairs, crops) with random augmentation, and their loader."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from datamodules.base import check_at_least
from datamodules.components.decoding import read_raster
from datamodules.components.file_base import FileDataModule
from datamodules.components.files import in_workers, pack, read_again, unpack
from datamodules.components.loading import Batch, EpochLoader, EpochOrder, ImageSource
from datamodules.components.raster import Pixels, Raster, Size, sides

Chances = NDArray[np.float64]


class Examples(Dataset[Any], ABC):
    """Examples made by worker processes; as an ``ImageSource``, the first image of each.

    Args:
        num_workers: Worker processes; 0: make them in this one.
    """

    n_chances: ClassVar[int]  # random numbers that an example takes
    labels: Tensor | None = None

    def __init__(self, num_workers: int) -> None:
        self.num_workers = num_workers

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def make(self, index: Any, chances: Chances | None) -> tuple[Pixels, ...]:
        """Make one example.

        Args:
            index: An element of what the ``EpochOrder`` gives.
            chances: ``n_chances`` numbers in [0, 1), for the augmentation; None: no augmentation, for evaluation.

        Returns:
            Its parts, uint8 or uint16, each C x H x W.
        """

    def collate(self, parts: tuple[Tensor, ...]) -> Batch:
        """A batch of the parts of its examples, each n x C x H x W."""
        return parts

    def batches(self, indices: Sequence[Tensor], chances: Sequence[Tensor] | None = None) -> Iterator[Batch]:
        """Yield a batch for each tensor of n indices; with ``chances`` (n x n_chances) augmented, else plain."""
        draws = [None] * len(indices) if chances is None else [each.numpy() for each in chances]
        requests = list(zip([each.numpy() for each in indices], draws, strict=True))
        # Random numbers are part of the request, so that they do not depend on which worker makes the example.
        return in_workers(self, requests, self.num_workers)

    def image_batches(self, batches: Sequence[Tensor]) -> Iterator[Tensor]:
        for batch in self.batches(batches):
            assert isinstance(batch, tuple)
            yield batch[0]

    def __getitems__(self, request: tuple[NDArray[np.int64], Chances | None]) -> Batch:
        indices, chances = request
        draws = [None] * len(indices) if chances is None else chances
        # A list of n tuples of parts becomes a tuple of stacked parts, n x C x H x W each.
        examples = [self.make(index, drawn) for index, drawn in zip(indices, draws, strict=True)]
        return self.collate(tuple(torch.from_numpy(_stacked(part)) for part in zip(*examples, strict=True)))


class ClipExamples(Examples):
    """Examples of one part, a clip, T x C x H x W; as an ``ImageSource``, the first frame of each."""

    def collate(self, parts: tuple[Tensor, ...]) -> Tensor:
        return parts[0]

    def image_batches(self, batches: Sequence[Tensor]) -> Iterator[Tensor]:
        for clips in self.batches(batches):
            assert isinstance(clips, Tensor)
            yield clips[:, 0].contiguous()


class ExampleLoader(EpochLoader):
    """Batches of examples.

    Args:
        source: The examples.
        sampler: As in ``EpochLoader``.
        batch_size: As in ``EpochLoader``.
        training: Augment the examples, and leave out a last batch smaller than batch_size.
        pin_memory: As in ``EpochLoader``.
    """

    source: Examples

    def __init__(
        self, source: Examples, sampler: EpochOrder, batch_size: int, training: bool, pin_memory: bool
    ) -> None:
        super().__init__(source, sampler, batch_size, training, pin_memory)
        self.training = training

    def batches(self, todo: slice) -> Iterator[Batch]:
        # Index and random numbers of an example depend on its position in the epoch alone, whatever worker makes it.
        indices = self.sampler.indices().split(self.batch_size)[todo]
        chances = self.sampler.chances(self.source.n_chances).split(self.batch_size)[todo] if self.training else None
        return self.source.batches(indices, chances)


class ExampleDataModule(FileDataModule, ABC):
    """Base of the data modules whose splits are ``Examples``."""

    @property
    def eval_batch_size(self) -> int:
        """Examples in a batch of validation and testing."""
        return self.batch_size

    def make_loader(self, source: ImageSource, order: EpochOrder, training: bool, pin_memory: bool) -> EpochLoader:
        assert isinstance(source, Examples)
        batch_size = self.batch_size if training else self.eval_batch_size
        return ExampleLoader(source, order, batch_size, training, pin_memory)


def _stacked(images: Sequence[Pixels]) -> Pixels:
    if len({image.shape for image in images}) > 1:
        raise ValueError("These images have different sizes and cannot be one batch: ask for them one at a time.")
    return np.ascontiguousarray(np.stack(images))  # stacked, images that are all turned alike stay turned in memory


@dataclass(frozen=True)
class Jitter:
    """The random jitter of pix2pix and CycleGAN: enlarge, crop at a random place, flip. It takes three chances.

    Args:
        size: Height and width of the result.
        load_size: Height and width before the crop; None: larger by 286 / 256, as in the papers.
        flip: Mirror horizontally with probability one half.

    Raises:
        ValueError: Load_size is smaller than size.
    """

    size: Size
    load_size: Size | None
    flip: bool

    def __post_init__(self) -> None:
        if self.load_size is not None:
            for side, load_side in zip(sides(self.size), sides(self.load_size), strict=True):
                check_at_least(side, load_size=load_side)

    def __call__(self, raster: Raster, chances: Chances | None) -> Pixels:
        """Augment an image of any shape (bicubic, antialiased), to C x H x W; without ``chances`` only resize it."""
        height, width = sides(self.size)
        if chances is None:
            return raster.resized((height, width))
        # 286 to 256: the papers' jitter, kept in proportion at other sizes.
        larger = (round(height * 286 / 256), round(width * 286 / 256))
        load_height, load_width = larger if self.load_size is None else sides(self.load_size)
        enlarged = raster.resized((load_height, load_width))
        # Crop position: one of load_size - size + 1 in each direction.
        left, top = (chances[:2] * (load_width - width + 1, load_height - height + 1)).astype(int)
        cropped = enlarged[:, top : top + height, left : left + width]
        return cropped[..., ::-1] if self.flip and chances[2] < 0.5 else cropped


class JitteredImages(Examples):
    """Images of one domain, read from their files on demand.

    Args:
        paths: The files.
        channels: As in ``read_raster``.
        jitter: What each image undergoes.
        num_workers: Worker processes.
        bits: As in ``read_raster``.
    """

    n_chances = 3

    def __init__(self, paths: Sequence[Path], channels: int, jitter: Jitter, num_workers: int, bits: int = 8) -> None:
        super().__init__(num_workers)
        # One block of bytes, which forked workers share.
        self.paths = pack(paths)
        self.channels = channels
        self.jitter = jitter
        self.bits = bits

    def __len__(self) -> int:
        return len(self.paths)

    def make(self, index: int, chances: Chances | None) -> tuple[Pixels, ...]:
        raster = read_again(unpack(self.paths[index]), lambda file: read_raster(file, self.channels, self.bits))
        return (self.jitter(raster, chances),)
