"""scikit-learn's handwritten digits: real images, without a download."""

import functools

import torch
from torch import Tensor

from datamodules.base import ImageDataModule, Splits, held_out
from datamodules.components.loading import Subset, TensorImages
from datamodules.components.tensors import resize


class DigitsDataModule(ImageDataModule):
    """The 1,797 handwritten digits, 8 x 8 and grey, that scikit-learn ships: ten classes, no download.

    Their grey values 0 ... 16 are stretched to 0 ... 255. Never flipped: a mirrored digit is no digit.

    Args:
        batch_size: Images in a batch, in each process.
        image_size: Height and width; None: 8, as they are; others are resized (bicubic).
        val_size: Images held out for validation; 0: validation uses the test images.
        test_size: Images held out for testing; 0: testing uses the validation images.
        seed: The order of the training images is a function of this seed and the epoch.
        n_labels: Train with the labels of so many images only, equally many of each class, chosen by the seed, for
            semi-supervised games. None: all labels.

    Raises:
        ValueError: An argument is out of its range.
    """

    def __init__(
        self,
        batch_size: int = 64,
        image_size: int | None = None,
        val_size: int = 100,
        test_size: int = 100,
        seed: int = 0,
        n_labels: int | None = None,
    ) -> None:
        size = 8 if image_size is None else image_size
        super().__init__((1, size, size), 10, batch_size, flip=False, seed=seed, n_labels=n_labels)
        self._parts = held_out(1797, self.location, val_size=val_size, test_size=test_size)

    @property
    def location(self) -> str:
        return "scikit-learn's digits"

    def load_splits(self) -> Splits:
        images, labels = _digits()
        source = TensorImages(resize(images, self.image_shape[1]), labels)
        return Splits(*(Subset(source, part) for part in self._parts))


@functools.cache  # scikit-learn reads a text file, for as long as the rest of a short run's setup takes
def _digits() -> tuple[Tensor, Tensor]:
    """The images, N x 1 x 8 x 8, uint8, and their classes, N."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    # N x 8 x 8 in 0 ... 16 to N x 1 x 8 x 8 in 0 ... 255
    images = torch.from_numpy(digits.images * (255 / 16)).round().to(torch.uint8)[:, None]
    return images, torch.from_numpy(digits.target).long()
