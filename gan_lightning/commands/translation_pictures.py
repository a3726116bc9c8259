"""What ``translate`` shows beside an image: a strip of strengths, every class, the way back."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_lightning.commands.from_checkpoint import load_model
from gan_lightning.commands.options import path
from gan_lightning.commands.strips import add_scale, add_strip, strengths
from gan_lightning.visualization.image_sets import fingerprint

if TYPE_CHECKING:
    from gan_lightning.games.base import AdversarialModule
    from gan_lightning.inference import Column, WeightPath

OPTIONS = ("strip", "weights_towards", "every_class", "back", "scale")
"""Options that determine the pictures."""


def add_pictures(parser: argparse.ArgumentParser) -> None:
    add_strip(
        parser,
        "for models that know attributes or classes: a picture of each image on the way from its own, at 0, to those "
        "asked for, at 1",
    )
    parser.add_argument(
        "--towards",
        type=path,
        metavar="PATH",
        help="with --strip, for any model: instead, the generator's weights go from those of --ckpt, at 0, to those of "
        "this checkpoint, at 1, such as of an earlier step or of a run that went on from it",
    )
    parser.add_argument(
        "--every_class",
        action="store_true",
        help="for models that know attributes or classes: a picture of each image with every one of them in turn",
    )
    parser.add_argument(
        "--back",
        action="store_true",
        help="a picture of each image, its translation and what this becomes when it is translated back; also at the "
        "end of a strip",
    )
    add_scale(parser)


def asks_for_pictures(options: argparse.Namespace) -> bool:
    """Whether results are pictures with names, and not translations alone."""
    return bool(options.strip or options.every_class or options.back)


def columns_of(model: "AdversarialModule", options: argparse.Namespace) -> "list[Column]":
    """The translations in a picture.

    Raises:
        ValueError: The model does not make them, or options do not go together.
    """
    from gan_lightning.inference import Column

    game: Any = model
    name = type(model).__name__
    if options.scale > 1 and not asks_for_pictures(options):
        raise ValueError("--scale is of pictures: it goes only with --strip, --every_class and --back.")
    if options.bits != 8 and asks_for_pictures(options):
        raise ValueError("--bits 16 is of a translation alone: leave out --strip, --every_class and --back.")
    if asks_for_pictures(options) and (options.hints or options.reference):
        raise ValueError("--hints and --reference are of a translation alone: leave them out of pictures of several.")
    if options.back and not hasattr(model, "translate_back"):
        raise ValueError(f"--back: {name} has no translation back.")
    asked = dict(options.attributes)
    if options.every_class:
        if options.strip or options.back or asked:
            raise ValueError("--every_class has a column for each class: leave out --strip, --back and what is asked.")
        if not getattr(game, "every_edit", None):
            raise ValueError(f"--every_class: {name} has no classes and no attributes.")
        return [Column(caption, edits) for caption, edits in game.every_edit.items()]
    steps = strengths(options.strip)
    if options.towards:
        if not steps:
            raise ValueError("--towards goes with --strip, such as --strip 0 1 5.")
        return [Column(f"{step:.3g}", asked, step) for step in steps]
    if steps and "strength" not in getattr(game, "guidance", ()):
        raise ValueError(
            f"--strip: {name} has no attributes and no classes, to which it could go step by step: give another "
            "checkpoint, --towards."
        )
    if steps and not asked:
        raise ValueError("--strip goes from an image's own attributes to those asked for: give --attributes.")
    return [Column(f"{step:.3g}", asked, step) for step in steps] or [Column("made", asked)]


def path_of(model: "AdversarialModule", options: argparse.Namespace) -> "WeightPath | None":
    """The way of the weights to those of ``--towards``; None: they stay.

    Raises:
        ValueError: The checkpoint cannot be read, or is of other networks.
    """
    from gan_lightning import inference
    from gan_lightning.inference.checkpoint import local_path

    options.weights_towards = None
    if options.towards is None:
        return None
    options.weights_towards = fingerprint(local_path(options.towards))
    return inference.WeightPath(model, load_model(options.towards, options.device))


def write_picture(
    model: "AdversarialModule",
    file: Path,
    target: Path,
    columns: "list[Column]",
    way: "WeightPath | None",
    options: argparse.Namespace,
) -> None:
    """Write an image beside its translations, with a name above each.

    Raises:
        ImageError: The image cannot be read, or is too large for the device.
        OSError: The picture cannot be written.
    """
    from gan_lightning import inference
    from gan_lightning.visualization.captions import cells, table
    from gan_lightning.visualization.images import enlarge, stack, write_png

    made = inference.translate_columns(model, file, columns, options.direction, options.seed, options.back, way)
    # Beside larger results the image is as large as they are.
    made[0] = enlarge(made[0], made[1].shape[1] // made[0].shape[1])
    names = ["given", *(column.caption for column in columns), *(["back"] if options.back else [])]
    target.parent.mkdir(parents=True, exist_ok=True)
    picture = table([*cells(stack(made).cpu(), options.scale)], len(names), names, gap=options.scale)
    write_png(target.with_suffix(".png"), picture)
