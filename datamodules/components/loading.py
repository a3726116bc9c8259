"""Order of the images as a function of (seed, epoch), and loaders that resume at any batch."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.components.first_process import rank_zero_warn

Batch = Tensor | tuple[Tensor, ...] | dict[str, Tensor]

ORDER_STREAM, _CHANCE_STREAM = 0, 1


class ImageSource(Protocol):
    """Images addressed by index: what a ``BatchLoader`` draws from."""

    @property
    def labels(self) -> Tensor | None:
        """The class of every image, int64, (N,), or its attributes, float32, N x A; None where there are none."""

    def __len__(self) -> int: ...

    def image_batches(self, batches: Sequence[Tensor]) -> Iterator[Tensor]:
        """Yields, for each tensor of n indices, a fresh contiguous tensor, n x C x H x W: uint8, uint16, or float32."""


class TensorImages:
    """A whole dataset in memory.

    Args:
        images: Uint8 or uint16, N x C x H x W.
        labels: As in ``ImageSource``.
    """

    def __init__(self, images: Tensor, labels: Tensor | None) -> None:
        self.images = images.contiguous()
        self.labels = labels

    def __len__(self) -> int:
        return len(self.images)

    def image_batches(self, batches: Sequence[Tensor]) -> Iterator[Tensor]:
        # NumPy gathers without OpenMP, whose threads stall for seconds where other processes use the same cores.
        images = self.images.numpy()
        for indices in batches:
            yield torch.from_numpy(images[indices.numpy()])


class Subset:
    """Some of a source's images, without a copy of them.

    Args:
        source: Where the images are.
        indices: Which of them, int64, (N,).
    """

    def __init__(self, source: ImageSource, indices: Tensor) -> None:
        self.source = source
        self.indices = indices
        self.labels = None if source.labels is None else source.labels[indices]

    def __len__(self) -> int:
        return len(self.indices)

    def image_batches(self, batches: Sequence[Tensor]) -> Iterator[Tensor]:
        return self.source.image_batches([self.indices[batch] for batch in batches])


class EpochOrder:
    """The order in which one process sees the images: a pure function of (seed, epoch), cut among the processes.

    Position p of the order belongs to process p % world_size, so the processes never share an image and, together,
    take the same global order however many they are.

    Args:
        size: Number of images.
        shuffle: True: a new permutation every epoch, cut so that every process has equally many images.
            False: 0, 1, 2, ... every epoch; every image exactly once, so some processes may have one more.
        seed: At least 0.
        rank: This process, below world_size.
        world_size: Number of processes.
    """

    def __init__(self, size: int, shuffle: bool, seed: int = 0, rank: int = 0, world_size: int = 1) -> None:
        self.size = size
        self.shuffle = shuffle
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch; Lightning calls this before every one."""
        self.epoch = epoch

    def __len__(self) -> int:
        """The number of images of this process in an epoch."""
        return len(range(self.rank, self._end, self.world_size))

    def indices(self) -> Tensor:
        """This process's image indices of the current epoch, int64."""
        # The global order first, then this rank's share: independent of the number of processes.
        order = self._draws(ORDER_STREAM).permutation(self.size) if self.shuffle else np.arange(self.size)
        return self._share(order)

    def chances(self, n: int) -> Tensor:
        """``n`` random numbers for each position of ``indices`` in the current epoch: uniform in [0, 1), float64."""
        # Drawn for the whole epoch and then shared, like the order: independent of the number of processes.
        return self._share(self._draws(_CHANCE_STREAM).random((self.size, n)))

    def flips(self) -> Tensor:
        """Which positions of ``indices`` are to be mirrored in the current epoch: fair coins, bool."""
        return self.chances(1)[:, 0] < 0.5

    @property
    def n_images(self) -> int:
        """Number of images, by which a checkpoint recognises the data."""
        return self.size

    def identity(self) -> dict[str, int]:
        """Values that determine the order; a position is meaningful only if they are equal."""
        return {"size": self.n_images, "seed": self.seed}

    def state_dict(self) -> dict[str, int]:
        """State that a loader saves beside its own position."""
        return self.identity()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Set the epoch from a loader's state of the same order."""
        self.set_epoch(state["epoch"])

    def _share(self, values: NDArray[Any]) -> Tensor:
        """This process's part of a global sequence: every world_size-th element from rank on."""
        # A copy, so that a process's part does not keep the whole permutation in memory.
        return torch.from_numpy(values[self.rank : self._end : self.world_size].copy())

    @property
    def _end(self) -> int:
        # In training every process must make equally many steps, or the others would wait in a collective.
        return self.size - self.size % self.world_size if self.shuffle else self.size

    def _draws(self, stream: int) -> np.random.Generator:
        # A generator of its own for each epoch and purpose: nothing has to be replayed to resume.
        return np.random.default_rng((self.seed, self.epoch, stream))


class EpochLoader(ABC):
    """Batches in the order of an ``EpochOrder``; its state makes it resume at any batch of any epoch.

    Args:
        source: The images, as evaluation reads them.
        sampler: Their order. Its epoch is read when an iterator yields its first batch, not when it is made:
            Lightning calls ``iter()`` before ``set_epoch()`` in a run's first epoch.
        batch_size: Images in a batch.
        drop_last: Leave out a last batch smaller than batch_size.
        pin_memory: Yield page-locked tensors, which copy to a GPU without stopping the host.
    """

    # Lightning reads this attribute of every loader that has a sampler.
    batch_sampler = None

    def __init__(
        self,
        source: ImageSource,
        sampler: EpochOrder,
        batch_size: int,
        drop_last: bool = False,
        pin_memory: bool = False,
    ) -> None:
        self.source = source
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.pin_memory = pin_memory
        self._epoch = 0
        self._yielded = 0
        self._resuming = False

    @abstractmethod
    def batches(self, todo: slice) -> Iterator[Batch]:
        """The batches number ``todo`` of the current epoch."""

    def __len__(self) -> int:
        whole, rest = divmod(len(self.sampler), self.batch_size)
        return whole if self.drop_last or not rest else whole + 1

    def __iter__(self) -> Iterator[Batch]:
        # A generator: none of this runs before the first next().
        self._start_epoch()
        for batch in self.batches(slice(self._yielded, len(self))):
            self._yielded += 1
            # Counted before it is handed over: a state saved while the batch is in use has it behind.
            yield _pinned(batch) if self.pin_memory else batch

    def state_dict(self) -> dict[str, int]:
        """Position: the epoch, and the number of images yielded in it by all processes together."""
        images = self._yielded * self._images_per_step
        return {"epoch": self._epoch, "images": images, **self.sampler.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Make the next iterator continue from ``state``, if it is of the same epoch.

        The batch size and the number of processes may have changed: the place in the order is kept, to the batch.
        With another number of images or another seed it is another order: a warning, and the epoch starts over.
        """
        for name, now in self.sampler.identity().items():
            if state.get(name) != now:
                rank_zero_warn(
                    f"The checkpoint was made with {name} {state.get(name)} of the training images and it is {now} "
                    "now: the order is another one, and the interrupted epoch starts over."
                )
                return
        self.sampler.load_state_dict(state)
        self._epoch = state["epoch"]
        # Counted in images: another batch size continues at the nearest batch.
        self._yielded = state["images"] // self._images_per_step
        self._resuming = True

    @property
    def _images_per_step(self) -> int:
        return self.batch_size * self.sampler.world_size

    def _start_epoch(self) -> None:
        """Count from 0, unless a state of this very epoch was loaded and the epoch was not over."""
        # A state counts once, and only for its own epoch.
        continued = self._resuming and self._epoch == self.sampler.epoch and self._yielded < len(self)
        self._epoch = self.sampler.epoch
        self._yielded = self._yielded if continued else 0
        self._resuming = False


class BatchLoader(EpochLoader):
    """Images of a source, with their labels.

    Iterating yields ``(images, labels)``, or ``images`` alone where the source has no labels: images uint8, contiguous,
    n x C x H x W, owned by the caller; labels int64, (n,), or float32, n x A.

    Args:
        source: As in ``EpochLoader``.
        sampler: As in ``EpochLoader``.
        batch_size: As in ``EpochLoader``.
        drop_last: As in ``EpochLoader``.
        flip: Mirror each image horizontally with probability one half.
        pin_memory: As in ``EpochLoader``.
    """

    def __init__(
        self,
        source: ImageSource,
        sampler: EpochOrder,
        batch_size: int,
        drop_last: bool = False,
        flip: bool = False,
        pin_memory: bool = False,
    ) -> None:
        super().__init__(source, sampler, batch_size, drop_last, pin_memory)
        self.flip = flip

    def batches(self, todo: slice) -> Iterator[Batch]:
        batches = self.sampler.indices().split(self.batch_size)[todo]
        # Flips are drawn with the order, so that a resumed epoch repeats them.
        flips = self.sampler.flips().split(self.batch_size)[todo]
        labels = self.source.labels
        for images, indices, flipped in zip(self.source.image_batches(batches), batches, flips, strict=True):
            if self.flip:
                mirror(images, flipped)
            yield images if labels is None else (images, labels[indices])


def _pinned(batch: Batch) -> Batch:
    if isinstance(batch, Tensor):
        return batch.pin_memory()
    if isinstance(batch, dict):
        return {name: tensor.pin_memory() for name, tensor in batch.items()}
    return tuple(tensor.pin_memory() for tensor in batch)


def mirror(images: Tensor, chosen: Tensor) -> None:
    """Mirror the chosen images horizontally, in place."""
    # NumPy shares the memory of the batch, which belongs to the caller alone.
    pixels, mask = images.numpy(), chosen.numpy()
    # Last axis: width
    pixels[mask] = pixels[mask][..., ::-1]
