"""Base of the data modules that torchvision downloads and reads."""

from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import torch
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor
from torchvision import datasets

from datamodules.base import ImageDataModule, Splits, check_at_least, held_out
from datamodules.components.loading import Subset, TensorImages


class TorchvisionDataModule(ImageDataModule):
    """A dataset of torchvision's in ten classes, held in memory; a subclass names it and turns its array into images.

    Args:
        data_dir: The folder that torchvision calls ``root``; the files are downloaded into it where they are missing.
        batch_size: Images in a batch, in each process.
        image_size: Height and width. None: as they are.
        val_size: Images held out of the training images for validation; 0: validation uses the test images.
        flip: Mirror training images horizontally with probability one half.
        seed: The order of the training images is a function of this seed and the epoch.
        n_labels: Train with the labels of so many images only, equally many of each class, chosen by the seed, for
            semi-supervised games. None: all labels.

    Raises:
        ValueError: An argument is out of its range.
    """

    dataset: ClassVar[str]  # the class in torchvision.datasets
    folder: ClassVar[str]  # where that class looks under data_dir
    channels: ClassVar[int]
    side: ClassVar[int]  # height and width of the images in the files

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
        size = self.side if image_size is None else image_size
        super().__init__((self.channels, size, size), 10, batch_size, flip, seed, n_labels)
        check_at_least(0, val_size=val_size)
        self.data_dir = data_dir
        self.val_size = val_size

    @property
    def location(self) -> str:
        return f"{self.dataset} under {self.data_dir}"

    @abstractmethod
    def to_images(self, data: Any) -> Tensor:
        """torchvision's array as uint8 images, N x C x H x W, of ``image_shape``."""

    def prepare_data(self) -> None:
        """Download the files where they are missing; where they are present no network is touched.

        Raises:
            FileNotFoundError: They are missing and cannot be downloaded.
            ValueError: They are damaged.
        """
        try:
            # Both splits are in the same files.
            self._open(train=False)
        except FileNotFoundError as missing:
            rank_zero_info(f"Downloading {self.dataset} to {self._home}.")
            try:
                getattr(datasets, self.dataset)(self.data_dir, download=True)
            except Exception as error:  # torchvision raises whatever the network, the archive or the disk does
                raise FileNotFoundError(f"{missing} Downloading them failed: {error}") from error

    def load_splits(self) -> Splits:
        images = self._read(train=True)
        train, val = held_out(len(images), self.location, val_size=self.val_size)
        return Splits(Subset(images, train), Subset(images, val), self._read(train=False))

    @property
    def _home(self) -> Path:
        return Path(self.data_dir) / self.folder

    def _open(self, train: bool) -> Any:
        try:
            # By name and when it is needed: torchvision's classes look for their files as soon as they are made.
            return getattr(datasets, self.dataset)(self.data_dir, train=train)
        except Exception as error:  # a damaged file breaks torchvision's parsers in any of many ways
            if "Dataset not found" in str(error):  # torchvision's words; CIFAR-10's go on "or corrupted"
                raise FileNotFoundError(
                    f"The files of {self.dataset} are not complete in {self._home}: put torchvision's files there, "
                    "set data_dir to a folder that has them, or run once where there is a network."
                ) from error
            raise ValueError(
                f"The files of {self.dataset} in {self._home} are damaged ({error}): delete that folder, and they "
                "are downloaded again."
            ) from error

    def _read(self, train: bool) -> TensorImages:
        split = self._open(train)
        return TensorImages(self.to_images(split.data), torch.as_tensor(split.targets, dtype=torch.int64))
