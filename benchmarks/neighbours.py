"""Do the latents that an encoder finds tell classes apart? Judged by the nearest neighbour, on MNIST or the like.

    python -m benchmarks neighbours --ckpt last.ckpt --data-dir DIR

Each test image gets the label of the training image whose latent is nearest, by the Euclidean distance, as in BiGAN's
table 1 (arXiv 1605.09782). Beside it stand the same for an encoder that was never trained and for the pixels.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

import datamodules
from datamodules.components.loading import ImageSource
from gan_lightning import inference
from gan_lightning.metrics.image_sources import real_images
from gan_lightning.variants import ALI

BATCH_SIZE = 500
DATA = ["MNISTDataModule", "FashionMNISTDataModule", "DigitsDataModule"]


def neighbour_accuracy(known: Tensor, labels: Tensor, asked: Tensor, truth: Tensor) -> float:
    """The share of vectors asked about (M x d) whose nearest among those known (N x d) has the true label."""
    squares = known.square().sum(dim=1)
    # The square of the vector asked about is the same for all its neighbours.
    nearest = [(squares - 2 * some @ known.T).argmin(dim=1) for some in asked.split(BATCH_SIZE)]
    return float((labels[torch.cat(nearest)] == truth).float().mean())


def report(model: ALI, known: tuple[Tensor, Tensor], asked: tuple[Tensor, Tensor]) -> None:
    """Print what is found of a model, given images (uint8) and labels to look among and to ask about."""
    torch.manual_seed(0)
    untrained = type(model)(**model.hparams).eval()
    ways: dict[str, Callable[[Tensor], Tensor]] = {
        "the encoder's latents": model.encode,
        "an untrained encoder's": untrained.encode,
        "pixels": lambda images: images.flatten(1).float() / 255,
    }
    for name, way in ways.items():
        accuracy = neighbour_accuracy(way(known[0]), known[1], way(asked[0]), asked[1])
        print(f"the nearest of {len(known[1])} by {name}: {accuracy:.2%} of {len(asked[1])} labels")


def _all(source: ImageSource) -> tuple[Tensor, Tensor]:
    (images,) = source.image_batches([torch.arange(len(source))])
    assert source.labels is not None
    return images, source.labels


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks neighbours")
    parser.add_argument("--ckpt", type=Path, required=True, help="checkpoint that `gan-lightning fit` wrote")
    parser.add_argument("--data", choices=DATA, default=DATA[0], help="default: %(default)s")
    parser.add_argument("--data-dir", default="data", help="folder that holds MNIST/raw")
    options = parser.parse_args(arguments)
    model = inference.load(options.ckpt)
    if not isinstance(model, ALI):
        parser.error(f"{type(model).__name__} has no encoder: give a checkpoint of ALI.")
    folder = {} if options.data == "DigitsDataModule" else {"data_dir": options.data_dir}
    data = getattr(datamodules, options.data)(image_size=model.image_shape[1], **folder)
    data.prepare_data()
    report(model, _all(real_images(data, "train")), _all(real_images(data, "test")))
