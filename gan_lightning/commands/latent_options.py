"""Samples of kept latents: ``--latents``."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from gan_lightning.commands.from_checkpoint import load_sampler

if TYPE_CHECKING:
    from torch import Tensor

    from gan_lightning.games.base import AdversarialModule


def add_latents(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--latents",
        nargs="+",
        type=str,
        metavar="PATH",
        help="instead of samples, make the images of latents that `encode` or `reconstruct` has kept: files, or "
        "folders of them; `--labels` then takes the place of their own classes",
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


def kept_images(options: argparse.Namespace, start: int) -> "tuple[AdversarialModule, int, Iterator[Tensor]]":
    """Load the model; return it, the number of kept latents, and their images from ``start`` on.

    Raises:
        ValueError: There are none, or they are not of this model.
    """
    from gan_lightning.inference import check_labels
    from gan_lightning.inference.edit import KeptLatents, read_latents, render_kept

    files = [
        file
        for given in map(Path, options.latents)
        for file in (sorted(given.rglob("*.npz")) if given.is_dir() else [given])
    ]
    if not files:
        raise ValueError(f"--latents: there are no .npz files in {', '.join(map(str, options.latents))}.")
    model = load_sampler(options.ckpt, options.device)
    kept: list[KeptLatents] = [one for file in files for one in read_latents(file).split()]
    chosen = None if options.labels is None else check_labels(model, options.labels)
    # Made at once where they are wrong: before a folder is.
    render_kept(model, kept[0], None if chosen is None else chosen[0])
    images = (
        render_kept(model, kept[place], None if chosen is None else chosen[place % len(chosen)])
        for place in range(start, len(kept))
    )
    return model, len(kept), images
