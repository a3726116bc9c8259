"""One epoch of MNIST: our loader against torchvision's dataset in a DataLoader.

    python -m benchmarks data --data-dir DIR

All give shuffled batches of 64 images at 28 x 28 with their labels: ours uint8, as the game takes them, and, to
compare like with like, converted to the float32 in [0, 1] that torchvision's ToTensor makes. The runs alternate, so
that whatever else the machine does falls on all of them. Printed are the medians over the rounds and, for the ratios,
also the lowest and the highest in a round.
"""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from statistics import median
from time import perf_counter

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision.datasets import MNIST
from torchvision.transforms import ToTensor

from datamodules import MNISTDataModule
from datamodules.loading import BatchLoader

BATCH_SIZE = 64


def seconds(loader: Iterable[object]) -> float:
    """The time of one epoch."""
    start = perf_counter()
    for _ in loader:
        pass
    return perf_counter() - start


class AsFloat:
    """Our batches as ToTensor would give them."""

    def __init__(self, loader: BatchLoader) -> None:
        self.loader = loader

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for images, labels in self.loader:
            yield images.float().div_(255), labels


def main(arguments: Sequence[str]) -> None:
    """Runs the benchmark and prints a line for each loader."""
    parser = argparse.ArgumentParser("python -m benchmarks data")
    parser.add_argument("--data-dir", default="data", help="folder that holds MNIST/raw")
    parser.add_argument("--rounds", type=int, default=5, help="epochs of each loader")
    options = parser.parse_args(arguments)

    torch.set_num_threads(1)  # threads that wait for one another would measure the rest of the machine
    data = MNISTDataModule(options.data_dir, BATCH_SIZE, image_size=28, val_size=0)
    data.prepare_data()
    dataset = MNIST(options.data_dir, transform=ToTensor())
    batches = data.train_dataloader()
    ours: dict[str, Iterable[object]] = {"MNISTDataModule": batches, "MNISTDataModule, as float": AsFloat(batches)}
    theirs = {
        f"torchvision, {workers} workers": DataLoader(
            dataset, BATCH_SIZE, shuffle=True, drop_last=True, num_workers=workers
        )
        for workers in (0, 2)
    }
    times: dict[str, list[float]] = {name: [] for name in (*ours, *theirs)}
    for _ in range(options.rounds):
        for name, loader in {**ours, **theirs}.items():
            times[name].append(seconds(loader))

    for name, runs in times.items():
        print(f"{name}: {median(runs):.3f} s an epoch")
    for our, their in product(ours, theirs):
        ratios = [slow / fast for slow, fast in zip(times[their], times[our], strict=True)]
        print(f"{our} over {their}: {median(ratios):.0f} times ({min(ratios):.0f} to {max(ratios):.0f})")
