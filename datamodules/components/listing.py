"""Listing of a folder's files with sizes and times, kept beside the cache for a fast start.

A file that is added, removed or renamed changes the time of its folder. So a start compares the folders alone, and a
sample of the files, in case all of them were overwritten. That a few were is found when their images are first used.
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from datamodules.components.atomic_write import replacing
from datamodules.components.blocks import end_of, exclusive_lock, read_end
from datamodules.components.decoding import DECODER
from datamodules.components.files import FolderState, folder_state

_LAYOUTS = (1, 2)  # of a cache and of a listing; 2: files of arrays are images
_SAMPLE = 256  # files that a start compares
_TICK = 3 * 10**9  # nanoseconds; the coarsest clocks of file systems tick every two seconds


@dataclass(frozen=True)
class Listing:
    """Files below a folder, with the sizes and times that they had.

    Attributes:
        home: What all paths begin with.
        rows: Size, time and the rest of the path of each file.
        key: Names their content.
        notes: What a data module knew of them.
        file: Where it is kept; None: nowhere yet.
        checksum: Of the rows.
    """

    home: bytes
    rows: NDArray[np.void]
    key: str
    notes: Mapping[str, Any]
    file: Path | None = None
    checksum: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    def path(self, i: int) -> str:
        """The path of file i."""
        return os.fsdecode(self.home + self.rows["name"][i])

    def changed(self, indices: NDArray[np.int64]) -> str | None:
        """The path of the first of these files that has another size or time now."""
        # tolist() makes Python numbers of all at once, which is faster than NumPy's scalars one by one.
        for size, time, name in self.rows[indices].tolist():
            if _file_state(self.home + name) != (size, time):
                return os.fsdecode(self.home + name)
        return None

    def forget(self) -> bool:
        """Delete the listing, so that the next start compares every file; one written by another run since stays.

        Returns:
            Whether it was right, and not damaged.
        """
        assert self.file is not None
        with suppress(OSError, ValueError, KeyError):  # another process may have deleted it
            _, description = read_end(self.file)
            if description["key"] == self.key:
                self.file.unlink()
        return crc32(self.rows.data) == self.checksum

    def keep(self, cache: Path, folders: Mapping[str, FolderState | None], began: int) -> None:
        """Write the listing beside its cache; a failure is ignored, since the cache works without it.

        Nor is it written where the folders may change without a trace: one could not be read, or had just changed, and
        a second change in the same tick of the file system's clock would leave the same time.

        Args:
            cache: The file with the images, by the same key.
            folders: All that were looked into, as they were before that, by path.
            began: When the first was looked into, in nanoseconds.
        """
        # A change within the same clock tick would be invisible.
        if any(state is None or max(state[1:]) > began - _TICK for state in folders.values()):
            return
        home = os.fsdecode(self.home)
        description = {
            "shape": [len(self), self.rows.itemsize],
            "recipe": _recipe(),
            "key": self.key,
            "checksum": crc32(self.rows.data),
            "folders": {path.removeprefix(home): state for path, state in folders.items()},
            "notes": self.notes,
        }
        with suppress(OSError, ImportError), exclusive_lock(cache, wait=False), replacing(listing_file(cache)) as file:
            file.write(self.rows.data)
            file.write(end_of(np.zeros(0, np.uint32), description))


def listing_file(cache: Path) -> Path:
    """Where the listing of a cache is kept."""
    return cache.with_suffix(".listing")


def list_states(
    paths: Sequence[str | Path], home: str, notes: Mapping[str, Any], archive: Path | None = None
) -> Listing:
    """List size and time of every file, a key of their content that needs no reading.

    A file that is overwritten by one of the same size and the same time is not noticed.

    Args:
        paths: The files, all below ``home``.
        home: Their folder.
        notes: See ``Listing``; in JSON.
        archive: The zip file that holds all of them, whose size and time they have; None: they lie on the disk.
    """
    start = os.fsencode(home)
    files = [os.fsencode(path) for path in paths]
    names = [file.removeprefix(start) for file in files]
    # Members of a zip file change with it.
    holders = files if archive is None else [os.fsencode(archive)]
    states = [_file_state(file) for file in holders] * (1 if archive is None else len(files))
    # The key changes with names, sizes, times and the version of the decoder.
    hasher = blake2b(f"{_LAYOUTS[0]} {DECODER}".encode(), digest_size=16)
    for name, state in zip(names, states, strict=True):
        hasher.update(b"\0%b\0%d %d" % (name, *state))
    # Rows of one length can be mapped: a start reads only those of its sample.
    rows = np.zeros(len(names), _row(max(map(len, names))))
    rows["name"] = names
    rows["size"], rows["time"] = np.array(states).T
    return Listing(start, rows, hasher.hexdigest(), notes)


def load_listing(cache: Path, home: str) -> Listing | None:
    """The listing of a cache; None if it is missing, damaged or known to be outdated.

    Also None where the listing could not be deleted: a file overwritten later would be reported and never read.
    """
    file = listing_file(cache)
    # A listing that turns out wrong must be deleted.
    if not os.access(file.parent, os.W_OK):
        return None
    try:
        _, description = read_end(file)
        count, width = description["shape"]
        if description["recipe"] != _recipe() or not _unchanged(description["folders"], home):
            return None
        rows = np.asarray(np.memmap(file, _row(width - _row(0).itemsize), "r", 0, count))
    except (OSError, ValueError, KeyError):
        return None
    start, key, notes, checksum = os.fsencode(home), description["key"], description["notes"], description["checksum"]
    listing = Listing(start, rows, key, notes, file, checksum)
    # Spot check of at most 256 files, in case all were overwritten in place.
    sample = np.linspace(0, count - 1, min(count, _SAMPLE)).astype(int)
    return None if listing.changed(sample) else listing


def _unchanged(folders: Mapping[str, Sequence[int]], home: str) -> bool:
    return all(list(folder_state(os.stat(home + name))) == state for name, state in folders.items())


def _recipe() -> str:
    return f"{_LAYOUTS} {DECODER}"


def _row(width: int) -> np.dtype[np.void]:
    return np.dtype([("size", "<i8"), ("time", "<i8"), ("name", f"S{width}")])


def _file_state(path: bytes) -> tuple[int, int]:
    try:
        state = os.stat(path)
    except (OSError, ValueError):  # it will be found broken; a name in a damaged listing may be no name at all
        return -1, -1
    return state.st_size, state.st_mtime_ns
