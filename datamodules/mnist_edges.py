"""MNIST in two domains: digits, and the edges of other digits."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from datamodules.base import Splits
from datamodules.components.loading import Batch, EpochLoader, EpochOrder, ImageSource, TensorImages
from datamodules.components.tensors import edges
from datamodules.mnist import MNISTDataModule
from datamodules.unpaired import DomainOrder


class MNISTEdgesDataModule(MNISTDataModule):
    """The digits of MNIST as domain A and the edges of digits as domain B, for CoGAN; no digit is in both.

    The first, third, ... image of a split belongs to A, the others to B, so there are no pairs. Edges are the 3 x 3
    dilation of a digit minus the digit: its outline.

    The batches are ``{"A": images, "B": images}``, uint8, n x 1 x H x W. The domains are shuffled independently, and an
    epoch shows each digit once.

    Args:
        batch_size: Images of each domain in a batch, in each process.
        image_size: Height and width. 28 or None: as they are; 32: zero-padded; others: padded to 32, then resized.

    Raises:
        ValueError: An argument is out of its range.
    """

    def __init__(
        self,
        data_dir: str = "data",
        batch_size: int = 64,
        image_size: int | None = 28,
        val_size: int = 5000,
        seed: int = 0,
    ) -> None:
        super().__init__(data_dir, batch_size, image_size, val_size, seed)
        # Two domains take the place of classes, so games of classes must not be offered any.
        self.num_classes = None

    def load_splits(self) -> Splits:
        whole = super().load_splits()
        return Splits(DigitsAndEdges(whole.train), DigitsAndEdges(whole.val), DigitsAndEdges(whole.test))

    def make_order(self, source: ImageSource, shuffle: bool, rank: int, world_size: int) -> EpochOrder:
        assert isinstance(source, DigitsAndEdges)
        return DomainOrder((len(source.a), len(source.b)), shuffle, self.seed, rank, world_size)

    def make_loader(self, source: ImageSource, order: EpochOrder, training: bool, pin_memory: bool) -> EpochLoader:
        return DomainLoader(source, order, self.batch_size, training, pin_memory)


class DigitsAndEdges:
    """Half of the digits of a source, and the edges of the other half; as an ``ImageSource``, the digits.

    Args:
        source: The digits.
    """

    def __init__(self, source: ImageSource) -> None:
        self.a, self.b = (_taken(source, torch.arange(len(source))[first::2]) for first in (0, 1))
        # The second, fourth, ... image becomes edges: no digit is in both domains.
        self.b = TensorImages(edges(self.b.images), self.b.labels)
        self.labels = self.a.labels

    def __len__(self) -> int:
        return len(self.a)

    def image_batches(self, batches: Sequence[Tensor]) -> Iterator[Tensor]:
        return self.a.image_batches(batches)

    def domain_batches(self, batches: Sequence[Tensor]) -> Iterator[dict[str, Tensor]]:
        """Yields, for each tensor of indices into both domains, n x 2, the images of both."""
        # n x 2 indices: one column a domain
        of_a, of_b = ([batch[:, domain] for batch in batches] for domain in (0, 1))
        for a, b in zip(self.a.image_batches(of_a), self.b.image_batches(of_b), strict=True):
            yield {"A": a, "B": b}


class DomainLoader(EpochLoader):
    """Batches of both domains of a ``DigitsAndEdges``, in the order of a ``DomainOrder``."""

    source: DigitsAndEdges

    def batches(self, todo: slice) -> Iterator[Batch]:
        return self.source.domain_batches(self.sampler.indices().split(self.batch_size)[todo])


def _taken(source: ImageSource, indices: Tensor) -> TensorImages:
    (images,) = source.image_batches([indices])
    return TensorImages(images, None if source.labels is None else source.labels[indices])
