"""Pictures of what a trained generator of styles does: two of its samples composed, and samples at several truncations.

    python -m benchmarks compositions --ckpt last.ckpt --pairs 3 8 5 1 --out composed.png --truncations truncated.png

Each row of the first picture is a pair of samples and, of both, what `gan-lightning compose` makes: blended side by
side and one above the other, the upper half of the other transferred, and the middle of the other copied. The second
has a row for each truncation psi and a column for each sample.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gan_lightning import inference
from gan_lightning.inference.edit import KeptLatents, blend, kept_samples, ramp, swap_patch, transfer_box
from gan_lightning.visualization.captions import captioned
from gan_lightning.visualization.images import enlarge, grid, to_uint8, write_png

COLUMNS = ("first", "other", "beside", "above", "upper half", "middle")
TRUNCATIONS = (1.0, 0.8, 0.6, 0.4, 0.2, 0.0)
N_SAMPLES = 12
SCALE = 2


def compositions(model: Any, first: KeptLatents, other: KeptLatents) -> list[Tensor]:
    """A row of the picture: the two, and what is made of them, 1 x C x H x W each."""
    _, height, width = model.image_shape
    either = torch.zeros(height, width)
    middle = (width / 4, height / 4, 3 * width / 4, 3 * height / 4)
    return [
        blend(model, first, other, either),
        blend(model, first, other, 1 - either),
        blend(model, first, other, ramp(height, width)),
        blend(model, first, other, ramp(height, width, "vertical")),
        transfer_box(model, first, other, (0, 0, width, height / 2)),
        swap_patch(model, first, other, middle),
    ]


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks compositions")
    parser.add_argument("--ckpt", type=Path, required=True, help="checkpoint of a StyleGAN or a StyleGAN2")
    parser.add_argument("--pairs", type=int, nargs="+", required=True, help="numbers of samples, two for each row")
    parser.add_argument("--out", type=Path, required=True, help="picture of the compositions to write, .png")
    parser.add_argument("--truncations", type=Path, required=True, help="picture of the truncations to write, .png")
    options = parser.parse_args(arguments)
    if len(options.pairs) % 2:
        parser.error("--pairs: give two samples for each row.")
    model = inference.load(options.ckpt)
    kept = kept_samples(model, options.pairs)
    made = [each for row in zip(kept[::2], kept[1::2], strict=True) for each in compositions(model, *row)]
    picture = enlarge(grid(to_uint8(torch.cat(made)), len(COLUMNS)), SCALE)
    write_png(options.out, captioned(picture, COLUMNS))
    samples = torch.cat([model.sample(N_SAMPLES, truncation=psi) for psi in TRUNCATIONS])
    rows = [f"psi = {psi:g}" for psi in TRUNCATIONS]
    write_png(options.truncations, captioned(enlarge(grid(to_uint8(samples), N_SAMPLES), SCALE), (), rows))
