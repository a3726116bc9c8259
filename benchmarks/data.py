"""An epoch of our loaders against torchvision's datasets in a DataLoader, and the time to a first batch.

    python -m benchmarks data --data-dir DIR                 MNIST, which lies in memory
    python -m benchmarks data --images DIR                   a folder of images, at 64 px
    python -m benchmarks data --first DIR --counts 4000 40000

MNIST: shuffled batches of 64 images at 28 x 28 with their labels: ours uint8, as the game takes them, and, to compare
like with like, converted to the float32 in [0, 1] that torchvision's ToTensor makes.

A folder: shuffled batches of 64 uint8 images, the shorter side resized to 64 (bicubic) and the central square kept: by
torchvision's ImageFolder; by ours; by ours with drafts of JPEGs; and from the cache, which needs no workers.

The first batch: from the data module's making on, with a cache that is there and without. The folder is repeated in
hard links until it has as many images, in one sub-folder for every 4,000. It rests for some seconds, since the cache
does not believe a folder that has just changed.

The runs alternate, so that whatever else the machine does falls on all of them. Printed are the medians over the rounds
and, for the ratios, also the lowest and the highest in a round.
"""

import argparse
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, sleep

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision.datasets import MNIST, ImageFolder
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, PILToTensor, Resize, ToTensor

from datamodules import ImageFolderDataModule, MNISTDataModule
from datamodules.components.decoding import decode
from datamodules.components.files import list_images
from datamodules.components.loading import EpochLoader

BATCH_SIZE = 64
SIZE = 64
WORKERS = (0, 2)
IN_A_FOLDER = 4000
REST = 4  # seconds

Times = dict[str, list[float]]


def seconds(loader: Iterable[object]) -> float:
    """The time of one epoch."""
    start = perf_counter()
    for _ in loader:
        pass
    return perf_counter() - start


def in_turns(contestants: dict[str, Callable[[], float]], rounds: int) -> Times:
    """The times of each, which take turns."""
    times: Times = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            times[name].append(run())
    return times


def ratio(slow: Sequence[float], fast: Sequence[float], digits: int) -> str:
    """How many times as fast, with the lowest and the highest in a round."""
    ratios = [each / other for each, other in zip(slow, fast, strict=True)]
    return f"{median(ratios):.{digits}f} times ({min(ratios):.{digits}f} to {max(ratios):.{digits}f})"


class AsFloat:
    """Our batches as ToTensor would give them."""

    def __init__(self, loader: EpochLoader) -> None:
        self.loader = loader

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for images, labels in self.loader:
            yield images.float().div_(255), labels


def mnist(folder: str, rounds: int) -> None:
    """Images in memory."""
    data = MNISTDataModule(folder, BATCH_SIZE, image_size=28, val_size=0)
    data.prepare_data()
    dataset = MNIST(folder, transform=ToTensor())
    batches = data.train_dataloader()
    ours: dict[str, Iterable[object]] = {"MNISTDataModule": batches, "MNISTDataModule, as float": AsFloat(batches)}
    theirs: dict[str, Iterable[object]] = {
        f"torchvision, {workers} workers": DataLoader(
            dataset, BATCH_SIZE, shuffle=True, drop_last=True, num_workers=workers
        )
        for workers in WORKERS
    }
    times = in_turns({name: lambda each=each: seconds(each) for name, each in {**ours, **theirs}.items()}, rounds)
    for name, runs in times.items():
        print(f"{name}: {median(runs):.3f} s an epoch")
    for our, their in product(ours, theirs):
        print(f"{our} over {their}: {ratio(times[their], times[our], 0)}")


@contextmanager
def repeated(images: Path, count: int) -> Iterator[Path]:
    """A folder with so many images, those of another one over and over."""
    found = list_images(images)
    if not found:
        raise SystemExit(f"{images} holds no image")
    with TemporaryDirectory(dir=os.environ.get("TMPDIR")) as place:
        originals = [shutil.copy(path, Path(place) / f"{i}{path.suffix}") for i, path in enumerate(found[:count])]
        for i in range(count):
            original = Path(originals[i % len(originals)])
            link = Path(place) / "images" / f"{i // IN_A_FOLDER}" / f"{i}{original.suffix}"
            link.parent.mkdir(parents=True, exist_ok=True)
            link.hardlink_to(original)
        yield Path(place) / "images"


def folder(root: Path, cache: bool = False, draft: bool = False, workers: int = 0) -> ImageFolderDataModule:
    """Our data module, the cache beside the images; nothing is kept in memory."""
    place = str(root.parent / "cache") if cache else False
    return ImageFolderDataModule(
        str(root),
        BATCH_SIZE,
        SIZE,
        val_size=0,
        flip=False,
        in_memory=False,
        cache=place,
        draft=draft,
        num_workers=workers,
    )


def photographs(images: Path, count: int, rounds: int) -> None:
    """Images in files."""
    transform = Compose([Resize(SIZE, InterpolationMode.BICUBIC), CenterCrop(SIZE), PILToTensor()])
    with repeated(images, count) as root:
        dataset = ImageFolder(str(root), transform)
        cached = folder(root, cache=True).train_dataloader()
        seconds(cached)  # the first epoch also checks the images
        for workers in WORKERS:
            theirs = DataLoader(dataset, BATCH_SIZE, shuffle=True, drop_last=True, num_workers=workers)
            loaders: dict[str, Iterable[object]] = {
                "torchvision": theirs,
                "ours": folder(root, workers=workers).train_dataloader(),
                "ours, draft": folder(root, draft=True, workers=workers).train_dataloader(),
                "ours, cached": cached,
            }
            times = in_turns({name: lambda each=each: seconds(each) for name, each in loaders.items()}, rounds)
            print(f"{workers} workers, torchvision: {count / median(times['torchvision']):.0f} images a second")
            for name in list(loaders)[1:]:
                print(f"{workers} workers, {name}: {ratio(times['torchvision'], times[name], 2)}", flush=True)
        pairs = [
            [decode(path, SIZE, 3, draft).astype(int) for draft in (False, True)] for path in list_images(root)[:100]
        ]
    differences = [np.abs(whole - part).mean() for whole, part in pairs]
    print(f"a draft differs by {np.mean(differences):.2f} of 255, by {max(differences):.2f} in the worst image")


def first_batch(root: Path, cache: bool) -> float:
    """The time from nothing but the files to a batch."""
    start = perf_counter()
    next(iter(folder(root, cache).train_dataloader()))
    return perf_counter() - start


def first(images: Path, counts: Sequence[int], rounds: int) -> None:
    """The time to a first batch for each size of a folder."""
    for count in counts:
        with repeated(images, count) as root:
            sleep(REST)
            built = first_batch(root, cache=True)
            times = in_turns({"cached": lambda root=root: first_batch(root, cache=True)}, rounds)["cached"]
            without = first_batch(root, cache=False)
        print(
            f"{count} images: first batch after {median(times):.3f} s ({min(times):.3f} to {max(times):.3f}) from the "
            f"cache, {built:.1f} s where it is made, {without:.1f} s without",
            flush=True,
        )


def main(arguments: Sequence[str]) -> None:
    """Runs the benchmarks that are asked for; that of MNIST if none is."""
    parser = argparse.ArgumentParser("python -m benchmarks data")
    parser.add_argument("--data-dir", help="folder that holds MNIST/raw; data, if nothing else is asked for")
    parser.add_argument("--images", type=Path, help="folder of images, in an epoch of --count")
    parser.add_argument("--count", type=int, default=640, help="images in an epoch; a small folder is repeated")
    parser.add_argument("--first", type=Path, help="folder of images, for the time to a first batch")
    parser.add_argument("--counts", type=int, nargs="+", default=[4000, 40000], help="sizes of that folder")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each loader")
    options = parser.parse_args(arguments)

    torch.set_num_threads(1)  # threads that wait for one another would measure the rest of the machine
    if options.data_dir or not (options.images or options.first):
        mnist(options.data_dir or "data", options.rounds)
    if options.images:
        photographs(options.images, options.count, options.rounds)
    if options.first:
        first(options.first, options.counts, options.rounds)
