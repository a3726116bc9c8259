"""Do CoGAN's two images of a latent show the same? Judged where the way from A to B is known: digits and their edges.

    python -m benchmarks pairs --ckpt last.ckpt

The edges of G_A(z) are computed, and compared with G_B(z): the share of pixels on the same side of the middle grey, as
in the paper's section 4, and, since most pixels are black in any two images, the intersection over the union of the
bright ones. Beside it stands the same for G_B of another latent: what any two images of the domains have in common.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from datamodules.components.tensors import edges
from gan_lightning import inference
from gan_lightning.variants import CoGAN
from gan_lightning.visualization.images import to_uint8


def agreement(images: Tensor, others: Tensor) -> tuple[float, float]:
    """The share of pixels, of uint8 images of one shape, that are bright in both or dark in both.

    Returns:
        That share, and the pixels that are bright in both, as a share of those that are bright in either.
    """
    bright, other = images > 127, others > 127
    either = (bright | other).sum()
    return float((bright == other).float().mean()), float((bright & other).sum() / either.clamp(min=1))


def report(model: CoGAN, n: int, seed: int) -> None:
    """Print what is found of so many pairs."""
    digits, made = (to_uint8(model.sample(n, seed=seed, domain=domain)) for domain in model.domains)
    true = edges(digits)
    for name, others in (("of the same latent", made), ("of another latent", made.roll(1, dims=0))):
        same, overlap = agreement(true, others)
        print(f"{n} pairs {name}: {same:.2%} of the pixels agree, bright ones overlap by {overlap:.2%}")


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks pairs")
    parser.add_argument("--ckpt", type=Path, required=True, help="checkpoint that `gan-lightning fit` wrote")
    parser.add_argument("--n", type=int, default=10_000, help="pairs (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="which samples (default: %(default)s)")
    options = parser.parse_args(arguments)
    model = inference.load(options.ckpt)
    if not isinstance(model, CoGAN):
        parser.error(f"{type(model).__name__} makes no pairs: give a checkpoint of CoGAN.")
    report(model, options.n, options.seed)
