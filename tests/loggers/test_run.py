"""The rows of a run that is resumed: those that are kept, and what is read to know it."""

import csv
import random
from pathlib import Path
from typing import Any

import pytest

from gan_lightning.loggers import RunLogger

Row = dict[str, Any]


def log(folder: Path, *rows: Row) -> Path:
    """Log rows with a logger of its own, as a resumed run has; the file."""
    logger = RunLogger(str(folder), "run", 0)
    for row in rows:
        logger.log_metrics({name: value for name, value in row.items() if name != "step"}, row["step"])
    logger.finalize("success")
    return folder / "run" / "version_0" / "metrics.csv"


def read(path: Path) -> list[Row]:
    with open(path, newline="") as file:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]


def after_a_resume(rows: list[Row], new: Row) -> list[Row]:
    """What the file is to hold, worked out from all of its rows."""
    names = {*new} - {"step", "epoch"}
    same = [row for row in rows if row["step"] == new["step"] and not names & {*row}]
    return [*(row for row in rows if row["step"] < new["step"]), *same, new]


@pytest.mark.parametrize("length", [3, 40, 4000])
def test_the_end_that_is_read_decides_as_the_whole_file_would(length: int, tmp_path: Path) -> None:
    for trial in range(10):
        draw = random.Random(f"{length} {trial}")
        step, rows = 1, [{"step": 1, "loss": 0.5, "val": 2.0}]
        while len(rows) < length:
            step += draw.choice([0, 1, 1, 5])
            rows.append({"step": step, draw.choice(["loss", "val"]): round(draw.random(), 9)})
        # Far back for a run that was killed long after its checkpoint.
        new = {"step": draw.choice([step, step + 1, max(1, step - 3), step // 2 + 1]), "loss": 0.25}
        folder = tmp_path / str(trial)
        path = folder / "run" / "version_0" / "metrics.csv"
        path.parent.mkdir(parents=True)
        with open(path, "w", newline="") as file:
            writer = csv.DictWriter(file, ["loss", "step", "val"])
            writer.writeheader()
            writer.writerows(rows)
        assert read(log(folder, new)) == after_a_resume(rows, new)


def test_a_resume_reads_no_more_of_a_long_log_than_of_a_short_one(tmp_path: Path) -> None:
    """Rows far from the end stay as they are to the byte, even one that is no row."""
    path = log(tmp_path, {"step": 1, "loss": 0.5})
    lines = [f"0.5,{step}\r\n".encode() for step in range(2, 10_000)]
    lines[5_000] = b"a note of mine\r\n"
    path.write_bytes(path.read_bytes() + b"".join(lines) + b"0.25,100")  # killed within a row
    before = path.read_bytes()
    log(tmp_path, {"step": 9_999, "loss": 0.75}, {"step": 10_000, "loss": 1.0})
    kept = before[: before.index(b"0.5,9999")]
    assert path.read_bytes() == kept + b"0.75,9999\r\n1.0,10000\r\n"


def test_an_empty_file_is_a_new_one(tmp_path: Path) -> None:
    path = log(tmp_path, {"step": 1, "loss": 0.5})
    path.write_bytes(b"")
    assert read(log(tmp_path, {"step": 2, "loss": 0.5})) == [{"step": 2, "loss": 0.5}]
    assert [each.name for each in path.parent.iterdir() if each.suffix == ".csv"] == ["metrics.csv"]


@pytest.mark.parametrize("place", [1, 2, 3])
def test_an_empty_line_of_an_editor_is_dropped(place: int, tmp_path: Path) -> None:
    path = log(tmp_path, {"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.25})
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:place], b"\r\n", *lines[place:]]))
    # Once by the end of the file, once by all of it, for a new column
    log(tmp_path, {"step": 3, "loss": 1.0, "val": 2.0})
    assert [row["step"] for row in read(path)] == [1, 2, 3]
    assert [each.name for each in path.parent.iterdir() if each.suffix == ".csv"] == ["metrics.csv"]
