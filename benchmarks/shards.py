"""One epoch of a folder of images: shards and a zip file against the files that they were written from.

    python -m benchmarks shards --root DIR

All give the same shuffled batches of 64 uint8 images at 64 x 64, decoded from the files as they are needed, or read
from shards or from a zip file, by none and by two worker processes; the shards in a folder, or copied from an address
in every epoch; the zip file as it is, or its files unpacked into a folder. All files are in the page cache: a disk or a
network would slow all down, the small files more. The runs alternate, so that whatever else the machine does falls on
all of them. Without workers, time is seconds of CPU of one process. Printed are the medians over the rounds and, for
the ratios within the same number of workers, also the lowest and the highest in a round.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from zipfile import ZipFile

import torch

from datamodules import ImageDataModule, ImageFolderDataModule, ImageZipDataModule, ShardsDataModule
from datamodules.components.image_zip import write_zip
from datamodules.components.shards.format import write_shards

BATCH_SIZE, IMAGE_SIZE = 64, 64


def speed(data: ImageDataModule, workers: int) -> float:
    """Images a second in one epoch, from the first request to the last batch."""
    loader = data.train_dataloader()
    clock = perf_counter if workers else process_time
    start = clock()
    batches = sum(1 for _ in loader)
    return batches * data.batch_size / (clock() - start)


def contestants(root: str, here: Path, workers: int) -> dict[str, ImageDataModule]:
    """By their names: the folder first."""
    shards, zips = here / "shards", {"val_size": 0, "in_memory": False, "num_workers": workers}
    return {
        "the folder": ImageFolderDataModule(root, BATCH_SIZE, IMAGE_SIZE, in_memory=False, num_workers=workers),
        "zip file": ImageZipDataModule(str(here / "set.zip"), BATCH_SIZE, **zips),
        "zip file, unpacked": ImageZipDataModule(str(here / "set"), BATCH_SIZE, **zips),
        "shards": ShardsDataModule(str(shards), BATCH_SIZE, num_workers=workers),
        "shards, copied": ShardsDataModule(f"local:{shards}", BATCH_SIZE, num_workers=workers),
    }


def main(arguments: Sequence[str]) -> None:
    """Runs the benchmark and prints a line for each contestant."""
    parser = argparse.ArgumentParser("python -m benchmarks shards")
    parser.add_argument("--root", required=True, help="folder of images")
    parser.add_argument("--rounds", type=int, default=5, help="epochs of each contestant")
    options = parser.parse_args(arguments)

    torch.set_num_threads(1)  # threads that wait for one another would measure the rest of the machine
    with TemporaryDirectory() as here:
        shards = Path(here, "shards")
        folder = ImageFolderDataModule(options.root, BATCH_SIZE, IMAGE_SIZE, in_memory=False)
        folder.setup()
        start = perf_counter()
        images = write_shards(folder, shards).images
        total = sum(images.values())
        size = sum(file.stat().st_size for file in shards.rglob("*.bin"))
        print(f"written: {total / (perf_counter() - start):,.0f} images/s, {size / total:,.0f} bytes an image")
        _write_zip(folder, Path(here))
        for workers in (0, 2):
            modules = contestants(options.root, Path(here), workers)
            for module in modules.values():
                module.setup()
            speeds: dict[str, list[float]] = {name: [] for name in modules}
            for _ in range(options.rounds):
                for name, module in modules.items():
                    speeds[name].append(speed(module, workers))
            _report(workers, speeds)


def _write_zip(folder: ImageDataModule, here: Path) -> None:
    """The training images in a zip file, and unpacked."""
    file, start = here / "set.zip", perf_counter()
    write_zip(folder.splits.train, file)
    count = len(folder.splits.train)
    speed, size = count / (perf_counter() - start), file.stat().st_size / count
    print(f"written, zip file: {speed:,.0f} images/s, {size:,.0f} bytes an image")
    with ZipFile(file) as archive:
        archive.extractall(here / "set")


def _report(workers: int, speeds: dict[str, list[float]]) -> None:
    baseline = speeds["the folder"]
    for name, runs in speeds.items():
        ratios = [run / base for run, base in zip(runs, baseline, strict=True)]
        spread = f"{median(ratios):.1f} times the folder ({min(ratios):.1f} to {max(ratios):.1f})"
        print(f"{workers} workers, {name}: {median(runs):,.0f} images/s, {spread}")
