"""Base of the data modules whose images are files."""

import math
from abc import ABC
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, distributed

from datamodules.base import ImageDataModule, check_at_least
from datamodules.components.cache import Cached, ImageCache, MappedImages, default_folder
from datamodules.components.decoding import check, decode
from datamodules.components.files import FileImages, FolderState, cpu_count, find_broken
from datamodules.components.listing import Listing, list_states, load_listing
from datamodules.components.loading import ImageSource, TensorImages
from datamodules.components.raster import Pixels
from datamodules.components.zip_archive import ZipArchive, opened

_GIBIBYTE = 1 << 30
_NAMED_FILES = 5  # as many broken files are named in an error


@dataclass(frozen=True)
class FolderScan:
    """Record of the search for a data module's files.

    Attributes:
        folders: All that were visited, as ``walk`` returns them.
        began: Start of the search, in nanoseconds.
        notes: Further results of the search, JSON.
    """

    folders: dict[str, FolderState | None]
    began: int
    notes: dict[str, Any]


@dataclass(frozen=True)
class CachedImages:
    """The images of an earlier run, whose folders have not changed since."""

    listing: Listing
    cached: Cached
    decoded: Callable[[int], Pixels]

    def images(self, labels: Tensor | None) -> tuple[ImageSource, dict[int, str]]:
        """What ``read_images`` returns."""
        return MappedImages(self.cached, labels, self.decoded, self.listing), _merged_over_ranks(self.cached.broken)


class FileDataModule(ImageDataModule, ABC):
    """Base of the data modules whose images are decoded by worker processes, or once into memory or a cache.

    Args:
        image_shape: As in ``ImageDataModule``.
        num_classes: As in ``ImageDataModule``.
        batch_size: As in ``ImageDataModule``.
        flip: As in ``ImageDataModule``.
        num_workers: Processes that decode images; 0: none but the training process; None: one for each CPU, at
            most 8.
        seed: As in ``ImageDataModule``.
        bits: As in ``ImageDataModule``.

    Attributes:
        archive: The zip file that the images lie in; None: they are files on the disk.
    """

    archive: ZipArchive | None = None

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        num_classes: int | None,
        batch_size: int,
        flip: bool,
        num_workers: int | None,
        seed: int,
        bits: int = 8,
    ) -> None:
        super().__init__(image_shape, num_classes, batch_size, flip, seed, bits=bits)
        check_at_least(0, num_workers=num_workers or 0)
        self.num_workers = num_workers

    def workers(self) -> int:
        """The number of worker processes."""
        if self.num_workers is not None:
            return self.num_workers
        # Cores are shared by the training processes of this machine.
        processes = 1 if self.trainer is None else self.trainer.num_devices
        return max(1, min(8, cpu_count() // processes))

    def read_images(
        self,
        paths: Sequence[str | Path],
        labels: Tensor | None,
        in_memory: bool | None,
        cache: bool | str = False,
        draft: bool = False,
        scan: FolderScan | None = None,
    ) -> tuple[ImageSource, dict[int, str]]:
        """Read every file once, or map the cache of an earlier run.

        Args:
            paths: The files, all below ``location``.
            labels: Of each, as in ``ImageSource``.
            in_memory: Keep the decoded images; None: if they take no more than 1 GiB.
            cache: Map the decoded images from a file, which is made if it has to be: in the user's folder for caches,
                or in this one. In its way, ``in_memory`` is without effect.
            draft: As in ``decode``.
            scan: How the files were found; it is kept beside the cache, and ``load_cached`` reads it at the next start.

        Returns:
            The images, in memory or not, and the reason why some of them cannot be used, by index.
        """
        decoded = self._decoder(paths.__getitem__, draft)
        # 1. A cache file, 2. all images in memory, 3. decoding in worker processes, batch by batch.
        cached = self._cached(paths, cache, draft, decoded, scan) if cache is not False and paths else None
        if cached is not None:
            return MappedImages(cached, labels, decoded), _merged_over_ranks(cached.broken)
        shape = (len(paths), *self.image_shape)
        if in_memory or (in_memory is None and math.prod(shape) * self.dtype.itemsize <= _GIBIBYTE):
            pixels = np.zeros(shape, self.dtype)

            def keep(i: int) -> None:
                pixels[i] = decoded(i)

            broken = find_broken(range(len(paths)), keep, "Reading images")
            return TensorImages(torch.from_numpy(pixels), labels), _merged_over_ranks(broken)
        # All files, before the first step: a broken one would stop the run after hours.
        channels, height, width = self.image_shape
        broken = check_files(len(paths), lambda i: check(opened(paths[i], self.archive), channels, self.bits))
        reading = (self.workers(), draft, self.archive, self.bits)
        return FileImages(paths, labels, (height, width), channels, *reading), broken

    def load_cached(self, cache: bool | str, draft: bool = False) -> CachedImages | None:
        """Images that an earlier run cached; the time does not grow with the number of files.

        Args:
            cache: As in ``read_images``.
            draft: As in ``decode``.

        Returns:
            None where nothing is cached, or something has changed since: then it takes ``read_images``.
        """
        if cache is False:
            return None
        file = self._cache_file(cache, draft)
        listing = load_listing(file, self.location)
        if listing is None:
            return None
        decoded = self._decoder(listing.path, draft)
        cached = self._image_cache(file, listing, decoded).found()
        return None if cached is None else CachedImages(listing, cached, decoded)

    def _decoder(self, path_of: Callable[[int], str | Path], draft: bool) -> Callable[[int], Pixels]:
        channels, height, width = self.image_shape
        return lambda i: decode(opened(path_of(i), self.archive), (height, width), channels, draft, self.bits)

    def _image_cache(self, file: Path, listing: Listing, decoded: Callable[[int], Pixels]) -> ImageCache:
        return ImageCache(file, listing.key, (len(listing), *self.image_shape), decoded, self.dtype)

    def _cached(
        self,
        paths: Sequence[str | Path],
        cache: bool | str,
        draft: bool,
        decoded: Callable[[int], Pixels],
        scan: FolderScan | None,
    ) -> Cached | None:
        """The decoded images; None where there can be no cache, be it in one of several processes."""
        file = self._cache_file(cache, draft)
        archive = None if self.archive is None else self.archive.path
        listing = list_states(paths, self.location, scan.notes if scan else {}, archive)
        cached = self._image_cache(file, listing, decoded).get()
        # Only beside a cache that exists: the listing is what makes the next start fast.
        if cached is not None and scan is not None:
            listing.keep(file, scan.folders, scan.began)
        return cached

    def _cache_file(self, cache: bool | str, draft: bool) -> Path:
        home = Path(self.location).resolve()
        # One file per data module, folder, size and decoding mode.
        # The settings are in the name, so that two of them do not overwrite each other's file in turn.
        maker = f"{type(self).__name__} {home} {draft}".encode(errors="surrogateescape")
        kind = "x".join(map(str, self.image_shape)) + ("" if self.bits == 8 else f"-{self.bits}bit")
        name = f"{home.name}-{kind}-{blake2b(maker, digest_size=4).hexdigest()}.images"
        folder = Path(cache).expanduser() if isinstance(cache, str) else default_folder()
        return folder / name

    def refuse(self, broken: dict[int, str], paths: Sequence[str | Path]) -> None:
        """Raise a ValueError that names the broken files, if there are any.

        Args:
            broken: The reason for each, by index.
            paths: Of all.
        """
        if not broken:
            return
        worst = sorted(broken)[:_NAMED_FILES]
        named = ", ".join(f"{paths[i]} ({broken[i]})" for i in worst)
        more = f" and {len(broken) - len(worst)} more" if len(broken) > len(worst) else ""
        raise ValueError(
            f"{type(self).__name__}: {len(broken)} of the {len(paths)} images in {self.location} cannot be used: "
            f"{named}{more}: repair or remove them."
        )


def check_files(count: int, attempt: Callable[[int], object]) -> dict[int, str]:
    """Check files 0 ... count - 1, divided among the processes; return the reason for each broken one, by index."""
    rank, world_size = _process()
    return _merged_over_ranks(find_broken(range(rank, count, world_size), attempt, "Checking images"))


def _process() -> tuple[int, int]:
    """Rank and world size of the process group; (0, 1) without one."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()


def _merged_over_ranks(broken: dict[int, str]) -> dict[int, str]:
    """Union of the broken files of all ranks: with different images they would have different orders. Collective."""
    _, world_size = _process()
    if world_size == 1:
        return broken
    # Every rank must drop the same images, else the orders differ.
    everyone: list[dict[int, str]] = [{} for _ in range(world_size)]
    distributed.all_gather_object(everyone, broken)
    return {i: reason for each in everyone for i, reason in each.items()}
