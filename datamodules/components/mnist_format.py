"""Base of the data modules of grey 28 x 28 images in MNIST's format."""

from typing import Any

from torch import Tensor

from datamodules.components.tensors import pad_to, resize
from datamodules.components.torchvision_base import TorchvisionDataModule


class MNISTLikeDataModule(TorchvisionDataModule):
    """Base of data sets of 70,000 grey 28 x 28 images in MNIST's format, 60,000 of them to train on, in ten classes.

    Args:
        data_dir: Folder that holds ``MNIST/raw``; the files are downloaded into it where they are missing.
        image_size: Height and width. 32: zero-padded; 28 or None: as they are; others: padded to 32, then resized.
    """

    channels = 1
    side = 28

    def to_images(self, data: Any) -> Tensor:
        images, size = data[:, None], self.image_shape[1]  # N x 28 x 28 to N x 1 x 28 x 28
        # Padded before it is resized: from 32 to 64 is a whole factor.
        return images if size == 28 else resize(pad_to(images, 32), size)
