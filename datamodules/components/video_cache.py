"""Decoded frames of a video in one file, read at random by mapping it, and how much they move."""

import math
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from lightning_utilities.core.rank_zero import rank_zero_only
from numpy.typing import NDArray
from tqdm import tqdm

from datamodules.components.atomic_write import replacing
from datamodules.components.blocks import end_of, exclusive_lock, read_end
from datamodules.components.cache import default_folder
from datamodules.components.raster import Pixels
from datamodules.components.video import FrameReader, Video, VideoError

BLOCK = 8
"""Side of the squares, in pixels, of which motion is measured."""
_LAYOUT = 1
_HALF = np.dtype(np.float16)


@dataclass(frozen=True)
class CachedVideo:
    """Frames in a cache file, with the motion between neighbours.

    The file is mapped anew for every clip. What was mapped before is the system's to keep or to forget, so the memory
    of a process does not grow with what it has read.

    Attributes:
        file: The cache.
        shape: T x H x W x C.
        unevenness: As in ``FrameReader``.
    """

    file: Path
    shape: tuple[int, int, int, int]
    unevenness: str

    def clip(self, frames: slice, top: int = 0, left: int = 0, size: tuple[int, int] | None = None) -> Pixels:
        """A copy of some frames, cut to a size: uint8, T x C x h x w, contiguous."""
        height, width = size or self.shape[1:3]
        mapped = np.memmap(self.file, np.uint8, "r", 0, self.shape)
        cut = mapped[frames, top : top + height, left : left + width]
        return np.ascontiguousarray(cut.transpose(0, 3, 1, 2))

    def motion(self, frames: slice) -> NDArray[np.float32]:
        """Mean squared difference of neighbouring frames in each square, over time: float32, H / 8 x W / 8.

        Args:
            frames: The first and the last of them; at least two.
        """
        t, height, width, _ = self.shape
        shape = (t - 1, height // BLOCK, width // BLOCK)
        mapped = np.memmap(self.file, _HALF, "r", math.prod(self.shape), shape)
        return mapped[frames.start : frames.stop - 1].mean(axis=0, dtype=np.float32)


def cached_video(
    video: Video, channels: int, size: int | tuple[int, int] | None, folder: str | Path | None = None
) -> CachedVideo:
    """The frames of a video, decoded now or by an earlier run.

    Args:
        video: Which one.
        channels: As in ``FrameReader``.
        size: As in ``FrameReader``.
        folder: Of the cache; None: ``gan_lightning/videos`` in the user's folder for caches.

    Raises:
        VideoError: The video cannot be read.
        OSError: The cache cannot be written.
    """
    home = default_folder().with_name("videos") if folder is None else Path(folder).expanduser()
    # The settings are in the name, so that two of them do not overwrite each other's file in turn.
    maker = f"{video.path.resolve()} {channels} {size}".encode(errors="surrogateescape")
    file = home / f"{video.path.stem}-{blake2b(maker, digest_size=6).hexdigest()}.frames"
    key = _key(video)
    found = _load(file, key)
    if found is not None:
        return found
    home.mkdir(parents=True, exist_ok=True)
    # One process decodes, the others wait for its file.
    with exclusive_lock(file):
        found = _load(file, key)
        if found is None:
            _build(file, key, FrameReader(video, channels, size))
            found = _load(file, key)
    assert found is not None
    return found


def _key(video: Video) -> str:
    """Key of the content that needs no reading: names, sizes and times of the files."""
    hasher = blake2b(f"{_LAYOUT}".encode(), digest_size=16)
    for file in video.files:
        try:
            state = file.stat()
        except OSError as error:
            raise VideoError(error.strerror or str(error)) from error
        hasher.update(f"\0{file.name}\0{state.st_size} {state.st_mtime_ns}".encode(errors="surrogateescape"))
    return hasher.hexdigest()


def _load(file: Path, key: str) -> CachedVideo | None:
    """A cache file; None if it is missing, damaged or of another key."""
    if not file.is_file():
        return None
    try:
        _, description = read_end(file)
        if description["key"] != key:
            return None
        t, height, width, channels = description["frames"]
        return CachedVideo(file, (t, height, width, channels), description["unevenness"])
    except (OSError, ValueError, KeyError):
        return None


def _build(file: Path, key: str, reader: FrameReader) -> None:
    """Decode a video into a file: its frames, then the motion between neighbours, then what it is."""
    before: NDArray[np.float32] | None = None
    count, shape = 0, (0, 0, 0)
    # The motion in a file of its own until the number of frames is known: an hour's does not fit into memory.
    with replacing(file) as target, tempfile.TemporaryFile(dir=file.parent) as spool:
        # One bar, of the first process; None: no bar where the output is not a terminal.
        silent = True if getattr(rank_zero_only, "rank", 0) else None
        with tqdm(desc=f"Decoding {reader.video.path.name}", unit=" frames", disable=silent) as bar:
            for frame in map(np.ascontiguousarray, reader):  # turned ones and resized images are views
                if count == 0:
                    shape = frame.shape
                    bar.total = reader.expected or None
                    _check_room(file.parent, reader.expected * frame.nbytes)
                target.write(frame.data)
                now = frame.astype(np.float32)
                if before is not None:
                    spool.write(_squared_difference(before, now).data)
                before = now
                count += 1
                bar.update()
        spool.seek(0)
        shutil.copyfileobj(spool, target)
        size = count * math.prod(shape) + spool.tell()
        description = {"key": key, "shape": [size], "frames": [count, *shape], "unevenness": reader.unevenness}
        target.write(end_of(np.zeros(0, np.uint32), description))


def _check_room(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if size > free:
        raise OSError(f"it takes {size / 2**30:.1f} GiB, and {free / 2**30:.1f} are free")


def _squared_difference(before: NDArray[np.float32], now: NDArray[np.float32]) -> NDArray[np.float16]:
    """Mean squared difference in each square that is wholly inside, float16, H / 8 x W / 8."""
    height, width = (side // BLOCK * BLOCK for side in now.shape[:2])
    squares = np.square(now[:height, :width] - before[:height, :width]).mean(axis=2)
    blocks = squares.reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK).mean(axis=(1, 3))
    return np.minimum(blocks, np.finfo(_HALF).max).astype(_HALF)


def window_means(values: NDArray[np.float32], size: Sequence[int]) -> NDArray[Any]:
    """Means of all windows of a size, (H - h + 1) x (W - w + 1), float64."""
    high, wide = size
    sums = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
    values.cumsum(axis=0, dtype=np.float64).cumsum(axis=1, out=sums[1:, 1:])
    total = sums[high:, wide:] - sums[:-high, wide:] - sums[high:, :-wide] + sums[:-high, :-wide]
    return total / (high * wide)
