"""Images in NumPy's files, ``.npy``: any number of channels, 8 or 16 bits or floating-point numbers."""

import io
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from datamodules.components.raster import dtype_of

SUFFIX = ".npy"
_MAGIC = b"\x93NUMPY"
_MOST_BYTES = 1 << 30  # an array of more is refused: a header of a few bytes may claim any size


def is_array(file: str | Path | IO[bytes]) -> bool:
    """Whether a file is one of NumPy's: by its name, or by its first bytes where it has none."""
    if isinstance(file, str | Path):
        return str(file).lower().endswith(SUFFIX)
    place = file.tell()
    start = file.read(len(_MAGIC))
    file.seek(place)
    return start == _MAGIC


def channels_of(file: str | Path) -> int:
    """The number of channels of an array, from its header.

    Raises:
        ValueError: It is no array in NumPy's format.
    """
    with open(file, "rb") as content:
        shape, _ = _header(content)
    return shape[2] if len(shape) == 3 else 1


def read_array(file: str | Path | IO[bytes], channels: int, bits: int, most_pixels: int) -> NDArray[Any]:
    """Read an array, H x W x C or H x W, as an image; nothing in it is converted but the number of bits.

    uint8 and uint16 are levels from black to full, floating-point numbers are from 0 to 1, truth values are 0 and 1.
    Of uint16 the upper 8 bits are kept where 8 are asked for.

    Args:
        file: In NumPy's format. An array of Python objects, which could run code, is not read.
        channels: As many as it must have.
        bits: Of each channel of the result, 8 or 16.
        most_pixels: A larger one is refused.

    Returns:
        uint8 or uint16, H x W x channels.

    Raises:
        ValueError: It is another array, too large, or no array.
    """
    with ExitStack() as stack:
        content = stack.enter_context(open(file, "rb")) if isinstance(file, str | Path) else file
        shape, kind = _header(content)
        _check_shape(shape, channels, most_pixels)
        _check_type(kind, shape)
        # After the header has been checked: what is read has the size that it says.
        values = np.load(content, allow_pickle=False)
    return _levels(values.reshape(*shape[:2], channels), bits)


def _header(content: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of the numbers; the file is left where it was."""
    place = content.tell()
    try:
        version = npy.read_magic(content)
        reading = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, kind = reading(content)
    except (ValueError, OSError, io.UnsupportedOperation) as error:
        raise ValueError("it is no array in NumPy's format, or a damaged one") from error
    content.seek(place)
    return shape, kind


def _check_shape(shape: tuple[int, ...], channels: int, most_pixels: int) -> None:
    shown = " x ".join(map(str, shape)) or "a single number"
    depth = shape[2] if len(shape) == 3 else 1
    if len(shape) not in (2, 3) or 0 in shape:
        raise ValueError(f"its shape is {shown}, and an image is H x W x C, or H x W")
    if depth != channels:
        first = ", with the channels last" if shape[0] == channels else ""
        raise ValueError(f"its shape is {shown}, and H x W x {channels} is asked for{first}")
    if shape[0] * shape[1] > most_pixels:
        raise ValueError(f"{shape[1]} x {shape[0]} pixels, more than {most_pixels // 10**6} million: cut it to pieces")


def _check_type(kind: np.dtype[Any], shape: tuple[int, ...]) -> None:
    if not (kind.kind in "bf" or (kind.kind == "u" and kind.itemsize <= 2)):
        raise ValueError(
            f"its numbers are of type {kind}: save it as uint8, as uint16, or as floating-point numbers from 0 to 1"
        )
    size = kind.itemsize * int(np.prod([int(side) for side in shape], dtype=object))
    if size > _MOST_BYTES:
        raise ValueError(f"{size / 2**30:.1f} GiB, more than {_MOST_BYTES >> 30}: cut it to pieces")


def _levels(values: NDArray[Any], bits: int) -> NDArray[Any]:
    kind = dtype_of(bits)
    top = np.iinfo(kind).max
    if values.dtype.kind == "b":
        return values.astype(kind) * kind.type(top)
    if values.dtype.kind == "f":
        # NaN compares false with everything, so the question is asked the other way round.
        if not (values.min() >= 0 and values.max() <= 1):
            raise ValueError("its floating-point numbers are not all from 0 (black) to 1 (white): scale them")
        return np.rint(values.astype(np.promote_types(values.dtype, np.float32)) * top).astype(kind)
    if values.dtype.itemsize == kind.itemsize:
        return np.ascontiguousarray(values.astype(kind))
    # 255 becomes 65535, and of 16 bits the upper 8 stay.
    return values.astype(kind) * kind.type(257) if bits == 16 else (values >> 8).astype(kind)
