"""Where the images that ``generate`` makes go."""

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_FRAME_MS = 50
_END_MS = 500


def shown(batches: "Iterator[Tensor]", n: int) -> "Iterator[Tensor]":
    """The ``n`` images of the batches one by one, C x H x W, while a bar tells how far it is."""
    from tqdm import tqdm

    with tqdm(total=n, desc="Generating", unit=" images") as bar:
        for batch in batches:
            for image in batch.cpu():
                yield image
                bar.update()


def as_pixels(images: "Iterator[Tensor]") -> "Iterator[Tensor]":
    """Images in [-1, 1] as uint8."""
    from gan_lightning.images import to_uint8

    return map(to_uint8, images)


def write_samples(images: "Iterator[Tensor]", options: argparse.Namespace) -> None:
    """A file an image, or all images in ``grid.png``."""
    import torch

    from gan_lightning.images import grid, write_png

    place, n = options.out, 0
    if options.grid:
        samples = list(images)
        place, n = options.out / "grid.png", len(samples)
        write_png(place, grid(torch.stack(samples)))
    else:
        for n, image in enumerate(images, start=1):
            write_png(options.out / f"{n - 1:05d}.png", image)
    print(f"{n} samples are in {place}.")


def write_way(images: "Iterator[Tensor]", options: argparse.Namespace) -> None:
    """The images side by side in ``interpolation.png``, and as ``interpolation.gif`` if a video is wanted."""
    import torch

    from gan_lightning.images import grid, to_pil, write_gif, write_png

    frames = list(images)
    write_png(options.out / "interpolation.png", grid(torch.stack(frames), columns=len(frames)))
    if options.video:
        durations = [_END_MS, *[_FRAME_MS] * (len(frames) - 2), _END_MS]
        write_gif(options.out / "interpolation.gif", [to_pil(frame) for frame in frames], durations)
    print(f"The way from sample {options.interpolate[0]} to sample {options.interpolate[1]} is in {options.out}.")


def write_points(images: "Iterator[Tensor]", options: argparse.Namespace) -> None:
    """Points in the plane, images of 2 x 1 x 1: all of them in ``scatter.png``, and as numbers in ``points.csv``."""
    import numpy as np
    import torch

    from gan_lightning.images import write_png
    from gan_lightning.scatter import Window, draw_scatter

    points = torch.stack([*images]).flatten(1)
    write_png(options.out / "scatter.png", draw_scatter(points, Window.around(points)))
    # Nine digits tell every float32 from its neighbours.
    np.savetxt(options.out / "points.csv", points.numpy(), "%.9g", ",", header="x,y", comments="")
    print(f"{len(points)} points are in {options.out}.")
