"""Private parts of argparse and jsonargparse (4.53), which no public name gives; see ``trainer/internals.py``."""

import argparse
import re
from typing import Any


def options_of(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """The options that a parser has, with their names, defaults and help; argparse takes them and gives none back."""
    return parser._actions


def take_negative_values(parser: argparse.ArgumentParser) -> None:
    """Take what begins with a minus and a digit for a value, such as -1,0,#ff0000, and not for an unknown option."""
    parser._negative_number_matcher = re.compile(r"-\.?\d")


def type_of(option: argparse.Action | None) -> Any:
    """The annotation that jsonargparse made an option of. None: it has none, such as ``--help``."""
    return getattr(option, "_typehint", None)


def is_of_class(parser: argparse.ArgumentParser) -> bool:
    """Whether jsonargparse made a parser for the arguments of a class within another parser."""
    return getattr(parser, "_inner_parser", False)
