"""Logger of a run: ``metrics.csv`` in the run directory, continued when the run is resumed."""

import csv
import io
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
        super().finalize(status)
        run_lock.release(self.log_dir)
        self._locked = False


class _ContinuingWriter(ExperimentWriter):
    """Appends to the metrics of an earlier run in the same directory."""

    def __init__(self, log_dir: str) -> None:
        super().__init__(log_dir)
        # Read before the first new row, which may replace some of them.
        self._earlier = _read(Path(self.metrics_file_path))

    def _check_log_dir_exists(self) -> None:
        """Lightning deletes the earlier metrics here."""

    def save(self) -> None:
        """Write the new rows, all or none, so that a full disk leaves no partial row."""
        if not self.metrics:
            return
        # A run that is killed has often logged beyond its last checkpoint: those steps are trained and logged anew.
        if self._earlier:
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
        """Drop the rows that the first new row replaces: later steps, and the same metrics of the same step."""
        new = self.metrics[0]
        # Several rows may have one step: losses and metrics are logged apart.
        names = set(new) - {"step", "epoch"}
        kept = [
            row
            for row in self._earlier
            if int(row["step"]) < new["step"]
            or (int(row["step"]) == new["step"] and not any(row.get(name) for name in names))
        ]
        keys = sorted({key for row in kept for key in row})
        self._replace_file(kept, keys)
        self._earlier = []
        self.metrics_keys = keys

    def _replace_file(self, rows: list[dict[str, Any]], fieldnames: list[str]) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, fieldnames=fieldnames)
        writer.writeheader()
        writer.writerows(rows)
        with replacing(Path(self.metrics_file_path)) as file:
            file.write(text.getvalue().encode())


def _header(path: Path) -> list[str] | None:
    """Column names in the file; None if there is no file."""
    if not path.is_file():
        return None
    with open(path, newline="", errors="replace") as file:
        return next(csv.reader([file.readline()]), [])


def _read(path: Path) -> list[dict[str, Any]]:
    """Rows of a metrics file, without an incomplete last line.

    A file that was edited and lacks a step number in some row cannot be continued: it is renamed, with a warning, and a
    new one begins.
    """
    if not path.is_file():
        return []
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines(keepends=True)  # Spreadsheets begin with a mark.
        rows = list(csv.DictReader(line for line in lines if line.endswith("\n")))
        for row in rows:
            row["step"] = int(float(row["step"]))
            if None in row:
                raise ValueError("a row is longer than the header")
    except (KeyError, TypeError, ValueError, OverflowError, csv.Error):
        aside = next(name for n in count() if not (name := path.with_name(f"metrics_edited_{n}.csv")).exists())
        os.replace(path, aside)
        warnings.warn(
            f"{path} cannot be continued: it was edited, and not every row has the number of its step under step, with "
            f"commas between the columns. It is now {aside.name}, and a new {path.name} begins.",
            stacklevel=2,
        )
        return []
    return rows
