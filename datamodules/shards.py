"""Images in shards: more than fit into memory, or onto one machine."""

from pathlib import Path

import torch

from datamodules.base import Splits, check_at_least
from datamodules.components.file_base import FileDataModule
from datamodules.components.loading import EpochOrder, ImageSource, TensorImages
from datamodules.components.shards.format import is_remote, read_index
from datamodules.components.shards.order import ShardOrder
from datamodules.components.shards.reading import ShardCache, ShardImages


class ShardsDataModule(FileDataModule):
    """A set of shards, streamed: more images than fit into memory, or onto one machine.

    `gan-lightning shards` writes it from a folder of images: files of 16 MiB full of uint8 pixels in the size of
    training, so that nothing is decoded any more and the bits are those that `ImageFolderDataModule` yields. They lie
    in a folder, a network's too, or where the package litdata copies them from as they are needed, such as
    `s3://bucket/faces` or `gs://bucket/faces`; copies stay in `cache_dir` until it holds `cache_gb`.

    The batches are uint8, N x C x H x W, with int64 labels, N, where the folder had classes. Training: the shards are
    shuffled, every process reads its own, one after the other, and shuffles the images of about `shuffle_buffer` at a
    time (the set was shuffled when it was written, too). The order is a function of the seed, the epoch and the number
    of processes: all have the same number of batches and no image in common, and a run resumes at any batch in the same
    bits, with any number of workers. Fewer images than one step of all processes takes are left out at the end of an
    epoch, others in each. Validation and test images come in the order of the folder.

    Every image carries a checksum: one that is damaged stops the run, with the name of its shard.

    Args:
        folder: the set, or its address.
        batch_size: images in a batch, in each process.
        shuffle_buffer: images of which each process keeps the pixels in memory, and among which it shuffles.
        flip: mirror training images horizontally with probability one half.
        cache_dir: folder that keeps the shards which were copied from an address; None: every epoch copies all anew.
        cache_gb: as much is kept there, in gigabytes; shards that find no room are copied anew in every epoch.
        num_workers: processes that read shards; 0: none but the training process; None: one for each CPU, at most 8,
            where `folder` is an address, and none where it is a folder, whose pixels need no decoding.
        seed: the order of the training images is a function of this seed and the epoch.

    Raises:
        FileNotFoundError: there is no complete set of shards in `folder`.
        ModuleNotFoundError: the package litdata is not installed, and `folder` is an address.
        ValueError: an argument is out of its range, or the set's index is damaged.
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
        self.index = read_index(self.folder)
        super().__init__(self.index.image_shape, self.index.num_classes, batch_size, flip, num_workers, seed)
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
        if not shuffle:
            return super().make_order(source, shuffle, rank, world_size)
        return ShardOrder(len(source), self.index.shard_size, self.shuffle_buffer, self.seed, rank, world_size)

    def _images(self, split: str) -> ImageSource:
        if split not in self.index.images:
            return TensorImages(torch.empty((0, *self.image_shape), dtype=torch.uint8), None)
        return ShardImages(self.folder, split, self.index, self.shuffle_buffer, self.workers(), self.cache)
