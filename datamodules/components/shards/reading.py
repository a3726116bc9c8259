"""Reading of shards in long sequential runs."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing.util import Finalize
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from datamodules.components.files import in_workers, reason
from datamodules.components.raster import Pixels, dtype_of
from datamodules.components.shards.format import (
    CHECKSUM_BYTES,
    LIST,
    ShardIndex,
    checksum_of,
    copy,
    import_litdata,
    is_remote,
    read_labels,
    read_list,
    shard_name,
)

if TYPE_CHECKING:
    from litdata import StreamingDataset


class ShardImages(Dataset[Tensor]):
    """The images of a split, read from its shards by worker processes.

    Reads ``buffer`` images at a time, sorted by position, whatever the order. An order that stays within few shards for
    so long, as ``ShardOrder`` does, opens each shard about once.

    Args:
        folder: The set, or its address.
        split: The name of the split.
        index: Of the set.
        buffer: Images in memory.
        num_workers: Worker processes; 0: read in this one.
        cache: Where the shards of a remote set are kept; None: nowhere.

    Raises:
        ModuleNotFoundError: The package litdata is not installed.
        ValueError: Shards or labels are missing or cut short.
    """

    def __init__(
        self,
        folder: str,
        split: str,
        index: ShardIndex,
        buffer: int,
        num_workers: int,
        cache: "ShardCache | None" = None,
    ) -> None:
        # Now, so that a missing package shows when the set is opened and not in a worker.
        import_litdata()
        self.index = index
        self.buffer = buffer
        self.num_workers = num_workers
        self._size = index.images[split]
        self._place = f"{folder}/{split}"
        content, sizes = read_list(folder, split, self._size)
        self._shards = (
            _RemoteShards(self._place, content, cache) if is_remote(folder) else _LocalShards(self._place, sizes)
        )
        self.labels = None if index.num_classes is None else read_labels(folder, split, self._size)

    def __len__(self) -> int:
        return self._size

    def __getitems__(self, indices: Sequence[int]) -> Tensor:
        """Images of one shard, sorted by position, n x C x H x W: the unit of work of a worker."""
        shape = (len(indices), *self.index.image_shape)
        images = np.empty(shape, self.index.dtype).reshape(len(indices), -1)
        for row, i in enumerate(indices):
            images[row] = self._pixels(int(i))
        return torch.from_numpy(images.reshape(shape).astype(dtype_of(self.index.bits), copy=False))

    def image_batches(self, batches: Sequence[Tensor]) -> Iterator[Tensor]:
        if not batches:
            return
        windows = self._windows(torch.cat(list(batches)).numpy())
        # Cut the windows of ``buffer`` images into the batches that were asked for.
        window, start = next(windows), 0
        for batch in batches:
            parts = [window[start : start + len(batch)]]
            start += len(batch)
            while start > len(window):
                start -= len(window)
                window = next(windows)
                parts.append(window[:start])
            yield torch.from_numpy(np.concatenate(parts))

    def _windows(self, indices: NDArray[np.int64]) -> Iterator[Pixels]:
        """The images in the order of the indices, ``buffer`` at a time."""
        wanted = [indices[start : start + self.buffer] for start in range(0, len(indices), self.buffer)]
        runs = in_workers(self, [run for window in wanted for run in self._runs(window)], self.num_workers)
        for window in wanted:
            images = np.empty((len(window), *self.index.image_shape), dtype_of(self.index.bits))
            # Runs come sorted by position in the shards; put each image at its place in the order.
            places, done = window.argsort(), 0
            while done < len(window):
                run = next(runs)
                images[places[done : done + len(run)]] = run.numpy()
                done += len(run)
            yield images

    def _runs(self, window: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """The indices sorted, and cut between the shards."""
        # One run of indices for each shard
        window = np.sort(window)
        return np.split(window, np.flatnonzero(np.diff(window // self.index.shard_size)) + 1)

    def _pixels(self, i: int) -> Pixels:
        shard, place = divmod(i, self.index.shard_size)
        name = shard_name(shard)
        try:
            item = self._shards.opened(name)[i]
            pixels, checksum = item[:-CHECKSUM_BYTES], item[-CHECKSUM_BYTES:]
            if len(pixels) != self.index.image_bytes or checksum_of(pixels) != checksum:
                raise ValueError("its checksum is wrong")
        except Exception as error:  # of a storage service, too
            raise RuntimeError(
                f"ShardsDataModule: image {place} of {self._place}/{name} cannot be read ({reason(error)}): copy that "
                "file again, or write the set again."
            ) from error
        return np.frombuffer(pixels, self.index.dtype)


class _LocalShards:
    """The shards of a split in a folder, opened by each process for itself.

    Args:
        place: The folder of the split.
        sizes: Of its shards in bytes, by their names.

    Raises:
        ValueError: Shards are missing or cut short: a set copied in part is refused when it is opened.
    """

    def __init__(self, place: str, sizes: Mapping[str, int]) -> None:
        self.place = place
        self._reader: StreamingDataset | None = None
        for name, size in sizes.items():
            file = Path(place, name)
            there = file.stat().st_size if file.is_file() else None
            if there != size:
                what = "is missing" if there is None else f"has {there:,} of {size:,} bytes"
                raise ValueError(f"ShardsDataModule: the shard {file} {what}: copy that file again.")

    def __getstate__(self) -> dict[str, Any]:
        # An open reader does not survive the way into a worker; each opens its own.
        return {**self.__dict__, "_reader": None}

    def opened(self, name: str) -> "StreamingDataset":
        """The split, to read images of a shard from."""
        if self._reader is None:
            self._reader = import_litdata().StreamingDataset(self.place)
        return self._reader


class ShardCache:
    """Folder of copied shards: filled once, nothing is evicted.

    If not all shards fit, keeping the first is optimal: each is used once an epoch, so the most recent is needed last.
    No process deletes a file that another one reads.

    Args:
        folder: Of this set.
        size: Bytes.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        self.size = size

    def has_room(self) -> bool:
        return sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file()) < self.size


class _RemoteShards:
    """The shards of a split at an address: each process copies those that it reads, and has one of them at a time.

    litdata's own cache, which all processes of a machine share, deletes shards that another process reads (seen with
    two workers and a cache smaller than the set), unless litdata itself assigns the shards.

    Args:
        place: The address of the split.
        content: Of litdata's list, which has been checked.
        cache: Where to look first, and where to keep what fits.
    """

    def __init__(self, place: str, content: bytes, cache: ShardCache | None) -> None:
        self.place = place
        self.content = content
        self.cache = cache
        self._here = Path()
        self._reader: StreamingDataset | None = None
        self._shard: Path | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_reader": None, "_shard": None}

    def opened(self, name: str) -> "StreamingDataset":
        """The split, to read images of a shard from, which is copied here first."""
        if self._reader is None:
            self._here = Path(mkdtemp(prefix="shards-"))
            Finalize(None, shutil.rmtree, (self._here, True), exitpriority=0)  # at the end of workers as well
            (self._here / LIST).write_bytes(self.content)  # not another one that lies there by now
            self._reader = import_litdata().StreamingDataset(str(self._here))
        here = self._here / name
        if self._shard != here:
            # One shard at a time: a worker's disk space stays that of one file.
            if self._shard is not None:
                self._shard.unlink()
                self._shard = None
            self._bring(name, here)
            self._shard = here
        return self._reader

    def _bring(self, name: str, here: Path) -> None:
        if self.cache is None:
            copy(self.place, name, here)
            return
        # Copy into the cache while there is room, else into a temporary file.
        kept = self.cache.folder / self.place.rpartition("/")[2] / name
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            # Full: what is there stays, see ShardCache.
            if not self.cache.has_room():
                copy(self.place, name, here)
                return
            copy(self.place, name, kept)
        here.symlink_to(kept.absolute())
