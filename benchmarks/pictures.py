"""A small picture of what a checkpoint draws, such as those of the README's table: 25 samples of about 160 pixels.

    python -m benchmarks pictures --ckpt last.ckpt --out docs/images/variants/sngan.png

A game with classes draws its samples class by class, one after the other. How each picture of the README was made
stands in results.yaml. Games that are given an image have theirs from the run's own folder `translations`.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gan_lightning import inference
from gan_lightning.games.image import ImageGame
from gan_lightning.games.label import LabelGame
from gan_lightning.variants import InfoGAN
from gan_lightning.visualization.images import enlarge, grid, to_uint8, write_png

N_SAMPLES = 25
SIDE = 160


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks pictures")
    parser.add_argument("--ckpt", type=Path, required=True, help="checkpoint that `gan-lightning fit` wrote")
    parser.add_argument("--out", type=Path, required=True, help="picture to write, .png")
    parser.add_argument("--seed", type=int, default=0, help="which samples (default: %(default)s)")
    options = parser.parse_args(arguments)
    model = inference.load(options.ckpt)
    if not isinstance(model, ImageGame | LabelGame):
        parser.error(f"{type(model).__name__} draws nothing of a latent alone.")
    asked: dict[str, Any] = {}
    if isinstance(model, LabelGame) and model.num_classes is not None:
        asked = {"labels": range(model.num_classes)}
    elif isinstance(model, InfoGAN):
        asked = {"codes": {"category": range(model.n_categories)}}
    picture = grid(to_uint8(model.sample(N_SAMPLES, seed=options.seed, **asked)))
    write_png(options.out, enlarge(picture, max(1, round(SIDE / picture.shape[1]))))
