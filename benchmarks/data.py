"""One epoch of MNIST: our loader against torchvision's dataset in a DataLoader.

    python -m benchmarks data --data-dir DIR

Both give shuffled batches of 64 images at 28 x 28 with their labels. The runs alternate, so that whatever else the
machine does falls on all of them; printed are medians over the rounds and, for the ratio, its lowest and highest
value in a round.
"""

import argparse
from collections.abc import Iterable, Sequence
from statistics import median
from time import perf_counter

from torch.utils.data import DataLoader
from torchvision.datasets import MNIST
from torchvision.transforms import ToTensor

from datamodules import MNISTDataModule

BATCH_SIZE = 64


def seconds(loader: Iterable[object]) -> float:
    """The time of one epoch."""
    start = perf_counter()
    for _ in loader:
        pass
    return perf_counter() - start


def main(arguments: Sequence[str]) -> None:
    """Runs the benchmark and prints a line for each loader."""
    parser = argparse.ArgumentParser("python -m benchmarks data")
    parser.add_argument("--data-dir", default="data", help="folder that holds MNIST/raw")
    parser.add_argument("--rounds", type=int, default=5, help="epochs of each loader")
    options = parser.parse_args(arguments)

    data = MNISTDataModule(options.data_dir, BATCH_SIZE, image_size=28, val_size=0)
    data.prepare_data()
    dataset = MNIST(options.data_dir, transform=ToTensor())
    loaders: dict[str, Iterable[object]] = {"MNISTDataModule": data.train_dataloader()}
    for workers in (0, 2):
        loaders[f"torchvision, {workers} workers"] = DataLoader(
            dataset, BATCH_SIZE, shuffle=True, drop_last=True, num_workers=workers
        )

    times: dict[str, list[float]] = {name: [] for name in loaders}
    for _ in range(options.rounds):
        for name, loader in loaders.items():
            times[name].append(seconds(loader))
    ours = times["MNISTDataModule"]
    for name, theirs in times.items():
        ratios = [their / our for their, our in zip(theirs, ours, strict=True)]
        print(
            f"{name:24} {median(theirs):8.3f} s an epoch   {median(ratios):6.1f} x "
            f"({min(ratios):.1f} ... {max(ratios):.1f})"
        )
