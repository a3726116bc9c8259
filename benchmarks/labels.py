"""Do samples show the class asked for? And do InfoGAN's categories become the classes? Judged on MNIST or the like.

    python -m benchmarks labels --ckpt last.ckpt --data-dir DIR

The judge is the evaluation's `classifier`, trained on the training images' labels; classes and categories are asked for
equally often. Of InfoGAN, Q names the category of every held-out image, and each category is matched to one class, no
two to the same, so that most images agree (the Hungarian method); then the same is done with samples, whose category
is known and whose class the judge names.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

import datamodules
from gan_lightning import inference
from gan_lightning.games.label import LabelGame
from gan_lightning.metrics.cache import TensorCache
from gan_lightning.metrics.classifier import Classifier, trained_classifier
from gan_lightning.metrics.image_sources import real_images
from gan_lightning.variants import InfoGAN
from gan_lightning.visualization.images import to_uint8

BATCH_SIZE = 500
DATA = ["MNISTDataModule", "FashionMNISTDataModule", "DigitsDataModule"]


def accuracy_by_class(seen: Tensor, asked: Tensor, num_classes: int) -> Tensor:
    """Of each class, the share of the images asked to be of it (N,) that are seen (N,) to be."""
    hits = torch.bincount(asked[seen == asked], minlength=num_classes)
    return hits / torch.bincount(asked, minlength=num_classes)


def matched_accuracy(categories: Tensor, classes: Tensor) -> tuple[float, dict[int, int]]:
    """The share of images whose category (N,) is matched to their class (N,), and the matching.

    The matching is the best of all that give no class to two categories. A category beyond the number of classes has
    none, and its images count as wrong.
    """
    n_categories, num_classes = int(categories.max()) + 1, int(classes.max()) + 1
    pairs = torch.bincount(categories * num_classes + classes, minlength=n_categories * num_classes)
    counts = pairs.view(n_categories, num_classes).numpy()
    rows, columns = linear_sum_assignment(counts, maximize=True)
    return counts[rows, columns].sum() / len(classes), dict(zip(rows.tolist(), columns.tolist(), strict=True))


@torch.no_grad()
def named(judge: Classifier, images: Tensor) -> Tensor:
    """The class that the judge sees in uint8 images."""
    return torch.cat([judge(some).logits.argmax(dim=1) for some in images.split(BATCH_SIZE)])


@torch.no_grad()
def categories_of(model: InfoGAN, images: Tensor) -> Tensor:
    """The category that Q reads from uint8 images."""
    return torch.cat(
        [model.discriminator(model.prepare_batch(some).real)[1].argmax(1) for some in images.split(BATCH_SIZE)]
    )


def report(model: LabelGame | InfoGAN, judge: Classifier, images: Tensor, labels: Tensor, n: int, seed: int) -> None:
    """Print what is found of a model, given held-out images (uint8) and their labels."""
    print(f"the judge, on {len(images)} held-out images: {(named(judge, images) == labels).float().mean():.2%}")
    if isinstance(model, LabelGame):
        asked = torch.arange(n) % model.num_classes
        samples = model.sample(n, seed=seed, labels=range(model.num_classes))
        shares = accuracy_by_class(named(judge, to_uint8(samples)), asked, model.num_classes)
        print(f"{n} samples that show the class asked for: {shares.mean():.2%}")
        print(f"  the worst class, {shares.argmin()}: {shares.min():.2%}")
    else:
        accuracy, matching = matched_accuracy(categories_of(model, images), labels)
        print(f"held-out images whose category is matched to their class: {accuracy:.2%} {matching}")
        asked = torch.arange(n) % model.n_categories
        samples = model.sample(n, seed=seed, codes={"category": range(model.n_categories)})
        accuracy, matching = matched_accuracy(asked, named(judge, to_uint8(samples)))
        print(f"{n} samples whose category is matched to the class they show: {accuracy:.2%} {matching}")


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks labels")
    parser.add_argument("--ckpt", type=Path, required=True, help="checkpoint that `gan-lightning fit` wrote")
    parser.add_argument("--data", choices=DATA, default=DATA[0], help="default: %(default)s")
    parser.add_argument("--data-dir", default="data", help="folder that holds MNIST/raw")
    parser.add_argument("--n", type=int, default=10_000, help="samples (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="which samples (default: %(default)s)")
    options = parser.parse_args(arguments)
    model = inference.load(options.ckpt)
    if not isinstance(model, LabelGame | InfoGAN):
        parser.error(f"{type(model).__name__} has neither classes nor categories.")
    folder = {} if options.data == "DigitsDataModule" else {"data_dir": options.data_dir}
    data = getattr(datamodules, options.data)(image_size=model.image_shape[1], **folder)
    data.prepare_data()
    judge = trained_classifier(real_images(data, "train"), TensorCache())
    held_out = real_images(data, "test")
    assert held_out.labels is not None
    (images,) = held_out.image_batches([torch.arange(len(held_out))])
    report(model, judge, images, held_out.labels, options.n, options.seed)
