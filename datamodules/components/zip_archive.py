"""Members of a zip file, read at their offsets: no position and no lock is shared between threads or processes.

The standard library's ``ZipFile`` seeks, under a lock, and a forked process shares its position. It also keeps an
object for each member: 610 bytes, where this table takes 51.
"""

import os
import struct
import zlib
from io import BytesIO
from pathlib import Path
from stat import S_ISREG
from typing import IO, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

# PKWARE's APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12, 4.3.14 to 4.3.16 and 4.5.3; little-endian.
_LOCAL = struct.Struct("<4s22xHH")  # signature; lengths of the name and of the extra field
_MEMBER = struct.Struct("<4s4xHH4xIIIHHH8xI")  # signature, flags, method, CRC-32, both sizes, three lengths, offset
_END = struct.Struct(
    "<4sHHHHIIH"
)  # signature, two disks, members here and in all, size and offset of the directory, ...
_LOCATOR = struct.Struct("<4sIQI")  # signature, disk, offset of the next record, disks
_END_64 = struct.Struct("<4s20xQQQQ")  # signature, members here and in all, size and offset of the directory
_LONGEST_COMMENT = 0xFFFF
_FULL = 0xFFFFFFFF  # a size or an offset that stands in the extra field 1, in 64 bits
_ENCRYPTED, _UTF8 = 1 << 0 | 1 << 13, 1 << 11  # flags
_STORED, _DEFLATED = 0, 8  # methods
_SPARE = 64  # bytes read beyond a member: its local header may have an extra field of its own

MOST_BYTES = 1 << 30
"""A larger member is refused: a small zip file may hold one that would fill the memory."""

_ROW = np.dtype([("offset", "<i8"), ("packed", "<i8"), ("size", "<i8"), ("sum", "<u4"), ("method", "<u2")])


class ZipArchive:
    """Table of a zip file's members, and reading of one.

    Stored members are one ``pread``; deflated ones are unpacked; each is compared with its CRC-32. Every process opens
    the file for itself. Folders, hidden members (``.name`` at any depth, which macOS adds) and all but the last of
    members of one name are left out. Names are only compared: nothing is ever written, so ``../name`` leads nowhere.

    Args:
        path: The file.

    Attributes:
        names: Of the members in UTF-8, sorted, (N,).

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no zip file or a damaged one, or a member is encrypted, packed in another way than by deflate,
            or larger than ``MOST_BYTES``.
    """

    names: NDArray[np.bytes_]

    def __init__(self, path: Path) -> None:
        self.path = path
        state = os.stat(path)
        if not S_ISREG(state.st_mode):
            raise ValueError(f"{path} is no file, but a pipe, a device or a folder.")
        self._state = _state_of(state)
        self._open()
        try:
            names, rows = self._read_directory(state.st_size)
        except (struct.error, IndexError) as error:
            raise ValueError(f"{path} is damaged, its list of members cannot be read: copy it again.") from error
        # Sorted and each once, for a binary search; of equal names the last, as everywhere, is the one that counts.
        order = np.argsort(names, kind="stable")
        last = np.ones(len(order), bool)
        last[:-1] = names[order][1:] != names[order][:-1]
        self.names = names[order[last]]
        self._rows = rows[order[last]]

    def __len__(self) -> int:
        return len(self.names)

    def __getstate__(self) -> dict[str, Any]:
        # A process that is spawned opens the file for itself, as a forked one does.
        return {**self.__dict__, "_file": None, "_owner": None}

    def __contains__(self, name: str) -> bool:
        return self._find(name) is not None

    def read(self, name: str, at_most: int = MOST_BYTES) -> bytes:
        """The content of a member.

        Raises:
            FileNotFoundError: There is none of this name.
            ValueError: It is larger than ``at_most`` bytes, or damaged; or the file has been replaced by another.
        """
        i = self._find(name)
        if i is None:
            raise FileNotFoundError(f"there is no {name} in {self.path}")
        row = self._rows[i]
        size = int(row["size"])
        # Before anything is read: what is declared bounds what is allocated.
        if size > at_most:
            raise ValueError(f"{size:,} bytes, more than the {at_most:,} that are read of such a file")
        packed = self._packed(int(row["offset"]), int(row["packed"]), len(self.names[i]))
        if row["method"] == _DEFLATED:
            try:
                packed = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, size + 1)  # at most one byte too many
            except zlib.error as error:
                raise ValueError("damaged in the zip file, it cannot be unpacked") from error
        if len(packed) != size or zlib.crc32(packed) != row["sum"]:
            raise ValueError("damaged in the zip file, its size or its checksum is wrong")
        return packed

    def _packed(self, offset: int, length: int, name: int) -> bytes:
        """The bytes of a member as they lie in the file."""
        handle = self._handle()
        content = os.pread(handle, _LOCAL.size + name + _SPARE + length, offset)
        if content[:4] != b"PK\3\4" or len(content) < _LOCAL.size:
            raise ValueError("damaged in the zip file, it is not where the list of members has it")
        # Name and extra field may be others here than in the list.
        start = _LOCAL.size + sum(_LOCAL.unpack_from(content)[1:])
        if len(content) < start + length:
            content = os.pread(handle, start + length, offset)
        return content[start : start + length]

    def _find(self, name: str) -> int | None:
        sought = name.encode(errors="surrogateescape")
        i = int(np.searchsorted(self.names, np.bytes_(sought)))
        return i if i < len(self.names) and self.names[i] == sought else None

    def _handle(self) -> int:
        """This process's handle: one that was open before a fork is another's."""
        if self._owner != os.getpid():
            self._open()
        assert self._file is not None
        return self._file.fileno()

    def _open(self) -> None:
        self._file: BinaryIO | None = open(self.path, "rb", buffering=0)  # noqa: SIM115, open as long as this object
        self._owner: int | None = os.getpid()
        if _state_of(os.fstat(self._file.fileno())) != self._state:
            raise ValueError(f"{self.path} has changed since it was opened: start the run again.")

    def _read_directory(self, length: int) -> tuple[NDArray[np.bytes_], NDArray[np.void]]:
        """Names and rows of all members that are shown, in the order of the list."""
        count, size, offset, shift = self._find_directory(length)
        directory = os.pread(self._handle(), size, offset)
        names: list[bytes] = []
        rows: list[tuple[int, int, int, int, int]] = []
        at = 0
        for _ in range(count):
            signature, flags, method, crc, packed, full, n, extra, comment, start = _MEMBER.unpack_from(directory, at)
            if signature != b"PK\1\2":
                raise IndexError
            name = directory[at + _MEMBER.size : at + _MEMBER.size + n]
            at += _MEMBER.size + n + extra + comment
            if _FULL in (packed, full, start):
                packed, full, start = _in_64_bits(directory[at - comment - extra : at - comment], full, packed, start)
            if name.endswith(b"/") or _is_hidden(name):
                continue
            names.append(name if flags & _UTF8 or name.isascii() else name.decode("cp437").encode())
            self._check(names[-1], flags, method, full, packed)
            if start + shift + packed > offset:
                raise IndexError
            rows.append((start + shift, packed, full, crc, method))
        return np.array(names, np.bytes_), np.array(rows, _ROW)

    def _find_directory(self, length: int) -> tuple[int, int, int, int]:
        """Number of members, size and offset of their list, and what precedes the zip in the file, in bytes."""
        handle = self._handle()
        start = max(0, length - _END.size - _LONGEST_COMMENT)
        tail = os.pread(handle, length - start, start)
        place = tail.rfind(b"PK\5\6")
        if place < 0:
            raise ValueError(f"{self.path} is no zip file, or it is cut short: copy it again.")
        _, disk, _, _, count, size, offset, _ = _END.unpack_from(tail, place)
        end = start + place
        # A larger zip has a second record, 20 bytes before this one is where.
        locator = os.pread(handle, _LOCATOR.size, end - _LOCATOR.size) if end >= _LOCATOR.size else b""
        if locator[:4] == b"PK\6\7" and (count == 0xFFFF or _FULL in (size, offset)):
            end = max(0, end - _LOCATOR.size - 56)
            signature, _, count, size, offset = _END_64.unpack_from(os.pread(handle, _END_64.size, end))
            if signature != b"PK\6\6":
                raise IndexError
        elif disk:
            raise ValueError(f"{self.path} is one of several files of a zip: join them into one.")
        # The list ends where its end begins; what it says of its place counts from the beginning of the zip.
        first = end - size
        if first < 0 or count * _MEMBER.size > size or offset > first:
            raise IndexError
        return count, size, first, first - offset

    def _check(self, name: bytes, flags: int, method: int, size: int, packed: int) -> None:
        if not flags & _ENCRYPTED and method in (_STORED, _DEFLATED) and size <= MOST_BYTES and packed <= MOST_BYTES:
            return
        member = f"{name.decode(errors='replace')} in {self.path}"
        if flags & _ENCRYPTED:
            raise ValueError(f"{member} is encrypted: write the zip file without a password.")
        if method not in (_STORED, _DEFLATED):
            raise ValueError(
                f"{member} is packed by method {method}: write the zip file with stored members, `zip -0`."
            )
        raise ValueError(
            f"{member} would have {max(size, packed):,} bytes, and at most {MOST_BYTES:,} are read: remove it."
        )


def opened(path: str | Path, archive: ZipArchive | None) -> str | Path | IO[bytes]:
    """An image to decode: the file itself, or a member of a zip file, whose path begins with that of the file."""
    return path if archive is None else BytesIO(archive.read(str(path).removeprefix(f"{archive.path}/")))


def _state_of(state: os.stat_result) -> tuple[int, int, int, int]:
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns


def _is_hidden(name: bytes) -> bool:
    if not name.startswith(b".") and b"/." not in name:  # nearly all: a million names need no splitting
        return False
    return any(part[:1] == b"." and part not in (b".", b"..") for part in name.split(b"/"))


def _in_64_bits(extra: bytes, *values: int) -> tuple[int, int, int]:
    """Sizes, packed and full, and offset of a member; those that do not fit into 32 bits stand in its extra field.

    Args:
        extra: The field, which holds those of the values that are full, in this order.
        values: Full size, packed size, offset.
    """
    at = 0
    while True:
        kind, length = struct.unpack_from("<HH", extra, at)
        at += 4
        if kind == 1:
            break
        at += length
    found = iter(struct.unpack_from(f"<{values.count(_FULL)}Q", extra[: at + length], at))
    full, packed, offset = [next(found) if value == _FULL else value for value in values]
    return packed, full, offset
