"""Where the images that ``generate`` makes go."""

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_FRAME_MS = 50
_END_MS = 500


def shown(batches: "Iterator[Tensor]", n: int) -> "Iterator[Tensor]":
    """The ``n`` images of the batches one by one, uint8, C x H x W, while a bar tells how far it is."""
    from tqdm import tqdm

    from gan_lightning.images import to_uint8

    with tqdm(total=n, desc="Generating", unit=" images") as bar:
        for batch in batches:
            for image in to_uint8(batch).cpu():
                yield image
                bar.update()


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
