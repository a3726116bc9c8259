"""Samples of kept latents: ``--latents``."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gan_lightning.commands.from_checkpoint import load_sampler

if TYPE_CHECKING:
    from torch import Tensor

    from gan_lightning.games.base import AdversarialModule
    from gan_lightning.inference.edit import KeptLatents


def add_latents(parser: argparse.ArgumentParser, more: str = "") -> None:
    """Add ``--latents``; ``more`` says what else holds of them."""
    parser.add_argument(
        "--latents",
        nargs="+",
        metavar="PATH",
        help=f"in place of samples, latents that `encode` or `reconstruct` has kept: files, or folders of them{more}",
    )


def check_latents(options: argparse.Namespace) -> None:
    """Refuse options that do not go with ``--latents``.

    Raises:
        ValueError: There are some.
    """
    names = ("n", "codes", "domain", "text", "texts", "truncation", "interpolate", "mix", "vary_noise", "style")
    for name in names if options.latents else ():
        if getattr(options, name):
            raise ValueError(f"--{name} does not go with --latents, which are of single images.")


def kept_latents(given: Sequence[str]) -> "list[tuple[str, KeptLatents]]":
    """Kept latents, one by one, each with the path of its file in the folder that is given, without ``.npz``.

    Args:
        given: Files, or folders of them at any depth.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: There are none, or a file holds none.
    """
    from gan_lightning.inference.edit import read_latents

    files = [
        (file.relative_to(place if place.is_dir() else place.parent).with_suffix("").as_posix(), file)
        for place in map(Path, given)
        for file in (sorted(place.rglob("*.npz")) if place.is_dir() else [place])
    ]
    if not files:
        raise ValueError(f"--latents: there are no .npz files in {', '.join(map(str, given))}.")
    return [(name, one) for name, file in files for one in read_latents(file).split()]


def kept_images(options: argparse.Namespace, start: int) -> "tuple[AdversarialModule, int, Iterator[Tensor]]":
    """Load the model; return it, the number of kept latents, and their images from ``start`` on.

    Raises:
        ValueError: There are none, or they are not of this model.
    """
    from gan_lightning.inference import check_labels
    from gan_lightning.inference.edit import render_kept

    kept = [one for _, one in kept_latents(options.latents)]
    model = load_sampler(options.ckpt, options.device)
    chosen = None if options.labels is None else check_labels(model, options.labels)
    # Made at once where they are wrong: before a folder is.
    render_kept(model, kept[0], None if chosen is None else chosen[0])
    images = (
        render_kept(model, kept[place], None if chosen is None else chosen[place % len(chosen)])
        for place in range(start, len(kept))
    )
    return model, len(kept), images
