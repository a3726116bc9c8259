"""Points in the plane, for experiments on mode collapse."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.base import ImageDataModule, Splits, check_at_least
from datamodules.components.loading import EpochOrder, ImageSource

Floats = NDArray[np.float64]

_TRAIN_STREAM, _VAL_STREAM, _TEST_STREAM = 0, 1, 2
_EVAL_SEED = 0
_BLOCK = 1024


@dataclass(frozen=True)
class Shape:
    """A distribution in the plane: a place, and Gaussian noise around it.

    Attributes:
        place: Turns N numbers in [0, 1) into N x 2 places. The k-th of ``n_modes`` equal parts of [0, 1) is mode k.
        n_modes: How many modes; each has the same share of the points.
        std: Standard deviation of the noise, the same in both directions.
    """

    place: Callable[[Floats], Floats]
    n_modes: int
    std: float

    @property
    def centres(self) -> Floats:
        """The places in the middle of the modes, n_modes x 2."""
        return self.place((np.arange(self.n_modes) + 0.5) / self.n_modes)

    def points(self, chances: Floats, noise: Floats) -> Floats:
        """N points, N x 2, of N uniform numbers in [0, 1) and N x 2 normal ones."""
        return self.place(chances) + self.std * noise


def _ring(along: Floats) -> Floats:
    # Eight equal parts of [0, 1) become eight angles.
    # linspace(0, 2 pi, 8), as the authors' notebook has it, repeats an angle and gives seven modes only.
    angle = np.floor(along * 8) * (2 * np.pi / 8)
    return 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _grid(along: Floats) -> Floats:
    # 25 equal parts of [0, 1) become 5 x 5 places.
    row, column = np.divmod(np.floor(along * 25), 5)
    return 2 * np.stack([column - 2, row - 2], axis=1)


def _moons(along: Floats) -> Floats:
    # As scikit-learn has them: the lower moon is the upper one, turned by half and moved.
    lower = along >= 0.5
    angle = (2 * along - lower) * np.pi
    x, y = np.cos(angle), np.sin(angle)
    return np.stack([np.where(lower, 1 - x, x), np.where(lower, 0.5 - y, y)], axis=1)


def _spiral(along: Floats) -> Floats:
    # The length of the curve grows with the angle's square, but for 2 % where it begins.
    first, last = 1.5 * np.pi, 4.5 * np.pi
    angle = np.sqrt(first**2 + along * (last**2 - first**2))
    return angle[:, None] / 7.5 * np.stack([np.cos(angle), np.sin(angle)], axis=1)


SHAPES: dict[str, Shape] = {
    "ring": Shape(_ring, 8, 0.02),
    "grid": Shape(_grid, 25, 0.05),
    "moons": Shape(_moons, 64, 0.05),
    "spiral": Shape(_spiral, 120, 0.05),
}


class Points:
    """Endless sequence of points, as images of one pixel: point i is a function of (stream, seed, i).

    Args:
        shape: Where they lie.
        size: Points that an evaluation looks at: the first ones.
        stream: Together with the seed, which sequence.
        seed: At least 0.
    """

    labels: Tensor | None = None

    def __init__(self, shape: Shape, size: int, stream: int, seed: int) -> None:
        self.shape = shape
        self.size = size
        self.stream = stream
        self.seed = seed

    def __len__(self) -> int:
        return self.size

    def image_batches(self, batches: Sequence[Tensor]) -> Iterator[Tensor]:
        """Yields, for each tensor of n indices, of any size, a fresh float32 tensor, n x 2 x 1 x 1."""
        known: dict[int, Tensor] = {}
        for indices in batches:
            # Points are generated in blocks of 1024; keep the blocks that the next batch needs too.
            # A pure function of the index, so that an endless sequence can be resumed anywhere.
            numbers, places = torch.unique(indices.div(_BLOCK, rounding_mode="floor"), return_inverse=True)
            known = {number: known[number] if number in known else self._block(number) for number in numbers.tolist()}
            blocks = torch.stack([*known.values()])
            # n x 2 to n x 2 x 1 x 1
            yield blocks[places, indices % _BLOCK][..., None, None]

    def _block(self, number: int) -> Tensor:
        """Points number * _BLOCK and following, _BLOCK x 2."""
        draws = np.random.default_rng((self.stream, number, self.seed))
        points = self.shape.points(draws.random(_BLOCK), draws.standard_normal((_BLOCK, 2)))
        return torch.from_numpy(points.astype(np.float32))


class EndlessOrder(EpochOrder):
    """Order without repetition: epoch e consists of the indices from e * size on."""

    def indices(self) -> Tensor:
        # No permutation: the points are independent draws, and a shuffled order of them is no better.
        return self.epoch * self.size + self._share(np.arange(self.size))


class ToyDataModule(ImageDataModule):
    """Endless points in the plane: every point is new, and no two processes share one.

    A point is an image of one pixel with channels x and y: batches are float32, N x 2 x 1 x 1, not limited to [-1, 1],
    without labels. They are a function of seed, step and process, so runs resume in the same bits; an epoch only sets
    when validation is due. Shapes, each with Gaussian noise:

    - ``ring``: 8 Gaussians, std 0.02, on a circle of radius 2 (Metz et al., 2017, arXiv 1611.02163).
    - ``grid``: 5 x 5 Gaussians, std 0.05, at -4, -2, 0, 2, 4 (Gulrajani et al., 2017, arXiv 1704.00028, before its code
      divides by 2.828).
    - ``moons``: scikit-learn's two half circles of radius 1, std 0.05.
    - ``spiral``: scikit-learn's Swiss roll over 7.5, radius 0.6 to 1.9, uniform along its length, std 0.05.

    Attributes:
        centres: Means of the modes, K x 2, float32; all modes have equal weight. The curves of moons and spiral are
            divided into 64 and 120 modes, each about two ``std`` long.
        std: Standard deviation of the noise around the centres, or around the curve.

    Args:
        shape: ``ring``, ``grid``, ``moons`` or ``spiral``.
        batch_size: Points in a batch, in each process.
        epoch_size: Points in an epoch, of all processes together.
        val_size: Points for validation and as many for testing, the same whatever the seed.
        seed: Which points.

    Raises:
        ValueError: There is no such shape, or an argument is out of its range.
    """

    def __init__(
        self,
        shape: str = "ring",
        batch_size: int = 512,
        epoch_size: int = 102_400,
        val_size: int = 1000,
        seed: int = 0,
    ) -> None:
        super().__init__((2, 1, 1), None, batch_size, flip=False, seed=seed)
        if shape not in SHAPES:
            raise ValueError(f"shape is {shape!r}: choose from {', '.join(SHAPES)}.")
        check_at_least(1, epoch_size=epoch_size, val_size=val_size)
        self.shape = shape
        self.epoch_size = epoch_size
        self.val_size = val_size
        self.std = SHAPES[shape].std
        self.centres = torch.from_numpy(SHAPES[shape].centres.astype(np.float32))

    @property
    def location(self) -> str:
        return f"the {self.shape}"

    def load_splits(self) -> Splits:
        shape = SHAPES[self.shape]
        return Splits(
            Points(shape, self.epoch_size, _TRAIN_STREAM, self.seed),
            Points(shape, self.val_size, _VAL_STREAM, _EVAL_SEED),
            Points(shape, self.val_size, _TEST_STREAM, _EVAL_SEED),
        )

    def make_order(self, source: ImageSource, shuffle: bool, rank: int, world_size: int) -> EpochOrder:
        kind = EndlessOrder if shuffle else EpochOrder
        return kind(len(source), shuffle, self.seed, rank, world_size)
