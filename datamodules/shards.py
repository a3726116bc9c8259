"""Images in shards: more than fit into memory, or onto one machine."""

from pathlib import Path

import numpy as np
import torch

from datamodules.base import Splits, check_at_least
from datamodules.components.file_base import FileDataModule
from datamodules.components.loading import EpochOrder, ImageSource, TensorImages
from datamodules.components.shards.format import is_remote, read_index
from datamodules.components.shards.order import ShardOrder
from datamodules.components.shards.reading import ShardCache, ShardImages


class ShardsDataModule(FileDataModule):
    """Stream a set of shards: more images than fit into memory or onto one machine.

    ``gan-lightning shards`` writes the set: files of 16 MiB with pixels at training size, so nothing is decoded
    and the pixels equal those of ``ImageFolderDataModule``. The set lies in a folder or at an address that litdata can
    copy from (``s3://bucket/faces``, ``gs://bucket/faces``); copies stay in ``cache_dir`` up to ``cache_gb``.

    Batches are uint8 or, of a set of 16 bits, uint16, N x C x H x W, with int64 labels (N,) if the folder had classes.
    In training the shards are shuffled and divided among the processes, and the images are shuffled in windows of
    ``shuffle_buffer``. The order is a function of seed, epoch and number of processes: no image is shared, all
    processes have equally many batches, and a run resumes at any batch in the same bits with any number of workers.
    Images beyond the last full step are left out, others in each epoch. Validation and test keep the order of the
    folder. A damaged image (checksum) stops the run and names its shard.

    Args:
        folder: The set, or its address.
        batch_size: Images in a batch, in each process.
        shuffle_buffer: Images of which each process keeps the pixels in memory, and among which it shuffles.
        flip: Mirror training images horizontally with probability one half.
        cache_dir: Folder that keeps the shards which were copied from an address; None: copied again in every epoch.
        cache_gb: As much is kept there, in gigabytes; shards beyond that are copied again in every epoch.
        num_workers: Processes that read shards; 0: none but the training process; None: one for each CPU, at most 8,
            where ``folder`` is an address, and none where it is a folder, whose pixels need no decoding.
        seed: The order of the training images is a function of this seed and the epoch.

    Raises:
        FileNotFoundError: There is no complete set of shards in ``folder``.
        ModuleNotFoundError: The package litdata is not installed, and ``folder`` is an address.
        ValueError: An argument is out of its range, or the set's index is damaged.
    """

    def __init__(
        self,
        folder: str,
        batch_size: int = 64,
        shuffle_buffer: int = 4096,
        flip: bool = True,
        cache_dir: str | None = None,
        cache_gb: float = 50,
        num_workers: int | None = None,
        seed: int = 0,
    ) -> None:
        check_at_least(1, shuffle_buffer=shuffle_buffer)
        self.folder = folder if is_remote(folder) else str(Path(folder).expanduser())
        # In the constructor, since the model asks for image_shape before any image is read.
        self.index = read_index(self.folder)
        index = self.index
        super().__init__(index.image_shape, index.num_classes, batch_size, flip, num_workers, seed, index.bits)
        self.class_names = self.index.class_names
        self.shuffle_buffer = shuffle_buffer
        if cache_gb < 0:
            raise ValueError(f"cache_gb is {cache_gb}: it must be at least 0.")
        self.cache = None
        if cache_dir is not None:
            folder_of_set = Path(cache_dir).expanduser() / f"{self.index.checksum:08x}"
            self.cache = ShardCache(folder_of_set, int(cache_gb * 1e9))

    @property
    def location(self) -> str:
        return self.folder

    def workers(self) -> int:
        return super().workers() if self.num_workers is not None or is_remote(self.folder) else 0

    def load_splits(self) -> Splits:
        return Splits(*[self._images(split) for split in ("train", "val", "test")])

    def make_order(self, source: ImageSource, shuffle: bool, rank: int, world_size: int) -> EpochOrder:
        # Without shuffling the images come in the order of the files, shard after shard, anyway.
        if not shuffle:
            return super().make_order(source, shuffle, rank, world_size)
        return ShardOrder(len(source), self.index.shard_size, self.shuffle_buffer, self.seed, rank, world_size)

    def _images(self, split: str) -> ImageSource:
        if split not in self.index.images:
            return TensorImages(torch.from_numpy(np.empty((0, *self.image_shape), self.dtype)), None)
        return ShardImages(self.folder, split, self.index, self.shuffle_buffer, self.workers(), self.cache)
