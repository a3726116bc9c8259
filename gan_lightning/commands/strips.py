"""Strips: how commands ask for the strengths of their columns."""

import argparse
import math

from gan_lightning.commands.options import number, whole


def add_strip(parser: argparse.ArgumentParser, what: str) -> None:
    """Add ``--strip``; ``what`` says what the picture shows."""
    parser.add_argument(
        "--strip", nargs=3, type=number, metavar=("FROM", "TO", "N"), help=f"{what}: N strengths from FROM to TO"
    )


def add_scale(parser: argparse.ArgumentParser) -> None:
    """Add ``--scale``."""
    parser.add_argument(
        "--scale", type=whole(1), default=1, metavar="N", help="make every pixel N x N large (default: %(default)s)"
    )


def strengths(strip: list[float] | None) -> list[float]:
    """The strengths of ``--strip``.

    Raises:
        ValueError: Their number is no whole one from 2, or one is not finite.
    """
    if strip is None:
        return []
    first, last, n = strip
    if not (math.isfinite(first) and math.isfinite(last) and n >= 2 and n == int(n)):
        raise ValueError("--strip: give the first strength, the last one, and how many, at least 2: --strip -3 3 7.")
    return [first + (last - first) * step / (int(n) - 1) for step in range(int(n))]
