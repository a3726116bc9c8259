"""The style of given images for samples of texts: ``--style``."""

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gan_lightning.commands.from_checkpoint import load_sampler
from gan_lightning.commands.options import whole
from gan_lightning.commands.text_options import tell_of_texts

if TYPE_CHECKING:
    from torch import Tensor

    from gan_lightning.games.base import AdversarialModule

_STEPS = 2000


def add_style(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--style",
        nargs="+",
        metavar="IMAGE",
        help="for models of texts: instead of samples, write style.png: a row for each image, and on its right each "
        "`--text` in its style. An encoder of styles learns from the model's own samples first",
    )
    parser.add_argument(
        "--style_steps", type=whole(1), metavar="N", help=f"steps in which that encoder learns (default: {_STEPS})"
    )


def check_style(options: argparse.Namespace) -> None:
    """Refuse options that do not go with ``--style``, or only with it.

    Raises:
        ValueError: There are some.
    """
    if not options.style:
        if options.style_steps is not None:
            raise ValueError("--style_steps goes only with --style, whose encoder learns for so many steps.")
        return
    if options.text is None and options.texts is None:
        raise ValueError("--style: give the texts that are to have the style of the images, by --text or --texts.")
    for name in ("n", "grid", "labels", "codes", "domain", "truncation"):
        if getattr(options, name):
            raise ValueError(f"--{name} does not go with --style, which writes one table of images and texts.")


def style_table(options: argparse.Namespace, start: int) -> "tuple[AdversarialModule, int, Iterator[Tensor]]":
    """Load the model; return it, the number of images of the table, and these in one batch."""
    from gan_lightning import inference

    model = load_sampler(options.ckpt, options.device)
    inference.check_texts(model, options.text)
    tell_of_texts(model, options.text)
    rows, columns = len(options.style), 1 + len(options.text)
    given = _read(options.style, model)

    def images() -> "Iterator[Tensor]":
        import torch

        encoder = inference.train_style_encoder(model, options.style_steps or _STEPS, seed=options.seed)
        made = inference.transfer_style(model, encoder, given, options.text).unflatten(0, (rows, columns - 1))
        yield torch.cat([model.scaled(given).to(made.device)[:, None], made], dim=1).flatten(0, 1)

    return model, rows * columns, images()


def _read(files: list[str], model: Any) -> "Tensor":
    """The images at the model's size, uint8.

    Raises:
        ValueError: One cannot be read.
    """
    import numpy as np
    import torch

    from datamodules.components.decoding import decode
    from datamodules.components.files import reason

    channels, height, width = model.image_shape
    images = []
    for file in files:
        try:
            images.append(torch.from_numpy(np.ascontiguousarray(decode(file, (height, width), channels))))
        except Exception as error:  # PIL raises many kinds.
            raise ValueError(f"--style: {file} cannot be read: {reason(error)}.") from error
    return torch.stack(images)


def write_style(images: "Iterator[Tensor]", options: argparse.Namespace, start: int = 0) -> None:
    """Write the table, cells x C x H x W each, into ``style.png``, with the texts above its columns."""
    from gan_lightning.visualization.captions import table
    from gan_lightning.visualization.images import write_png

    picture = table([*images], 1 + len(options.text), ["", *options.text], gap=options.scale)
    write_png(options.out / "style.png", picture)
    print(f"The table is in {options.out / 'style.png'}.")
