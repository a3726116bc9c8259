"""Atomic writes: a crash leaves the old file or the new one, never a part of one."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO


@contextmanager
def replacing(target: Path, *, concurrent: bool = False) -> Iterator[IO[bytes]]:
    """Open a new file beside ``target`` that replaces it once it is complete and on the disk.

    Args:
        target: The file; its folder exists.
        concurrent: Several processes may write it at once. Each then has a temporary file of its own. Otherwise there
            is one name for it, and what a killed process left is overwritten by the next write.
    """
    own = f".{secrets.token_hex(8)}" if concurrent else ""
    partial = target.with_name(f".{target.name}{own}.partial")
    try:
        with open(partial, "wb") as file:
            yield file
            file.flush()
            # Before the rename: a power cut could otherwise leave the new name with an empty file.
            os.fsync(file.fileno())
        os.replace(partial, target)
    except BaseException:
        # Nothing may hide the error that stopped the write.
        with suppress(OSError):
            partial.unlink()
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Make the rename survive a power cut, where the system lets a folder be opened."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
