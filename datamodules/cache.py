"""Decoded images in one file that is mapped into memory: made once, safe against kills, other runs, changed files."""

import errno
import json
import math
import os
import struct
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any
from zlib import crc32

import numpy as np
import PIL
import torch
from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn
from numpy.typing import NDArray
from torch import Tensor

from datamodules.files import find_broken

FORMAT = 1  # raise it when `decode` gives other pixels, or the file another layout

_MAGIC = b"GLimages"
_END = struct.Struct("<QII8s")  # number of images, bytes of the description, checksum of all after the pixels, _MAGIC

Pixels = NDArray[np.uint8]


def default_folder() -> Path:
    """``gan_lightning/images`` in the user's folder for caches."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gan_lightning" / "images"


def key_of_files(paths: Sequence[str | Path], home: str) -> str:
    """A name for the content of files: of their names below `home`, sizes and times, so that none has to be read.

    A file that is overwritten by one of the same size and the same time is not noticed.
    """
    hasher = blake2b(f"{FORMAT} {PIL.__version__}".encode(), digest_size=16)
    for path in paths:
        try:
            state = os.stat(path)
            size, time = state.st_size, state.st_mtime_ns
        except OSError:  # it will be found broken
            size, time = -1, -1
        hasher.update(b"\0%b\0%d %d" % (os.fsencode(path).removeprefix(os.fsencode(home)), size, time))
    return hasher.hexdigest()


@dataclass(frozen=True)
class Cached:
    """What a cache holds.

    Attributes:
        file: the cache.
        key: what it was made from.
        pixels: uint8, N x C x H x W, mapped.
        sums: CRC-32 of each image, (N,).
        broken: the reason why an image has no pixels, by index.
    """

    file: Path
    key: str
    pixels: Pixels
    sums: NDArray[np.uint32]
    broken: dict[int, str]


class MappedImages:
    """Images of a cache, an `ImageSource`. Each is compared with its checksum when it is first asked for.

    Args:
        cached: the images.
        labels: as in `ImageSource`.
        decode: makes image i from its own file, where the cache is damaged.
    """

    def __init__(self, cached: Cached, labels: Tensor | None, decode: Callable[[int], Pixels]) -> None:
        self.cached = cached
        self.labels = labels
        self._decode = decode
        self._seen = np.zeros(len(cached.pixels), bool)
        self._damaged = False

    def __len__(self) -> int:
        return len(self.cached.pixels)

    def image_batches(self, batches: Sequence[Tensor]) -> Iterator[Tensor]:
        for indices in batches:
            chosen = indices.numpy()
            images = self.cached.pixels[chosen]
            for place in np.flatnonzero(~self._seen[chosen]):
                self._check(images[place], int(chosen[place]))
            yield torch.from_numpy(images)

    def _check(self, image: Pixels, i: int) -> None:
        """Checks an image that was copied from the file, and repairs the copy."""
        if crc32(image.data) == self.cached.sums[i]:
            self._seen[i] = True
            return
        if not self._damaged:
            file, self._damaged = self.cached.file, True
            warnings.warn(
                f"{file} is damaged: its damaged images are decoded again, and the next run makes it anew.",
                stacklevel=2,
            )
            with suppress(OSError):
                file.unlink()
        image[:] = self._decode(i)


class ImageCache:
    """A file of decoded images, N x C x H x W, with a checksum for each.

    Args:
        file: where it is or shall be.
        key: names what it is made from.
        shape: N x C x H x W.
        decode: makes image i; whatever it raises marks that image as broken.
    """

    def __init__(self, file: Path, key: str, shape: tuple[int, int, int, int], decode: Callable[[int], Pixels]) -> None:
        self.file = file
        self.key = key
        self.shape = shape
        self._decode = decode

    def get(self) -> Cached | None:
        """The images; decoded first, by one of all processes that ask, where the file is not there, damaged or stale.

        Returns:
            None, with a warning, where the file cannot be made.
        """
        cached, _ = self._load()
        if cached is not None:
            return cached
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with self._turn():
                cached, problem = self._load()
                if cached is None:
                    if problem:
                        warnings.warn(f"{self.file} {problem}: making it anew.", stacklevel=2)
                    self._build()
                    cached, _ = self._load(just_made=True)
                return cached
        except (OSError, ImportError) as error:
            rank_zero_warn(
                f"The cache {self.file} of {math.prod(self.shape) / 2**20:.0f} MiB cannot be written ({error}): going "
                "on without it. Make room, or set cache to another folder."
            )
            return None

    def _load(self, just_made: bool = False) -> tuple[Cached | None, str]:
        """The images, or what is wrong with the file; nothing is if there is none."""
        if not self.file.is_file():
            return None, ""
        try:
            with open(self.file, "rb") as file:
                sums, description = _end(file)
            if description["key"] != self.key or tuple(description["shape"]) != self.shape:
                return None, "is stale, files have changed since"
            pixels = np.asarray(np.memmap(self.file, np.uint8, "r", 0, self.shape))
        except (OSError, ValueError) as error:
            return None, f"is damaged ({error})"
        broken = {int(i): reason for i, reason in description["broken"].items()}
        if not just_made and any(self._can_be_read(i) for i in broken):
            return None, "is stale, an image that could not be read can be now"
        return Cached(self.file, self.key, pixels, sums, broken), ""

    def _can_be_read(self, i: int) -> bool:
        """What is remembered as broken may have been a network that failed for a while."""
        with suppress(Exception):  # as in `find_broken`
            self._decode(i)
            return True
        return False

    def _build(self) -> None:
        """Decodes all images, in threads, into a file beside the target, which takes its place when it is whole."""
        # One name, since only one process at a time builds: what a killed one left is overwritten.
        beside = self.file.with_name(f".{self.file.name}.partial")
        count, one = self.shape[0], math.prod(self.shape[1:])
        sums = np.zeros(count, np.uint32)
        failed: list[OSError] = []
        try:
            with open(beside, "wb") as file:
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

                broken = find_broken(range(count), keep, "Caching images", alone=True)
                if failed:
                    raise failed[0]
                text = json.dumps({"key": self.key, "shape": self.shape, "broken": broken}).encode()
                end = sums.tobytes() + text
                file.seek(count * one)
                file.write(end + _END.pack(count, len(text), crc32(end), _MAGIC))
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, self.file)
        except BaseException:
            with suppress(OSError):
                beside.unlink()
            raise

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Holds a lock that the system takes from a process that dies."""
        import fcntl  # absent on Windows

        with open(self.file.with_name(f".{self.file.name}.lock"), "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                rank_zero_info(f"Waiting for another process that makes {self.file}.")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _reserve(descriptor: int, size: int) -> None:
    """Takes the room on the disk at once: one that is too small is noticed before anything is decoded."""
    if size and hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)


def _write(descriptor: int, pixels: Pixels, place: int) -> None:
    if os.pwrite(descriptor, pixels.data, place) < pixels.nbytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _end(file: IO[bytes]) -> tuple[NDArray[np.uint32], dict[str, Any]]:
    """What follows the pixels: the checksums and the description.

    Raises:
        ValueError: something is missing or wrong.
    """
    total = file.seek(0, os.SEEK_END)
    file.seek(max(0, total - _END.size))
    last = file.read()
    if len(last) < _END.size or last[-len(_MAGIC) :] != _MAGIC:
        raise ValueError("its end is missing")
    count, length, checksum, _ = _END.unpack(last)
    pixels = total - _END.size - length - 4 * count
    file.seek(max(0, pixels))
    end = file.read(4 * count + length)
    if crc32(end) != checksum:
        raise ValueError("its checksum is wrong")
    description = json.loads(end[4 * count :])
    if math.prod(description["shape"]) != pixels:
        raise ValueError("pixels are missing")
    return np.frombuffer(end, np.uint32, count), description
