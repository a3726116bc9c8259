"""Base of the data modules of grey 28 x 28 images in MNIST's format."""

from typing import Any

from torch import Tensor

from datamodules.components.tensors import pad_to, resize
from datamodules.components.torchvision_base import TorchvisionDataModule


class MNISTLikeDataModule(TorchvisionDataModule):
    """Base of data sets of 70,000 grey 28 x 28 images in MNIST's format, 60,000 of them to train on, in ten classes.

    Args:
        data_dir: Folder that holds ``MNIST/raw``; the files are downloaded into it where they are missing.
        batch_size: Images in a batch, in each process.
        image_size: Height and width. 32: zero-padded; 28 or None: as they are; others: padded to 32, then resized.
        val_size: Images held out of the training images for validation; 0: validation uses the test images.
        flip: Mirror training images horizontally with probability one half.
        seed: The order of the training images is a function of this seed and the epoch.
        n_labels: Train with the labels of so many images only, equally many of each class, chosen by the seed, for
            semi-supervised games. None: all labels.

    Raises:
        ValueError: An argument is out of its range.
    """

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
        size = 28 if image_size is None else image_size
        super().__init__(data_dir, (1, size, size), batch_size, val_size, flip, seed, n_labels)

    def to_images(self, data: Any) -> Tensor:
        images, size = data[:, None], self.image_shape[1]  # N x 28 x 28 to N x 1 x 28 x 28
        return images if size == 28 else resize(pad_to(images, 32), size)
