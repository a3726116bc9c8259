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
        image_size: Height and width; None: 32, as they are; others are resized (bicubic).
    """

    dataset = "CIFAR10"
    folder = "cifar-10-batches-py"
    channels = 3
    side = 32
    class_names = _CLASSES

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
        super().__init__(data_dir, batch_size, image_size, val_size, flip, seed, n_labels)

    def to_images(self, data: Any) -> Tensor:
        # N x 32 x 32 x 3 to N x 3 x 32 x 32
        return resize(torch.from_numpy(data).permute(0, 3, 1, 2), self.image_shape[1])
