"""Where images to be judged come from. All have the shape of ``datamodules.loading.ImageSource``: they are asked
for batches of indices and answer with images.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from torch import Tensor


class Images(Protocol):
    """Images addressed by index."""

    def __len__(self) -> int: ...

    def image_batches(self, batches: Sequence[Tensor]) -> Iterator[Tensor]:
        """Yields, for each tensor of n indices, n x C x H x W images: uint8, or float in [-1, 1]."""


class Samples:
    """What a generator makes. Sample ``i`` is a function of the seed and ``i``.

    A conditional generator draws its condition in ``sample``, by index as well, from the class frequencies that it
    was given: nothing here need know.

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
            yield self.sample(len(indices), seed=self.seed, start=int(indices[0]))
