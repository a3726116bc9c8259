"""Folders of results: atomic files, and a mark while the set is incomplete."""

import errno
import hashlib
import json
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

INCOMPLETE = ".incomplete.json"
"""File in a folder whose set is incomplete: the command, the number of images and its arguments."""
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}
"""Disk errors that would hit the next file too."""


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file atomically.

    Raises:
        OSError: It cannot be written; nothing is left of it, and a file that was there stays.
    """
    path = path.resolve() if path.is_symlink() and path.is_file() else path  # a link stays one
    if path.exists() and not path.is_file():  # a device, such as /dev/stdout, or a pipe: it takes what is written
        with open(os.open(path, os.O_WRONLY | os.O_NONBLOCK), "wb") as stream:
            stream.write(content)
        return
    # A name of its own for each target, and not longer than the longest that a system takes.
    partial = path.with_name(f".{zlib.crc32(os.fsencode(path.name)):08x}.partial")
    try:
        # Beside the target: os.replace is atomic within one file system only.
        partial.write_bytes(content)
        os.replace(partial, path)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def explain_incomplete(folder: Path) -> str | None:
    """Return a sentence that says why a set is incomplete; None: it is complete."""
    mark = folder / INCOMPLETE
    if not mark.is_file():
        return None
    found = _read(mark)
    command, total = found.get("command", "the command"), found.get("total", "all of its")
    return (
        f"{folder} is not complete: {command}, which writes {total} images into it, was cut off or is still running. "
        "Run the same command again: it goes on with what is missing."
    )


def begin_set(folder: Path, command: str, total: int, arguments: Mapping[str, Any]) -> None:
    """Create or continue a set: mark the folder as incomplete.

    Args:
        folder: New, empty, or with a set of the same command and arguments in it that was cut off.
        command: Makes the images.
        total: How many.
        arguments: All that decides what the images are.

    Raises:
        FileExistsError: It holds something else.
        OSError: It cannot be written into.
    """
    mark = folder / INCOMPLETE
    # Through JSON, so that tuples compare equal to the lists that a file holds.
    wanted = json.loads(json.dumps({"command": command, "total": total, **arguments}))
    if not mark.is_file():
        refuse_to_overwrite(folder)
        folder.mkdir(parents=True, exist_ok=True)
        # Before the first image: a set without a mark is taken for a complete one.
        write_atomically(mark, json.dumps(wanted, indent=1).encode())
        return
    found = _read(mark)
    if others := [name for name in {**wanted, **found} if found.get(name) != wanted.get(name)]:
        raise FileExistsError(
            f"{folder} holds a set that was cut off, of another {' and another '.join(others)}: run the command with "
            "the arguments that it had, which goes on with what is missing, or give another --out."
        )


def end_set(folder: Path) -> None:
    """Remove the mark: the set is complete."""
    (folder / INCOMPLETE).unlink(missing_ok=True)


def refuse_to_overwrite(folder: Path) -> None:
    """Refuse a folder that is neither new, empty nor an interrupted set.

    Raises:
        FileExistsError: It is not.
    """
    if folder.is_symlink() and not folder.exists():
        raise FileExistsError(f"{folder} is a link to nothing: give --out another folder, or remove the link.")
    if folder.exists() and not (folder.is_dir() and (not any(folder.iterdir()) or (folder / INCOMPLETE).is_file())):
        raise FileExistsError(f"{folder} exists and is not an empty folder: give --out a new one.")


def fingerprint(file: Path) -> str:
    """SHA-256 of a file's bytes; of a folder, of those of the files in it."""
    if file.is_dir():
        parts = [f"{part.name} {fingerprint(part)}" for part in sorted(file.iterdir()) if part.is_file()]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()
    with open(file, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _read(mark: Path) -> dict[str, Any]:
    try:
        found = json.loads(mark.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
