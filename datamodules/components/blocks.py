"""Files of one memory-mapped block with checksums and a JSON description at the end, written atomically."""

import json
import math
import os
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

# At the end and not at the beginning: a file that was cut short has none.
_MAGIC = b"GLimages"
_END = struct.Struct("<QII8s")  # number of checksums, bytes of the description, checksum of both, _MAGIC


def end_of(sums: NDArray[np.uint32], description: dict[str, Any]) -> bytes:
    """Bytes that follow a block: checksums, description, lengths.

    Args:
        sums: Checksums of its parts.
        description: In JSON; its ``shape``, in bytes, is that of the block.
    """
    text = json.dumps(description).encode()
    # A checksum of the description too: a wrong shape would map the pixels wrongly.
    end = sums.tobytes() + text
    return end + _END.pack(len(sums), len(text), crc32(end), _MAGIC)


def key_of_files(files: Iterable[Path], how: str) -> str:
    """Key of what is made of files, which needs no reading of them: paths, sizes and times, and how it is made."""
    hasher = blake2b(how.encode(), digest_size=16)
    for file in files:
        # One that is gone, or no file, is found broken when it is read.
        state = file.stat() if file.is_file() else None
        described = "gone" if state is None else f"{state.st_size} {state.st_mtime_ns}"
        hasher.update(f"\0{file}\0{described}".encode(errors="surrogateescape"))
    return hasher.hexdigest()


def read_end(path: Path) -> tuple[NDArray[np.uint32], dict[str, Any]]:
    """Read the checksums and the description from the end of a file.

    Raises:
        OSError: The file cannot be read.
        ValueError: Something is missing or wrong.
    """
    with open(path, "rb") as file:
        # The fixed-size record at the very end says how long the part before it is.
        total = file.seek(0, os.SEEK_END)
        file.seek(max(0, total - _END.size))
        last = file.read()
        if len(last) < _END.size or last[-len(_MAGIC) :] != _MAGIC:
            raise ValueError("its end is missing")
        count, length, checksum, _ = _END.unpack(last)
        block = total - _END.size - length - 4 * count
        file.seek(max(0, block))
        end = file.read(4 * count + length)
    if crc32(end) != checksum:
        raise ValueError("its checksum is wrong")
    description = json.loads(end[4 * count :])
    if math.prod(description["shape"]) != block:
        raise ValueError("a part of it is missing")
    return np.frombuffer(end, np.uint32, count), description


@contextmanager
def exclusive_lock(target: Path, wait: bool = True) -> Iterator[None]:
    """Hold a file lock, which the system releases when the process dies.

    Raises:
        BlockingIOError: Another process holds it, and ``wait`` is False.
    """
    import fcntl  # absent on Windows

    with open(target.with_name(f".{target.name}.lock"), "w") as lock:
        try:
            # First without waiting, so that a wait can be announced.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                raise
            from lightning.pytorch.utilities import rank_zero_info  # Slow to import: not for what need not wait.

            rank_zero_info(f"Waiting for another process that makes {target}.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
