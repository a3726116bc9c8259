"""MNIST."""

from typing import Any

from torch import Tensor

from datamodules.components.tensors import pad_to, resize
from datamodules.components.torchvision_base import TorchvisionDataModule

_GARMENTS = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]


class MNISTDataModule(TorchvisionDataModule):
    """The 70,000 handwritten digits, grey: 60,000 to train on and 10,000 to test on, ten classes.

    Many networks need sides of a power of two: a border of two zero pixels makes 28 x 28 images 32 x 32, without blur.
    Never flipped: a mirrored digit is no digit.

    Args:
        data_dir: Folder that holds ``MNIST/raw``; the files are downloaded into it where they are missing.
        batch_size: Images in a batch, in each process.
        image_size: Height and width. 32: zero-padded; 28 or None: as they are; others: padded to 32, then resized.
        val_size: Images held out of the training images for validation; 0: validation uses the test images.
        seed: The order of the training images is a function of this seed and the epoch.
        n_labels: Train with the labels of so many images only, equally many of each class, chosen by the seed, for
            semi-supervised games. None: all labels.

    Raises:
        ValueError: An argument is out of its range.
    """

    dataset = "MNIST"
    folder = "MNIST/raw"

    def __init__(
        self,
        data_dir: str = "data",
        batch_size: int = 64,
        image_size: int | None = 32,
        val_size: int = 5000,
        seed: int = 0,
        n_labels: int | None = None,
    ) -> None:
        super().__init__(data_dir, _shape(image_size), batch_size, val_size, flip=False, seed=seed, n_labels=n_labels)

    def to_images(self, data: Any) -> Tensor:
        return _fit(data, self.image_shape[1])


class FashionMNISTDataModule(TorchvisionDataModule):
    """The 70,000 garments of Fashion-MNIST, grey: 60,000 to train on and 10,000 to test on, ten classes.

    Many networks need sides of a power of two: a border of two zero pixels makes 28 x 28 images 32 x 32, without blur.

    Args:
        data_dir: Folder that holds ``FashionMNIST/raw``; the files are downloaded into it where they are missing.
        batch_size: Images in a batch, in each process.
        image_size: Height and width. 32: zero-padded; 28 or None: as they are; others: padded to 32, then resized.
        val_size: Images held out of the training images for validation; 0: validation uses the test images.
        flip: Mirror training images horizontally with probability one half. Off: all shoes point to the left.
        seed: The order of the training images is a function of this seed and the epoch.
        n_labels: Train with the labels of so many images only, equally many of each class, chosen by the seed, for
            semi-supervised games. None: all labels.

    Raises:
        ValueError: An argument is out of its range.
    """

    dataset = "FashionMNIST"
    folder = "FashionMNIST/raw"

    def __init__(
        self,
        data_dir: str = "data",
        batch_size: int = 64,
        image_size: int | None = 32,
        val_size: int = 5000,
        flip: bool = False,
        seed: int = 0,
        n_labels: int | None = None,
    ) -> None:
        super().__init__(data_dir, _shape(image_size), batch_size, val_size, flip, seed, n_labels)
        self.class_names = _GARMENTS

    def to_images(self, data: Any) -> Tensor:
        return _fit(data, self.image_shape[1])


def _shape(image_size: int | None) -> tuple[int, int, int]:
    size = 28 if image_size is None else image_size
    return (1, size, size)


def _fit(data: Tensor, size: int) -> Tensor:
    # N x 28 x 28 to N x 1 x 28 x 28
    images = data[:, None]
    return images if size == 28 else resize(pad_to(images, 32), size)
