"""``evaluate --truncation``: the metrics of samples at several truncations, as a table, a file and a picture."""

import argparse
import json
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_lightning.commands.errors import disk_errors_in_one_sentence
from gan_lightning.commands.options import path
from gan_lightning.visualization.image_sets import write_atomically

if TYPE_CHECKING:
    from gan_lightning.games.base import AdversarialModule
    from gan_lightning.metrics.image_sources import Samples
    from gan_lightning.visualization.curves import Curve

Scores = dict[str, float]
Truncation = float | None
"""None: samples that are not truncated."""

_NONE = "none"
_AGAIN = "run the same command again; the numbers are those above"


def add_truncations(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--truncation",
        type=truncations,
        nargs="+",
        action="extend",
        metavar="TAU",
        help="truncate the latents of the samples of --ckpt, as `generate` does; several, such as `0.2 0.5 1 none` or "
        "0.2,0.5,1,none, make a table of the metrics at each, for which the real images are read once",
    )
    parser.add_argument(
        "--plot",
        type=path,
        metavar="FILE.png",
        help="plot the first of --metrics against each other one, with a point for each --truncation",
    )


def truncations(text: str) -> list[Truncation]:
    """The type of an option that takes numbers, or `none`, between commas."""
    try:
        values = [None if part.strip() == _NONE else float(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: give numbers greater than 0, or {_NONE}") from None
    return values


def check_sweep(options: argparse.Namespace) -> list[Truncation]:
    """The truncations to evaluate, each once; a single None: the samples as they are.

    Raises:
        ValueError: They are of no use.
    """
    given: list[Truncation] = list(dict.fromkeys(value for part in options.truncation or [] for value in part))
    if options.ckpt is None and (given or options.standing_statistics is not None):
        option = "--truncation" if given else "--standing_statistics"
        raise ValueError(f"{option} changes how samples are made: it goes with --ckpt.")
    if options.plot is not None and len(given) < 2:
        raise ValueError("--plot shows the metrics at several truncations: give --truncation 0.2 0.5 1 none, say.")
    return given or [None]


def report_sweep(command: str, scores: dict[Truncation, Scores], file: Path | None, plot: Path | None) -> None:
    """Print the table; write the numbers and the picture where they are wanted."""
    names = list(next(iter(scores.values())))
    rows = [["truncation", *names]]
    rows += [[named(value), *(f"{found[name]:.6g}" for name in names)] for value, found in scores.items()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)))
    if file is not None:
        # JSON has no NaN and no infinity.
        numbers = [
            {"truncation": value, **{name: found[name] if math.isfinite(found[name]) else None for name in names}}
            for value, found in scores.items()
        ]
        with disk_errors_in_one_sentence(command, file, _AGAIN):
            file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(file, (json.dumps(numbers, indent=2) + "\n").encode())
    if plot is not None:
        from gan_lightning.visualization.curves import plot_curves
        from gan_lightning.visualization.images import write_png

        with disk_errors_in_one_sentence(command, plot, _AGAIN):
            plot.parent.mkdir(parents=True, exist_ok=True)
            write_png(plot, plot_curves(_curves(names, scores)))


def _curves(names: Sequence[str], scores: dict[Truncation, Scores]) -> "list[Curve]":
    """The first metric against each other one; a single metric against the truncations in their order."""
    from gan_lightning.visualization.curves import Curve

    first, *others = names
    labels = list(map(named, scores))
    found = list(scores.values())
    if not others:
        return [Curve("truncations in turn", first, [(i, each[first]) for i, each in enumerate(found)], labels)]
    return [Curve(other, first, [(each[other], each[first]) for each in found], labels) for other in others]


def truncated_samples(
    options: argparse.Namespace, model: "AdversarialModule", n: int, truncation: Truncation, texts: Sequence[str] = ()
) -> "Samples":
    """``n`` samples of the checkpoint at one truncation, with statistics of BatchNorm of its own if asked for.

    Args:
        options: Of the command.
        model: The checkpoint's.
        n: Number of samples.
        truncation: Of their latents.
        texts: What they show, in turn; none: it is not a model of texts.
    """
    from gan_lightning.inference import set_standing_statistics
    from gan_lightning.metrics.image_sources import Samples

    seed = options.seed or 0
    if options.standing_statistics is not None:
        set_standing_statistics(model, options.standing_statistics, seed=seed, truncation=truncation)
    given: dict[str, Any] = {} if truncation is None else {"truncation": truncation}
    if texts:
        given["texts"] = texts
    sample: Any = model.sample
    return Samples(partial(sample, **given), n, seed)


def named(truncation: Truncation) -> str:
    """A truncation in words."""
    return _NONE if truncation is None else f"{truncation:g}"
