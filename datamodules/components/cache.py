"""Cache of decoded images in one memory-mapped file, safe against kills, concurrent runs and changed files."""

import errno
import math
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.components.atomic_write import replacing
from datamodules.components.blocks import end_of, exclusive_lock, read_end
from datamodules.components.files import find_broken
from datamodules.components.first_process import rank_zero_warn
from datamodules.components.listing import Listing
from datamodules.components.raster import Pixels

_BYTES = np.dtype(np.uint8)


def default_folder() -> Path:
    """``gan_lightning/images`` in the user's folder for caches."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gan_lightning" / "images"


@dataclass(frozen=True)
class Cached:
    """Content of a cache file.

    Attributes:
        file: The cache.
        key: What it was made from.
        pixels: Uint8 or uint16, N x C x H x W, mapped.
        sums: CRC-32 of each image, (N,).
        broken: The reason why an image has no pixels, by index.
    """

    file: Path
    key: str
    pixels: Pixels
    sums: NDArray[np.uint32]
    broken: dict[int, str]


class MappedImages:
    """Memory-mapped images, an ``ImageSource``. The checksum of an image is verified on its first use.

    Args:
        cached: The images.
        labels: As in ``ImageSource``.
        decode: Makes image i from its own file, where the cache is damaged.
        listing: The files, if their sizes and times have not been compared yet: each is, on first use of its image.
    """

    def __init__(
        self,
        cached: Cached,
        labels: Tensor | None,
        decode: Callable[[int], Pixels],
        listing: Listing | None = None,
    ) -> None:
        self.cached = cached
        self.labels = labels
        self._decode = decode
        self._listing = listing
        self._seen = np.zeros(len(cached.pixels), bool)
        self._damaged = False

    def __len__(self) -> int:
        return len(self.cached.pixels)

    def image_batches(self, batches: Sequence[Tensor]) -> Iterator[Tensor]:
        for indices in batches:
            # Fancy indexing copies: the caller owns the batch, n x C x H x W.
            chosen = indices.numpy()
            images = self.cached.pixels[chosen]
            # Each image is verified once a run.
            new = np.flatnonzero(~self._seen[chosen])
            for place in new:
                self._check(images[place], int(chosen[place]))
            if self._listing is not None:
                self._compare(self._listing, chosen[new])
            yield torch.from_numpy(images)

    def _check(self, image: Pixels, i: int) -> None:
        """Verify the checksum of a copied image; decode it again if it is damaged."""
        # On first use, when the bytes are in memory anyway: to verify all at the start would read the whole file.
        if crc32(image.data) == self.cached.sums[i]:
            self._seen[i] = True
            return
        if not self._damaged:
            file, self._damaged = self.cached.file, True
            warnings.warn(
                f"{file} is damaged: its damaged images are decoded again, and the next run rebuilds it.",
                stacklevel=2,
            )
            with suppress(OSError):
                # The mapping stays valid: the system keeps the bytes until it is closed.
                file.unlink()
        # In place: ``image`` is a row of the batch.
        image[:] = self._decode(i)

    def _compare(self, listing: Listing, indices: NDArray[np.int64]) -> None:
        """Warn of a file that was overwritten. The cached image stays in use, so that all epochs see the same one."""
        path = listing.changed(indices)
        if path is None:
            return
        self._listing = None  # once is enough
        if listing.forget():
            warnings.warn(
                f"{path} has changed since {self.cached.file} was made: this run goes on with the images from before "
                "that, the next one rebuilds the cache.",
                stacklevel=2,
            )


class ImageCache:
    """A file of decoded images, N x C x H x W, with a checksum for each.

    Args:
        file: Path of the cache file.
        key: Names what it is made from.
        shape: N x C x H x W.
        decode: Makes image i; whatever it raises marks that image as broken.
        dtype: Of its pixels.
    """

    def __init__(
        self,
        file: Path,
        key: str,
        shape: tuple[int, int, int, int],
        decode: Callable[[int], Pixels],
        dtype: np.dtype[Any] = _BYTES,
    ) -> None:
        self.file = file
        self.key = key
        self.shape = shape
        self.dtype = dtype
        # In bytes; a file of uint8 says no more than N x C x H x W.
        self._bytes = shape if dtype.itemsize == 1 else (*shape, dtype.itemsize)
        self._decode = decode

    def found(self) -> Cached | None:
        """The cached images; None if the file is missing, damaged or of another key."""
        return self._load()[0]

    def get(self) -> Cached | None:
        """The images, from a valid cache file or decoded now by one of the processes.

        Returns:
            None, with a warning, where the file cannot be made.
        """
        cached = self.found()
        if cached is not None:
            return cached
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            # One process decodes, the others wait for its file.
            with exclusive_lock(self.file):
                # Once more, now under the lock: another process may have made it in the meantime.
                cached, problem = self._load()
                if cached is None:
                    if problem:
                        warnings.warn(f"{self.file} {problem}: rebuilding it.", stacklevel=2)
                    self._build()
                    cached, _ = self._load(just_made=True)
                return cached
        except (OSError, ImportError) as error:
            rank_zero_warn(
                f"The cache {self.file} of {math.prod(self._bytes) / 2**20:.0f} MiB cannot be written ({error}): going "
                "on without it. Make room, or set cache to another folder."
            )
            return None

    def _load(self, just_made: bool = False) -> tuple[Cached | None, str]:
        """The images, or the reason why the file is not usable; an empty reason if there is no file."""
        if not self.file.is_file():
            return None, ""
        try:
            sums, description = read_end(self.file)
            # Another key: names, sizes, times or the decoder have changed.
            if description["key"] != self.key or tuple(description["shape"]) != self._bytes:
                return None, "is stale, files have changed since"
            pixels = np.asarray(np.memmap(self.file, self.dtype, "r", 0, self.shape))
        except (OSError, ValueError) as error:
            return None, f"is damaged ({error})"
        broken = {int(i): reason for i, reason in description["broken"].items()}
        if not just_made and any(self._can_be_read(i) for i in broken):
            return None, "is stale, an image that could not be read can be now"
        return Cached(self.file, self.key, pixels, sums, broken), ""

    def _can_be_read(self, i: int) -> bool:
        """Whether an image recorded as broken is readable now: a network share may have failed for a while."""
        with suppress(Exception):  # as in `find_broken`
            self._decode(i)
            return True
        return False

    def _build(self) -> None:
        """Decode all images, in threads."""
        count, one = self.shape[0], math.prod(self._bytes[1:])
        sums = np.zeros(count, np.uint32)
        failed: list[OSError] = []
        with replacing(self.file) as file:
            # Image i lies at byte i * C * H * W.
            _reserve(file.fileno(), count * one)

            def keep(i: int) -> None:
                if failed:  # the disk's failure must not make the other images broken ones
                    return
                pixels = self._decode(i)
                sums[i] = crc32(pixels.data)
                try:
                    _write(file.fileno(), pixels, i * one)
                except OSError as error:
                    failed.append(error)

            # In threads that write at offsets of their own: pwrite moves no position that they would share.
            broken = find_broken(range(count), keep, "Caching images", alone=True)
            if failed:
                raise failed[0]
            file.seek(count * one)
            # Last, so that a file without it is known to be incomplete.
            file.write(end_of(sums, {"key": self.key, "shape": self._bytes, "broken": broken}))


def _reserve(descriptor: int, size: int) -> None:
    """Reserve the disk space first: a full disk is noticed before any image is decoded."""
    if size and hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)


def _write(descriptor: int, pixels: Pixels, place: int) -> None:
    if os.pwrite(descriptor, pixels.data, place) < pixels.nbytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
