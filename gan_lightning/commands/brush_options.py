"""What a user paints, as options: hints of colour, and the brushes of ``edit``."""

import argparse
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gan_lightning.games.hints import Hint
    from gan_lightning.inference.edit import Dab, Line, Warp

_PLACES = "in pixels from the upper left corner"


def add_brushes(parser: argparse.ArgumentParser) -> None:
    """Add ``--paint``, ``--sketch`` and ``--warp``."""
    for name, kind, shape, what in (
        ("paint", dab, "X,Y,R,#RRGGBB", f"dabs of colour: middle, {_PLACES}, and radius"),
        ("sketch", line, "X,Y,X,Y", f"edges from one point to another, {_PLACES}"),
        ("warp", warp, "X,Y,R,RIGHT,DOWN", "square patches about a point that are to be so far to the right and down"),
    ):
        parser.add_argument(f"--{name}", type=kind, nargs="+", default=[], metavar=shape, help=what)


def hint(text: str) -> "Hint":
    """The type of a point and its colour."""
    from gan_lightning.games.hints import Hint

    (x, y), color = _places_and_color(text, 2, f"point and colour, column and row {_PLACES}: 16,20,#d22f27")
    return Hint(x, y, color)


def dab(text: str) -> "Dab":
    """The type of a disc of colour."""
    from gan_lightning.inference.edit import Dab

    what = f"dab, column, row {_PLACES}, radius and colour: 16,20,3,#d22f27"
    (x, y, radius), color = _places_and_color(text, 3, what)
    return Dab(x, y, radius, color)


def line(text: str) -> "Line":
    """The type of a line of a sketch."""
    from gan_lightning.inference.edit import Line

    return Line(*_numbers(text, 4, f"line, column and row of its start and of its end {_PLACES}: 10,20,30,20"))


def warp(text: str) -> "Warp":
    """The type of a patch that moves."""
    from gan_lightning.inference.edit import Warp

    what = (
        f"warp, column and row of its middle {_PLACES}, radius, and by how much it moves right and down: 16,20,4,3,-2"
    )
    return Warp(*_numbers(text, 5, what))


def _places_and_color(text: str, n: int, what: str) -> tuple[list[int], tuple[int, int, int]]:
    """Numbers of pixels, at least 0, and a colour.

    Raises:
        argparse.ArgumentTypeError: The text is something else.
    """
    found = re.fullmatch(r"((?:\d{1,9},)+)#([0-9a-fA-F]{6})", text)
    places = found[1].split(",")[:-1] if found else []
    if found is None or len(places) != n:
        raise argparse.ArgumentTypeError(f"{text!r} is no {what}")
    red, green, blue = bytes.fromhex(found[2])
    return [*map(int, places)], (red, green, blue)


def _numbers(text: str, n: int, what: str) -> list[int]:
    """Whole numbers, of either sign.

    Raises:
        argparse.ArgumentTypeError: The text is something else.
    """
    if not re.fullmatch(r"-?\d{1,9}(,-?\d{1,9})*", text) or text.count(",") != n - 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no {what}")
    return [*map(int, text.split(","))]
