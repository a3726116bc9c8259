"""CIFAR-10."""

from typing import Any

import torch
from torch import Tensor

from datamodules.components.tensors import resize
from datamodules.components.torchvision_base import TorchvisionDataModule

_CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


class CIFAR10DataModule(TorchvisionDataModule):
    """The 60,000 photographs of CIFAR-10, 32 x 32, RGB: 50,000 to train on and 10,000 to test on, ten classes.

    Args:
        data_dir: Folder that holds ``cifar-10-batches-py``; the files are downloaded into it where they are missing.
        batch_size: Images in a batch, in each process.
        image_size: Height and width; None: 32, as they are; others are resized (bicubic).
        val_size: Images held out of the training images for validation; 0: validation uses the test images.
        flip: Mirror training images horizontally with probability one half.
        seed: The order of the training images is a function of this seed and the epoch.
        n_labels: Train with the labels of so many images only, equally many of each class, chosen by the seed, for
            semi-supervised games. None: all labels.

    Raises:
        ValueError: An argument is out of its range.
    """

    dataset = "CIFAR10"
    folder = "cifar-10-batches-py"

    def __init__(
        self,
        data_dir: str = "data",
        batch_size: int = 64,
        image_size: int | None = None,
        val_size: int = 5000,
        flip: bool = True,
        seed: int = 0,
        n_labels: int | None = None,
    ) -> None:
        size = 32 if image_size is None else image_size
        super().__init__(data_dir, (3, size, size), batch_size, val_size, flip, seed, n_labels)
        self.class_names = _CLASSES

    def to_images(self, data: Any) -> Tensor:
        # N x 32 x 32 x 3 to N x 3 x 32 x 32
        return resize(torch.from_numpy(data).permute(0, 3, 1, 2), self.image_shape[1])
