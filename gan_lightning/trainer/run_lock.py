"""One process at a time trains in a run directory."""

from __future__ import annotations

import errno
import multiprocessing
import os
import socket
import warnings
from contextlib import suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

NAME = ".lock"
# File systems without locks, and disks too full for the lock's file: the run goes on with a warning.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSPC, errno.EDQUOT)
_held: dict[Path, int] = {}
"""Descriptors by the lock's file. The system keeps these locks for a process, not for a descriptor."""


class RunInUseError(ValueError):
    """Another process trains in this directory. The message is a sentence for the user."""


def acquire(directory: str | Path) -> None:
    """Lock a directory for this process; no effect if it holds the lock already.

    The system releases the lock when the process dies, and a forked process does not inherit it: workers that outlive a
    killed run do not block the next one. Processes that a strategy starts share the lock of their parent. Where the
    file system has no locks, a warning says so.

    Raises:
        RunInUseError: Another process holds it, on this machine or, on a shared disk, on another one.
        OSError: The directory cannot be written to.
    """
    path = Path(directory).resolve() / NAME
    if fcntl is None or path in _held:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not truncated: the file holds the name of who has the lock, for those who do not get it.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise type(error)(f"{directory} cannot be written into ({error.strerror}).") from error
        _warn(directory, error)
        return
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.read(descriptor, 200).decode(errors="replace").strip()
        os.close(descriptor)
        if error.errno in _NO_LOCKS:
            _warn(directory, error)
            return
        parent = multiprocessing.parent_process()
        # A process that a strategy has started trains with its parent.
        if parent is not None and holder == _name(parent.pid):
            return
        raise RunInUseError(
            f"{directory} is in use: {holder or 'another process'} trains in it. Wait for that to end or stop it, or "
            "train into another directory, with --name or without --ckpt_path last."
        ) from error
    _held[path] = descriptor
    with suppress(OSError):  # The name is only for the error message.
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, _name(os.getpid()).encode(), 0)


def release(directory: str | Path) -> None:
    """Release the lock of a directory, if this process holds it."""
    # Closing the descriptor gives the lock back.
    descriptor = _held.pop(Path(directory).resolve() / NAME, None)
    if descriptor is not None:
        os.close(descriptor)


def _name(process: int | None) -> str:
    return f"process {process} on {socket.gethostname()}"


def _warn(directory: str | Path, error: OSError) -> None:
    warnings.warn(
        f"{directory} cannot be locked ({error.strerror}): make sure that no other process continues this run.",
        stacklevel=3,
    )
