"""Runs as they train: the pictures in a run's folder, and the curves of its ``metrics.csv``."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

METRICS = "metrics.csv"
_PICTURES = (".png", ".gif")
_DEEPEST = 3
_MOST_POINTS = 400
_MOST_BYTES = 64 << 20


class Runs:
    """The runs under a folder. Nothing outside of it is read, links that lead out of it included.

    Args:
        root: The folder.

    Raises:
        ValueError: It is none.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise ValueError(f"--runs {root} is no folder: give the one that `fit` writes its runs into.")
        self.root = root.resolve()

    def names(self) -> list[str]:
        """Paths of the runs under the folder, the one that was written to last first."""
        found = []
        for depth in range(_DEEPEST + 1):
            for file in self.root.glob("/".join(["*"] * depth + [METRICS])):
                if self._inside(file):
                    found.append((file.stat().st_mtime, file.parent.relative_to(self.root).as_posix()))
        return [name for _, name in sorted(found, reverse=True)]

    def told(self, name: str) -> dict[str, Any]:
        """A run as JSON: names of its pictures by kind, and its curves.

        Raises:
            ValueError: There is no such run.
        """
        folder = self._folder(name)
        return {"name": name, "pictures": self._pictures(folder), "curves": curves_in(folder / METRICS)}

    def picture(self, name: str, file: str) -> bytes:
        """The bytes of a picture of a run.

        Raises:
            ValueError: There is none of that name.
        """
        known = {each for names in self._pictures(self._folder(name)).values() for each in names}
        if file not in known:  # and so no path that leads elsewhere
            raise ValueError(f"The run {name} has no picture {file}.")
        return (self.root / name / file).read_bytes()

    def checkpoint(self, name: str) -> Path | None:
        """Its last checkpoint; None: there is none yet."""
        file = self._folder(name) / "checkpoints" / "last.ckpt"
        return file if self._inside(file) else None

    def _folder(self, name: str) -> Path:
        if name not in self.names():
            raise ValueError(f"There is no run {name!r}.")
        return self.root / name

    def _pictures(self, folder: Path) -> dict[str, list[str]]:
        kinds: dict[str, list[str]] = {}
        for file in sorted((*folder.glob("*"), *folder.glob("*/*"))):
            if file.suffix in _PICTURES and self._inside(file):
                place = file.relative_to(folder)
                kinds.setdefault(place.parent.name or "animations", []).append(place.as_posix())
        return kinds

    def _inside(self, file: Path) -> bool:
        return file.is_file() and file.resolve().is_relative_to(self.root)


def curves_in(file: Path) -> dict[str, list[tuple[float, float]]]:
    """Curves of a metrics file by column: (step, value), at most 400 of each; what is no number is left out."""
    curves: dict[str, list[tuple[float, float]]] = {}
    with open(file, "rb") as content:
        text = content.read(_MOST_BYTES).decode("utf-8-sig", errors="replace")
    for row in csv.DictReader(text.splitlines()):
        step = _number(row.get("step"))
        for name, value in row.items():
            if step is not None and name not in ("step", "epoch", None) and (y := _number(value)) is not None:
                curves.setdefault(name, []).append((step, y))
    return {name: _thinned(points) for name, points in sorted(curves.items())}


def _number(text: Any) -> float | None:
    try:
        number = float(text)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    stride = -(-len(points) // _MOST_POINTS)
    # Counted from the end, so that the newest is always there.
    return points[::-1][::stride][::-1]
