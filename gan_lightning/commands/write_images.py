"""Write the images of ``generate``: files, a grid, an interpolation, points."""

import argparse
import io
import math
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gan_lightning.visualization.image_sets import write_atomically

if TYPE_CHECKING:
    from torch import Tensor

_FRAME_MS = 50
_END_MS = 500

NOISES = 4
"""Images of a sample in a table of noise."""


def first_missing(options: argparse.Namespace, suffixes: Sequence[str] = (".png", ".npy")) -> int:
    """The number of the first sample without a file of these suffixes; 0 where there is no file for each."""
    number = 0
    if not (options.grid or options.interpolate or options.mix or options.vary_noise or options.style):
        # Files are written in order, so the first gap is where the command was cut off.
        while any(sample_file(options.out, number, suffix).is_file() for suffix in suffixes):
            number += 1
    return number


def sample_file(folder: Path, number: int, suffix: str) -> Path:
    return folder / f"{number:05d}{suffix}"


def with_progress_bar(batches: "Iterator[Tensor]", n: int, start: int) -> "Generator[Tensor]":
    """Images ``start`` to ``n - 1`` of the batches one by one, C x H x W, with a progress bar."""
    from tqdm import tqdm

    with tqdm(total=n, initial=start, desc="Generating", unit=" images") as bar:
        for batch in batches:
            for image in batch.cpu():
                yield image
                bar.update()


def write_samples(images: "Iterator[Tensor]", options: argparse.Namespace, start: int) -> None:
    """Write one file a sample from number ``start`` on, or all into ``grid.png`` with numbered rows.

    Args:
        images: C x H x W, uint8 or uint16; of a grid, cells x C x H x W, uint8.
        options: Of the command.
        start: Number of the first image.
    """
    import torch

    from gan_lightning.visualization.captions import captioned
    from gan_lightning.visualization.images import file_suffix, grid, write_image, write_png

    place, n = options.out, start
    if options.grid:
        samples = list(images)
        place, n = options.out / "grid.png", len(samples)
        # Of an image that a picture cannot show as a whole, one cell for each channel.
        cells = torch.cat([sample.view(-1, *sample.shape[-3:]) for sample in samples])
        # A row for each text, whose name it has.
        columns = math.ceil(math.sqrt(n)) if options.text is None else n // len(options.text)
        names = options.text or [str(first) for first in range(0, n, columns)]
        picture = grid(cells, columns * (len(cells) // n), options.scale)
        write_png(place, captioned(picture, rows=names))
    else:
        for n, image in enumerate(images, start=start + 1):
            suffix = f".{options.format}" if options.format else file_suffix(len(image))
            file = sample_file(options.out, n - 1, suffix)
            # A command that goes on makes whole batches again, and keeps the files that are there.
            if not file.is_file():
                write_image(file, image)
    print(f"{n} samples are in {place}.")


def write_interpolation(images: "Iterator[Tensor]", options: argparse.Namespace, start: int = 0) -> None:
    """Write ways, rows of frames, cells x C x H x W each, into ``interpolation.png``; with ``--video`` also a GIF."""
    import torch

    from gan_lightning.visualization.captions import table
    from gan_lightning.visualization.images import to_pil, write_gif, write_png

    # All at once: they become one picture.
    made = [*images]
    names = [" to ".join(map(str, way)) for way in options.interpolate]
    picture = table(made, len(made) // len(names), rows=names if len(names) > 1 else (), gap=options.scale)
    write_png(options.out / "interpolation.png", picture)
    if options.video:
        frames = torch.stack([torch.cat([*cells], dim=1) for cells in made])
        # The frames of all ways at a time, one below the other: rows x columns x C x H x W to columns
        together = [torch.cat([*column], dim=1) for column in frames.unflatten(0, (len(names), -1)).transpose(0, 1)]
        # The first and last frame stay longer.
        durations = [_END_MS, *[_FRAME_MS] * (len(together) - 2), _END_MS]
        write_gif(options.out / "interpolation.gif", [to_pil(frame) for frame in together], durations)
    ways = f"way from sample {names[0]} is" if len(names) == 1 else f"ways from sample {', '.join(names)} are"
    print(f"The {ways} in {options.out}.")


def write_table(images: "Iterator[Tensor]", options: argparse.Namespace, start: int = 0) -> None:
    """Write the images of a table, cells x C x H x W each, into ``mixing.png`` or ``noise.png``."""
    from gan_lightning.visualization.captions import table
    from gan_lightning.visualization.images import write_png

    made = [*images]
    columns = NOISES + 1 if options.vary_noise else math.isqrt(len(made))
    place = options.out / ("noise.png" if options.vary_noise else "mixing.png")
    write_png(place, table(made, columns, gap=options.scale))
    print(f"The table is in {place}.")


def write_points(images: "Iterator[Tensor]", options: argparse.Namespace) -> None:
    """Write points in the plane (images of 2 x 1 x 1) to ``scatter.png`` and ``points.csv``."""
    import numpy as np
    import torch

    from gan_lightning.visualization.images import write_png
    from gan_lightning.visualization.scatter_plot import Window, plot_scatter

    # n x 2
    points = torch.stack([*images]).flatten(1)
    write_png(options.out / "scatter.png", plot_scatter(points, Window.around(points)))
    table = io.BytesIO()
    # Nine digits tell every float32 from its neighbours.
    np.savetxt(table, points.numpy(), "%.9g", ",", header="x,y", comments="")
    write_atomically(options.out / "points.csv", table.getvalue())
    print(f"{len(points)} points are in {options.out}.")
