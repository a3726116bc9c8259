"""Base of all data modules: splits and the four loaders; and of those of images: their arguments."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import torch
from lightning import LightningDataModule

from datamodules.components.annotated import Annotated
from datamodules.components.loading import BatchLoader, EpochLoader, EpochOrder, ImageSource
from datamodules.components.partly_labelled import PartlyLabelledLoader, choose_labelled
from datamodules.components.raster import Size, dtype_of, sides

# Which images are held out must not depend on the seed of the training order.
_SPLIT_SEED = 0


@dataclass(frozen=True)
class Splits:
    """Examples of each split; val and test may be empty."""

    train: ImageSource
    val: ImageSource
    test: ImageSource


class SplitDataModule(Annotated, LightningDataModule, ABC):
    """Base of all data modules, of images or of other examples: splits and the four loaders.

    A subclass loads its splits: sources of tensors by index, such as ``TensorImages``, whatever the tensors are.

    Args:
        batch_size: Examples in a batch, in each process.
        seed: The order of the training examples is a function of this seed and the epoch.

    Raises:
        ValueError: An argument is out of its range.
    """

    examples = "images"
    """What an example is, in messages."""

    def __init__(self, batch_size: int, seed: int) -> None:
        super().__init__()
        # Here and not in the loaders: a mistake shows before any file is read.
        check_at_least(1, batch_size=batch_size)
        check_at_least(0, seed=seed)
        self.batch_size = batch_size
        self.seed = seed
        # Read on first use, in every process.
        self._splits: Splits | None = None

    @property
    @abstractmethod
    def location(self) -> str:
        """Where the examples are, in words for an error message."""

    @abstractmethod
    def load_splits(self) -> Splits:
        """Read the examples; called once, in every process."""

    @property
    def splits(self) -> Splits:
        """The examples of each split, read on first use."""
        if self._splits is None:
            self._splits = self.load_splits()
        return self._splits

    def setup(self, stage: str | None = None) -> None:
        """Read all splits, whatever the stage."""
        # All of them: one scan of the folder finds every split, and a broken test file shows before the training.
        _ = self.splits

    def train_dataloader(self) -> EpochLoader:
        """Shuffled batches, all of ``batch_size`` examples.

        Raises:
            ValueError: A process has fewer training examples than a batch.
        """
        loader = self._loader(self.splits.train, training=True)
        if len(loader) == 0:
            raise ValueError(
                f"batch_size {self.batch_size} is larger than the {len(loader.sampler)} training {self.examples} of "
                f"each process in {self.location}: lower batch_size or add {self.examples}."
            )
        return loader

    def val_dataloader(self) -> EpochLoader | list[Any]:
        """The validation examples in order; the test ones where none were held out; no loader if there are neither."""
        return self._eval_loader(self.splits.val, self.splits.test)

    def test_dataloader(self) -> EpochLoader | list[Any]:
        """The test examples in order; the validation ones where there is no test split; no loader without either."""
        return self._eval_loader(self.splits.test, self.splits.val)

    def predict_dataloader(self) -> EpochLoader | list[Any]:
        """The same as ``test_dataloader``."""
        return self.test_dataloader()

    def _eval_loader(self, source: ImageSource, fallback: ImageSource) -> EpochLoader | list[Any]:
        # Lightning takes an empty list for "no loader": validation is then skipped.
        source = source if len(source) else fallback
        return self._loader(source, training=False) if len(source) else []

    def _loader(self, source: ImageSource, training: bool) -> EpochLoader:
        trainer = self.trainer
        # Without a trainer, in a notebook, there is one process.
        rank, world_size = (0, 1) if trainer is None else (trainer.global_rank, trainer.world_size)
        # Overfitting a few batches is only possible if they are the same ones every epoch.
        overfitting = trainer is not None and trainer.overfit_batches > 0  # type: ignore[attr-defined]
        order = self.make_order(source, training and not overfitting, rank, world_size)
        # Page-locked memory, for asynchronous copies to a GPU.
        pin_memory = trainer is not None and trainer.strategy.root_device.type == "cuda"
        return self.make_loader(source, order, training, pin_memory)

    def make_order(self, source: ImageSource, shuffle: bool, rank: int, world_size: int) -> EpochOrder:
        """The order in which a process sees the examples of a split."""
        return EpochOrder(len(source), shuffle, self.seed, rank, world_size)

    def make_loader(self, source: ImageSource, order: EpochOrder, training: bool, pin_memory: bool) -> EpochLoader:
        """Make the loader of a split."""
        # In training: whole batches only.
        return BatchLoader(source, order, self.batch_size, training, False, pin_memory)


class ImageDataModule(SplitDataModule, ABC):
    """Base of all image data modules: a subclass sets its shape in the constructor and loads its splits.

    Attributes:
        image_shape: (channels, height, width) of every image; known right after construction.
        num_classes: Labels are 0 ... num_classes - 1; None: the batches carry no labels.
        class_names: The name of each class, in the order of the labels; None: they have none but their numbers.
        bits: Of each channel: 8, in uint8 batches, or 16, in uint16.

    Args:
        image_shape: See above.
        num_classes: See above.
        batch_size: Images in a batch, in each process.
        flip: Mirror training images horizontally with probability one half.
        seed: The order of the training images is a function of this seed and the epoch.
        n_labels: Train with the labels of so many images only, equally many of each class, chosen by the seed; a batch
            is then a dictionary, see ``PartlyLabelledLoader``. None: all labels.
        bits: See above.

    Raises:
        ValueError: An argument is out of its range.
    """

    class_names: list[str] | None = None

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        num_classes: int | None,
        batch_size: int,
        flip: bool,
        seed: int,
        n_labels: int | None = None,
        bits: int = 8,
    ) -> None:
        super().__init__(batch_size, seed)
        for side in image_shape[1:]:
            check_at_least(1, image_size=side)
        if bits not in (8, 16):
            raise ValueError(f"bits is {bits!r}: it must be 8 or 16, the bits of each channel.")
        if not isinstance(flip, bool):
            raise ValueError(f"flip is {flip!r}: it must be true or false.")
        if n_labels is not None:
            check_at_least(0, n_labels=n_labels)  # how many it takes is known with the images
        self.image_shape = image_shape
        self.num_classes = num_classes
        self.flip = flip
        self.n_labels = n_labels
        self.bits = bits

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the pixels, uint8 or uint16."""
        return dtype_of(self.bits)

    def make_loader(self, source: ImageSource, order: EpochOrder, training: bool, pin_memory: bool) -> EpochLoader:
        # In training: whole batches only, mirrored images.
        arguments = (self.batch_size, training, training and self.flip, pin_memory)
        if self.n_labels is None or not training:
            return BatchLoader(source, order, *arguments)
        assert source.labels is not None
        assert self.num_classes is not None
        # Semi-supervised: only ``n_labels`` of the training images keep their label.
        labelled = choose_labelled(source.labels, self.n_labels, self.num_classes, self.seed, self.location)
        return PartlyLabelledLoader(source, order, labelled, *arguments)


def check_at_least(minimum: int, **arguments: int) -> None:
    """Raise a ValueError that names the first argument that is no whole number or is below ``minimum``."""
    for name, value in arguments.items():
        if isinstance(value, bool) or not isinstance(value, Integral):
            raise ValueError(f"{name} is {value!r}: it must be a whole number, at least {minimum}.")
        if value < minimum:
            raise ValueError(f"{name} is {value}: it must be at least {minimum}.")


def shape_of(channels: int, image_size: Size) -> tuple[int, int, int]:
    """(channels, height, width) of images of a size, which is one number if they are square."""
    return (channels, *sides(image_size))


def check_channels(photographs: bool = False, **arguments: int) -> None:
    """Raise a ValueError that names the first argument that is no number of channels.

    Args:
        photographs: They have no other than 1 and 3.
        arguments: Numbers of channels, by argument name.
    """
    for name, value in arguments.items():
        is_whole = isinstance(value, Integral) and not isinstance(value, bool)
        if photographs and not (is_whole and value in (1, 3)):
            raise ValueError(f"{name} is {value}: it must be 1 (grey) or 3 (RGB).")
        if not is_whole or value < 1:
            raise ValueError(
                f"{name} is {value}: it must be 1 (grey), 2 (grey and opacity), 3 (RGB), 4 (RGB and opacity), or as "
                "many as the arrays have."
            )


def held_out(size: int, location: str, examples: str = "images", /, **counts: int) -> list[torch.Tensor]:
    """Split the indices of ``size`` examples at random, the same way every time.

    Args:
        size: Number of examples.
        location: Where they are, for the message.
        examples: What they are, for the message.
        counts: Numbers of images to hold out, by argument name.

    Returns:
        The rest, then one tensor for each count; each sorted, int64.

    Raises:
        ValueError: A count is negative, or together they leave no example.
    """
    check_at_least(0, **counts)
    # ``>=``: at least one example must be left to train on.
    if sum(counts.values()) >= size:
        asked = " and ".join(f"{name} {count}" for name, count in counts.items())
        raise ValueError(f"{asked} would leave nothing to train on: {location} has {size} {examples} to split.")
    # A random split, the same in every run and in every process.
    order = torch.from_numpy(np.random.default_rng(_SPLIT_SEED).permutation(size))
    parts = order.split([size - sum(counts.values()), *counts.values()])
    # Sorted: neighbours on the disk are read one after the other.
    return [part.sort().values for part in parts]
