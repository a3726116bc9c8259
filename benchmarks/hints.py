"""How far do hints reach, and do the colours of a reference come? Asked of a Colorization of OpenMoji's drawings.

    python -m benchmarks hints --ckpt last.ckpt --data-dir data/openmoji --out docs/images/colorization.png

Of every held-out drawing a point is chosen at random where the true emoji is coloured, and coloured once red and once
blue there: how much do these two results differ near the point and elsewhere, and in how many drawings more near it?
And each is coloured with another held-out emoji as its reference: how far are its mean colour and its histogram from
the reference's, with it and without? The histogram is that of ``palettes``, 8 x 8 x 8 bins, and the distance
Hellinger's, from 0 to 1. At last the PSNR to the true emoji: alone, with hints, with the palette of the true emoji.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from datamodules import PairedImageDataModule
from gan_lightning import inference
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.colorization import ColorizationGame
from gan_lightning.games.hints import Hint, palettes
from gan_lightning.visualization.captions import captioned
from gan_lightning.visualization.images import enlarge, grid, stack, to_uint8, write_png

RED, BLUE = (210, 47, 39), (30, 80, 170)
RADIUS = 5
COLOURED = 0.5  # the difference of red, green and blue, of 2, from which on a pixel is coloured
COLUMNS = ("drawing", "no hint", "red", "blue", "reference", "with it", "true")
ROWS = 6


def coloured_point(image: Tensor, generator: torch.Generator) -> tuple[int, int] | None:
    """A point (x, y), at random among the coloured pixels of an image, C x H x W; None: it has none."""
    places = (image.amax(0) - image.amin(0) > COLOURED).nonzero()
    if not len(places):
        return None
    y, x = places[int(torch.randint(len(places), (), generator=generator))].tolist()
    return x, y


def near_and_far(one: Tensor, other: Tensor, point: tuple[int, int], radius: int) -> tuple[float, float]:
    """Mean absolute difference of two images, C x H x W in [-1, 1], in levels of 255: near a point, and elsewhere."""
    difference = (one - other).abs().mean(0) * 127.5
    y, x = (torch.arange(side) for side in difference.shape)
    near = (y[:, None] - point[1]) ** 2 + (x - point[0]) ** 2 <= radius**2
    return float(difference[near].mean()), float(difference[~near].mean())


def distances(images: Tensor, references: Tensor) -> tuple[float, float]:
    """Means over images, N x 3 x H x W: distance of the mean colours in levels of 255, and of the histograms."""
    colours = (images.mean((2, 3)) - references.mean((2, 3))).norm(dim=1) * 127.5
    histograms = (palettes(images) - palettes(references)).norm(dim=1) / 2**0.5
    return float(colours.mean()), float(histograms.mean())


def report(model: ColorizationGame, drawings: Tensor, images: Tensor, seed: int) -> Tensor:
    """Print what is found, and return a picture of some rows: of drawings and true images in [-1, 1]."""
    generator = torch.Generator().manual_seed(seed)
    found = [(i, point) for i, image in enumerate(images) if (point := coloured_point(image, generator)) is not None]
    kept, points = [i for i, _ in found], [point for _, point in found]
    drawings, images = drawings[kept], images[kept]
    references = images.roll(len(images) // 2, 0)  # another one for each

    def made(i: int, **guidance: Any) -> Tensor:
        return model.translate(drawings[i : i + 1], **guidance)[0]

    everyone = range(len(images))
    plain = torch.stack([made(i) for i in everyone])
    like = torch.stack([made(i, reference=references[i : i + 1]) for i in everyone])
    red, blue = (torch.stack([made(i, hints=[Hint(*points[i], colour)]) for i in everyone]) for colour in (RED, BLUE))
    changes = torch.tensor([near_and_far(*each, RADIUS) for each in zip(red, blue, points, strict=True)])
    near, far = changes.mean(0).tolist()
    share = (changes[:, 0] > changes[:, 1]).float().mean()
    print(
        f"{len(images)} drawings, red or blue at a point: a difference of {near:.1f} levels within {RADIUS} pixels, "
        f"{far:.1f} elsewhere; more near it in {share:.1%}"
    )
    for name, results in {"with the reference": like, "without it": plain, "true images": images}.items():
        colour, histogram = distances(results, references)
        print(f"{name}: mean colour {colour:.1f} levels from the reference's, histogram {histogram:.3f}")
    psnr = {name: float(value) for name, value in model.validation_metrics(GameBatch(images, drawings)).items()}
    print(
        f"PSNR {psnr['psnr']:.1f} dB alone, {psnr['psnr_hints']:.1f} dB with hints as in training, "
        f"{psnr['psnr_palette']:.1f} dB with the true palettes"
    )
    step = max(1, len(images) // ROWS)
    cells = [
        each[i] for i in range(0, ROWS * step, step) for each in (drawings, plain, red, blue, references, like, images)
    ]
    picture = enlarge(grid(to_uint8(stack(cells)), len(COLUMNS)), 2)
    return captioned(picture, COLUMNS)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks hints")
    parser.add_argument("--ckpt", type=Path, required=True, help="checkpoint that `gan-lightning fit` wrote")
    parser.add_argument("--data-dir", default="data/openmoji", help="folder of OpenMoji (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="picture to write, .png")
    parser.add_argument("--seed", type=int, default=0, help="which points (default: %(default)s)")
    options = parser.parse_args(arguments)
    model = inference.load(options.ckpt)
    if not isinstance(model, ColorizationGame) or model.colors.of_one_image:
        parser.error(f"{type(model).__name__} colours no drawings.")
    side = model.hparams["image_shape"][1]
    data = PairedImageDataModule(
        options.data_dir, 64, side, folder_a="black", folder_b="color", condition_channels=model.given_channels
    )
    batches = [model.prepare_batch(raw) for raw in data.test_dataloader()]
    drawings, images = (torch.cat([getattr(batch, part) for batch in batches]) for part in ("condition", "real"))
    picture = report(model, drawings, images, options.seed)
    if options.out:
        write_png(options.out, picture)
