"""What ``translate`` shows beside an image: a strip of strengths, every class, the way back."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_lightning.commands.strips import add_scale, add_strip, strengths

if TYPE_CHECKING:
    from gan_lightning.games.base import AdversarialModule
    from gan_lightning.inference import Column

OPTIONS = ("strip", "every_class", "back", "scale")
"""Options that determine the pictures."""


def add_pictures(parser: argparse.ArgumentParser) -> None:
    add_strip(
        parser,
        "for models that know attributes or classes: a picture of each image on the way from its own, at 0, to those "
        "asked for, at 1",
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
    if steps and "strength" not in getattr(game, "guidance", ()):
        raise ValueError(f"--strip: {name} has no attributes and no classes, to which it could go step by step.")
    if steps and not asked:
        raise ValueError("--strip goes from an image's own attributes to those asked for: give --attributes.")
    return [Column(f"{step:.3g}", asked, step) for step in steps] or [Column("made", asked)]


def write_picture(
    model: "AdversarialModule", file: Path, target: Path, columns: "list[Column]", options: argparse.Namespace
) -> None:
    """Write an image beside its translations, with a name above each.

    Raises:
        ImageError: The image cannot be read, or is too large for the device.
        OSError: The picture cannot be written.
    """
    from gan_lightning import inference
    from gan_lightning.visualization.captions import cells, table
    from gan_lightning.visualization.images import stack, write_png

    made = inference.translate_columns(model, file, columns, options.direction, options.seed, options.back)
    names = ["given", *(column.caption for column in columns), *(["back"] if options.back else [])]
    target.parent.mkdir(parents=True, exist_ok=True)
    picture = table([*cells(stack(made).cpu(), options.scale)], len(names), names, gap=options.scale)
    write_png(target.with_suffix(".png"), picture)
