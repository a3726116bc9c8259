"""Decoded sounds, one after the other in one file that is mapped into memory, or in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from lightning_utilities.core.rank_zero import rank_zero_only
from numpy.typing import NDArray
from tqdm import tqdm

from datamodules.components.atomic_write import replacing
from datamodules.components.blocks import end_of, exclusive_lock, key_of_files, read_end
from datamodules.components.cache import default_folder
from datamodules.components.files import cpu_count
from datamodules.components.first_process import rank_zero_warn
from datamodules.components.sound import Reading, SoundError, read_sound

_LAYOUT = 1
_AT_A_TIME = 64
"""Files decoded before the next are begun: as many are in memory."""


@dataclass(frozen=True)
class PackedSounds:
    """Sounds one after the other.

    Attributes:
        samples: int16, of all sounds, mapped or in memory.
        lengths: Samples of each file, int64, (N,); 0 of a broken one.
        broken: The reason why a file has no sound, by its index.
    """

    samples: NDArray[np.int16]
    lengths: NDArray[np.int64]
    broken: dict[int, str]

    @property
    def starts(self) -> NDArray[np.int64]:
        """Where the sound of each file begins in ``samples``, int64, (N,)."""
        return np.cumsum(self.lengths) - self.lengths


def packed_sounds(files: Sequence[Path], how: Reading, root: Path, cache: bool | str) -> PackedSounds:
    """The sounds of files, decoded now or by an earlier run.

    Args:
        files: In their order.
        how: How they are read.
        root: Where they lie; it names the cache.
        cache: Whether they are kept in a file, in ``gan_lightning/sounds`` of the user's folder for caches, which later
            runs map into memory; or the folder of that file.

    Raises:
        ModuleNotFoundError: A package is missing.
    """
    if cache is False:
        return _in_memory(files, how)
    home = default_folder().with_name("sounds") if cache is True else Path(cache).expanduser()
    # The settings are in the name, so that two of them do not overwrite each other's file in turn.
    maker = f"{root.resolve()} {how}".encode(errors="surrogateescape")
    file = home / f"{root.name}-{blake2b(maker, digest_size=6).hexdigest()}.sounds"
    key = key_of_files(files, f"{_LAYOUT} {how}")
    try:
        found = _load(file, key)
        if found is None:
            home.mkdir(parents=True, exist_ok=True)
            # One process decodes, the others wait for its file.
            with exclusive_lock(file):
                found = _load(file, key)
                if found is None:
                    _build(file, key, files, how)
                    found = _load(file, key)
    except OSError as error:
        rank_zero_warn(
            f"The cache {file} of sounds cannot be written ({error.strerror or error}): they are kept in memory. Make "
            "room, or set cache to another folder."
        )
        return _in_memory(files, how)
    assert found is not None
    return found


def _load(file: Path, key: str) -> PackedSounds | None:
    """The sounds in a cache file; None if it is missing, damaged or of another key."""
    if not file.is_file():
        return None
    try:
        _, description = read_end(file)
        if description["key"] != key:
            return None
        lengths = np.array(description["lengths"], np.int64)
        total = int(lengths.sum())
        samples = np.memmap(file, np.int16, "r", 0, (total,)) if total else np.zeros(0, np.int16)
        return PackedSounds(samples, lengths, {int(i): reason for i, reason in description["broken"].items()})
    except (OSError, ValueError, KeyError):
        return None


def _build(file: Path, key: str, files: Sequence[Path], how: Reading) -> None:
    lengths: list[int] = []
    broken: dict[int, str] = {}
    with replacing(file) as target:
        for i, sound in enumerate(_decoded(files, how)):
            if isinstance(sound, SoundError):
                broken[i] = str(sound)
                lengths.append(0)
            else:
                target.write(sound.data)
                lengths.append(len(sound))
        description: dict[str, Any] = {"key": key, "shape": [2 * sum(lengths)], "lengths": lengths, "broken": broken}
        target.write(end_of(np.zeros(0, np.uint32), description))


def _in_memory(files: Sequence[Path], how: Reading) -> PackedSounds:
    read = list(_decoded(files, how))
    broken = {i: str(sound) for i, sound in enumerate(read) if isinstance(sound, SoundError)}
    sounds = [np.zeros(0, np.int16) if isinstance(sound, SoundError) else sound for sound in read]
    lengths = np.array([len(sound) for sound in sounds], np.int64)
    return PackedSounds(np.concatenate([np.zeros(0, np.int16), *sounds]), lengths, broken)


def _decoded(files: Sequence[Path], how: Reading) -> Iterator[NDArray[np.int16] | SoundError]:
    """Yield the sound of each file, or the error that it gave."""

    def read(path: Path) -> NDArray[np.int16] | SoundError:
        try:
            return read_sound(path, how)
        except SoundError as error:
            return error

    # One bar, of the first process; None: no bar where the output is not a terminal.
    silent = True if getattr(rank_zero_only, "rank", 0) else None
    bar = tqdm(total=len(files), desc="Reading sounds", unit=" files", disable=silent)
    with bar, ThreadPoolExecutor(cpu_count()) as threads:
        for first in range(0, len(files), _AT_A_TIME):
            for sound in threads.map(read, files[first : first + _AT_A_TIME]):
                yield sound
                bar.update()
