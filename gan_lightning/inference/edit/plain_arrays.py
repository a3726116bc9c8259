"""NumPy's ``.npz`` with plain arrays only: written complete, read within limits and without running anything."""

from __future__ import annotations

import io
import math
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.lib import format as npy
from torch import Tensor

from gan_lightning.visualization.image_sets import write_atomically

SUFFIX = ".npz"
MOST_BYTES = 1 << 30
"""Of all arrays in a file that is on this machine's own disk."""

Content = TypeVar("Content")


def write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write arrays of numbers or text into a file, which appears when it is complete; equal arrays, equal bytes."""
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    write_atomically(path, content.getvalue())


def read_content(
    path: str | Path,
    what: str,
    made_by: str,
    members: str,
    build: Callable[[dict[str, Any]], Content],
    most_bytes: int = MOST_BYTES,
) -> Content:
    """Build what a file holds from its arrays.

    Args:
        path: The file.
        what: It holds, for messages.
        made_by: The command that writes such files.
        members: Pattern of the names that arrays have in it.
        build: Makes it from arrays by name. A KeyError is an array that is missing, a ValueError a wrong one.
        most_bytes: Of all its arrays, unpacked.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is another file, or a damaged one.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}: give one that `gan-lightning {made_by}` wrote.")
    try:
        return build(_arrays(path, re.compile(rf"({members})\.npy"), most_bytes))
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, NotImplementedError) as error:
        why = f"it has no {error}" if isinstance(error, KeyError) else str(error).partition("\n")[0]
        raise ValueError(f"{path} has no {what} that `gan-lightning {made_by}` wrote: {why}.") from error


def finite_numbers(array: Any, dimensions: int | None = None) -> Tensor:
    """An array of a file as float32.

    Raises:
        ValueError: It is of another type or another number of dimensions, or a number in it is not finite.
    """
    if array.dtype != np.float32 or array.ndim < 1 or (dimensions is not None and array.ndim != dimensions):
        raise ValueError(f"an array in it is {array.ndim}-dimensional, of {array.dtype}")
    if not np.isfinite(array).all():
        raise ValueError("a number in it is not finite")
    return torch.from_numpy(array)


def whole_numbers(array: Any) -> Tensor:
    """An array of a file as int64, N.

    Raises:
        ValueError: It is of another type or has more dimensions.
    """
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise ValueError(f"an array in it is {array.ndim}-dimensional, of {array.dtype}, and not of N whole numbers")
    return torch.from_numpy(array.astype(np.int64))


def _arrays(path: Path, members: re.Pattern[str], most_bytes: int) -> dict[str, Any]:
    """The arrays by name; none is made before its size is known to be that of its bytes."""
    arrays = {}
    with zipfile.ZipFile(path) as archive:
        found = archive.infolist()
        if sum(member.file_size for member in found) > most_bytes:
            raise ValueError(f"unpacked it has more than {most_bytes >> 20:,} MiB")
        for member in found:
            if not members.fullmatch(member.filename):
                raise ValueError(f"it has a member {member.filename!r}")
            with archive.open(member) as stream:
                content = io.BytesIO(stream.read(member.file_size + 1))
            version = npy.read_magic(content)
            header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, _, kind = header(content)
            if kind.kind not in "fiU" or math.prod(shape) * kind.itemsize != len(content.getvalue()) - content.tell():
                raise ValueError(f"{member.filename} is damaged")
            content.seek(0)
            arrays[member.filename.removesuffix(".npy")] = np.load(content, allow_pickle=False)
    return arrays
