"""Parser of the commands that do not use Lightning's; errors are one sentence that names the option."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from gan_lightning.commands.parser_internals import take_negative_values


class OptionParser(argparse.ArgumentParser):
    """A parser whose help keeps its lines and whose mistakes are one sentence, exit code 2."""

    def __init__(self, **kwargs: Any) -> None:
        # No abbreviations: an option that is cut short is mostly a mistake.
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **kwargs)
        take_negative_values(self)

    def error(self, message: str) -> NoReturn:
        one_line = " ".join(message.removeprefix("argument ").split())
        self.exit(2, f"{self.prog}: {one_line} (see --help).\n")


def whole(least: int | None = None) -> Callable[[str], int]:
    """The type of an option that takes a whole number.

    Args:
        least: The smallest one. None: there is none.
    """

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None
        if least is not None and number < least:
            raise argparse.ArgumentTypeError(f"{text} is less than {least}")
        return number

    return read


def layers(text: str) -> tuple[int, int]:
    """The type of an option that takes a range of layers, such as 3:8."""
    first, colon, last = text.partition(":")
    if not (colon and first.isdecimal() and last.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is no range of layers, the first and the one after the last: 3:8")
    return int(first), int(last)


def number(text: str) -> float:
    """The type of an option that takes a number."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None


def path(text: str) -> Path:
    """The type of an option that takes a path."""
    if not text.strip():
        raise argparse.ArgumentTypeError("the path is empty")
    if "\0" in text:
        raise argparse.ArgumentTypeError("no path has a null character in it")
    return Path(text)


def one_or_two(name: str, values: Sequence[int]) -> int | tuple[int, int]:
    """A size from one number, of a square, or from height and width.

    Raises:
        ValueError: There are more.
    """
    if len(values) > 2:
        raise ValueError(f"--{name} {' '.join(map(str, values))}: give one number, or height and width.")
    return values[0] if len(values) == 1 else (values[0], values[1])


def refuse_unknown(rest: Sequence[str], *, takes_data: bool = True) -> None:
    """Refuse what a command's own parser has left over, other than options of its data module, ``--data.NAME``.

    Raises:
        ValueError: There is an option that neither has.
    """
    # The data module's parser would take them for options of its own, and name those that it has.
    unknown = [each for each in rest if each.startswith("--") and not each.startswith("--data.")]
    for option in unknown if takes_data else rest:
        raise ValueError(f"there is no option {option.partition('=')[0]} (see --help).")
