"""Logger of a run: ``metrics.csv`` in the run directory, continued when the run is resumed."""

import csv
import io
import math
import os
import warnings
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.loggers.csv_logs import ExperimentWriter
from lightning.pytorch.loggers.logger import rank_zero_experiment
from lightning.pytorch.utilities import rank_zero_only

from datamodules.components.atomic_write import replacing
from gan_lightning.trainer import run_lock

_BLOCK = 1 << 14
"""Bytes that are read from the end of a metrics file first."""


class RunLogger(CSVLogger):
    """CSV logger for runs that are killed and resumed.

    A row is on the disk as soon as it is logged. When a run is resumed in its own directory, the rows of its past
    stay and those that the killed run wrote beyond the resumed step are replaced; Lightning's logger deletes the
    whole file there. Rows that a full disk refuses stay in memory until there is room. The directory is
    locked while in use: two processes that write one log would mix two runs.

    Args:
        save_dir: Folder that holds the runs.
        name: Folder of this kind of run in it.
        version: Number of the run; None takes the next free one.
    """

    errors_to_warn_of: ClassVar[type[Exception]] = OSError
    """Disk errors do not stop training. Any other error is a bug that would corrupt resumed runs."""

    def __init__(self, save_dir: str = "runs", name: str = "gan", version: int | str | None = None) -> None:
        # Flushed at each row: a killed run has lost none.
        super().__init__(save_dir, name, version, flush_logs_every_n_steps=1)
        self._locked = False

    @property
    @rank_zero_experiment
    def experiment(self) -> ExperimentWriter:
        if not self._locked:  # The directory of a run that is over may be another process's by now.
            run_lock.acquire(self.log_dir)
            self._locked = True
        if self._experiment is None:
            os.makedirs(self.root_dir, exist_ok=True)
            self._experiment = _ContinuingWriter(self.log_dir)
        return self._experiment  # type: ignore[return-value]

    @rank_zero_only
    def finalize(self, status: str) -> None:
        # Rows first: after the lock is gone another run may write here.
        super().finalize(status)
        run_lock.release(self.log_dir)
        self._locked = False


class _ContinuingWriter(ExperimentWriter):
    """Appends to the metrics of an earlier run in the same directory."""

    def __init__(self, log_dir: str) -> None:
        super().__init__(log_dir)
        self._has_earlier = _has_text(Path(self.metrics_file_path))

    def _check_log_dir_exists(self) -> None:
        """Lightning deletes the earlier metrics here."""

    def save(self) -> None:
        """Write the new rows, all or none, so that a full disk leaves no partial row."""
        if not self.metrics:
            return
        # A run that is killed has often logged beyond its last checkpoint: those steps are trained and logged again.
        if self._has_earlier:
            self._rewind()
        path = Path(self.metrics_file_path)
        keys = sorted({*self.metrics_keys, *(key for row in self.metrics for key in row)})
        # The header is read again, as another program may have rewritten the file. Nearly every row has known columns.
        if keys == self.metrics_keys and _header(path) == keys:
            self._append(path)
        else:
            # A new column changes the header, the first line of the file.
            earlier = _read(path)
            keys = sorted({*keys, *(key for row in earlier for key in row)})
            self._replace_file([*earlier, *self.metrics], keys)
        self.metrics_keys, self.metrics = keys, []

    def _append(self, path: Path) -> None:
        size = path.stat().st_size
        try:
            with open(path, "a", newline="") as file:
                csv.DictWriter(file, self.metrics_keys).writerows(self.metrics)
        except OSError:
            # Half a row would be taken for the beginning of the next one.
            os.truncate(path, size)
            raise

    def _rewind(self) -> None:
        """Drop the rows that the first new row replaces: later steps, and the same metrics of the same step.

        Only the end of the file is read: a resume after a million steps is as quick as one after ten.
        """
        new, path = self.metrics[0], Path(self.metrics_file_path)
        # Several rows may have one step: losses and metrics are logged apart.
        names = set(new) - {"step", "epoch"}
        try:
            self.metrics_keys, place, rows = _end_of(path, new["step"])
        except _UNREADABLE:
            _set_aside(path)
        else:
            kept = b"".join(line for line, row in rows if row["step"] == new["step"] and not any(map(row.get, names)))
            _replace_end(path, place, b"".join(line for line, _ in rows), kept)
        self._has_earlier = False

    def _replace_file(self, rows: list[dict[str, Any]], fieldnames: list[str]) -> None:
        text = io.StringIO(newline="")
        # In memory first: the file is replaced in one step.
        writer = csv.DictWriter(text, fieldnames=fieldnames)
        writer.writeheader()
        writer.writerows(rows)
        with replacing(Path(self.metrics_file_path)) as file:
            file.write(text.getvalue().encode())


def _has_text(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _header(path: Path) -> list[str] | None:
    """Column names in the file; None if there is no file."""
    if not path.is_file():
        return None
    with open(path, newline="", errors="replace") as file:
        return next(csv.reader([file.readline()]), [])


_UNREADABLE = (KeyError, ValueError, OverflowError, csv.Error)
"""What reading a file raises that somebody has edited."""


def _end_of(path: Path, step: float) -> tuple[list[str], int, list[tuple[bytes, dict[str, Any]]]]:
    """The rows at the end of a metrics file, behind the last one of an earlier step.

    Returns:
        The names of the columns; where these rows begin in the file, in bytes; and each row's line, with its values. An
        incomplete last line is left out.

    Raises:
        ValueError: The end cannot be read as numbers under the header, which has ``step``.
    """
    with open(path, "rb") as file:
        names = next(csv.reader([file.readline().decode("utf-8-sig")]), [])
        first, size = file.tell(), path.stat().st_size
        names.index("step")  # ValueError: it is not there.
        length = _BLOCK
        while True:
            start = max(first, size - length)
            file.seek(start)
            # A block begins within a row, but for the first.
            start += len(file.readline()) if start > first else 0
            file.seek(start)
            lines = [line for line in file.read().splitlines(keepends=True) if line.endswith(b"\n")]
            rows = [_row(line, names) for line in lines]
            if start == first or any(row["step"] < step for row in rows):
                break
            length *= 2
    before = max((n + 1 for n, row in enumerate(rows) if row["step"] < step), default=0)
    return names, start + sum(map(len, lines[:before])), [*zip(lines, rows, strict=True)][before:]


def _row(line: bytes, names: list[str]) -> dict[str, Any]:
    if not line.strip():
        return {"step": math.inf}  # An empty line, which an editor left, is after every step: it is dropped.
    values = next(csv.reader([line.decode(errors="replace")]), [])
    if len(values) > len(names):
        raise ValueError("a row is longer than the header")
    row: dict[str, Any] = dict(zip(names, values, strict=False))
    return {**row, "step": int(float(row["step"]))}


def _replace_end(path: Path, place: int, end: bytes, kept: bytes) -> None:
    """Replace the end of a file by some of its lines; a kill leaves the old file or the new one."""
    if end.startswith(kept):
        os.truncate(path, place + len(kept))
        return
    with open(path, "rb") as old, replacing(path) as file:
        file.write(old.read(place) + kept)


def _set_aside(path: Path) -> None:
    """Rename a file that was edited and cannot be continued, with a warning; a new one begins."""
    aside = next(name for n in count() if not (name := path.with_name(f"metrics_edited_{n}.csv")).exists())
    # Renamed and not deleted: an edited table is somebody's work.
    os.replace(path, aside)
    warnings.warn(
        f"{path} cannot be continued: it was edited, and not every row has the number of its step under step, with "
        f"commas between the columns. It is now {aside.name}, and a new {path.name} begins.",
        stacklevel=2,
    )


def _read(path: Path) -> list[dict[str, Any]]:
    """All rows of a metrics file. A file that was edited and lacks a step number in some row is set aside."""
    if not _has_text(path):
        return []
    try:
        return [row for _, row in _end_of(path, -math.inf)[2] if row["step"] < math.inf]
    except _UNREADABLE:
        _set_aside(path)
        return []
