"""What a user has painted on the page, read from JSON."""

from typing import Any

from gan_lightning.games.hints import Hint
from gan_lightning.inference.edit import Dab, Line, Warp

_MOST = 500


def read_brushes(given: Any) -> list[Dab | Line | Warp]:
    """Brushes from lists of a kind and its numbers, such as ``["dab", 16, 20, 3, "#d22f27"]``.

    Raises:
        ValueError: There are none, too many, or one is none.
    """
    if not isinstance(given, list) or not 0 < len(given) <= _MOST:
        raise ValueError(f"Paint something first, at most {_MOST} dabs and lines at a time.")
    read: list[Dab | Line | Warp] = []
    for each in given:
        match each:
            case ["dab", x, y, radius, color]:
                read.append(Dab(_pixels(x), _pixels(y), _pixels(radius), _color(color)))
            case ["line", x, y, to_x, to_y]:
                read.append(Line(_pixels(x), _pixels(y), _pixels(to_x), _pixels(to_y)))
            case ["warp", x, y, radius, right, down]:
                read.append(Warp(_pixels(x), _pixels(y), _pixels(radius), _pixels(right), _pixels(down)))
            case _:
                raise ValueError("A brush is a dab, a line or a warp, with its numbers.")
    return read


def read_hints(given: Any) -> list[Hint]:
    """Hints from lists of a column, a row and a colour.

    Raises:
        ValueError: There are too many, or one is none.
    """
    if not isinstance(given, list) or len(given) > _MOST:
        raise ValueError(f"Hints are a list of at most {_MOST}.")
    if not all(isinstance(each, list) and len(each) == 3 for each in given):
        raise ValueError("A hint is a column, a row and a colour.")
    return [Hint(_pixels(x), _pixels(y), _color(color)) for x, y, color in given]


def _pixels(number: Any) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or abs(number) >= 2**20:
        raise ValueError("Places and sizes are whole numbers of pixels.")
    return number


def _color(text: Any) -> tuple[int, int, int]:
    try:
        red, green, blue = bytes.fromhex(str(text).removeprefix("#"))
    except ValueError:
        raise ValueError(f"{str(text)[:20]!r} is no colour such as #d22f27.") from None
    return red, green, blue
