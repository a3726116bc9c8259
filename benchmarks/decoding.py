"""One epoch of a folder of JPEG photographs: our decoding against torchvision's ImageFolder in a DataLoader.

    python -m benchmarks decoding --images DIR

Both resize the shorter side to 64 (bicubic) and keep the central square, in shuffled batches of 64 uint8 images, with
as many worker processes. The runs alternate. Printed are the medians over the rounds, for the ratios also the lowest
and the highest in a round, and by how much the images differ from those decoded at full size.
"""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, PILToTensor, Resize

from benchmarks.data import BATCH_SIZE, seconds
from datamodules.files import FileImages, decode, list_images, read
from datamodules.loading import BatchLoader, EpochOrder

SIZE = 64


def difference(path: Path) -> float:
    """The mean absolute difference, of 255, between our image and the same resize of the whole photograph."""
    whole = read(path, 3)
    side = min(whole.size)
    left, top = (whole.width - side) // 2, (whole.height - side) // 2
    box = (left, top, left + side, top + side)
    full = np.asarray(whole.resize((SIZE, SIZE), Image.Resampling.BICUBIC, box=box)).transpose(2, 0, 1)
    return float(np.abs(decode(path, SIZE, 3).astype(int) - full).mean())


def loaders(root: Path, workers: int) -> tuple[Iterable[object], Iterable[object]]:
    """Ours and torchvision's, of the same files."""
    paths = list_images(root)
    labels = torch.zeros(len(paths), dtype=torch.int64)
    ours = BatchLoader(FileImages(paths, labels, SIZE, 3, workers), EpochOrder(len(paths), shuffle=True), BATCH_SIZE)
    transform = Compose([Resize(SIZE, InterpolationMode.BICUBIC), CenterCrop(SIZE), PILToTensor()])
    return ours, DataLoader(ImageFolder(str(root), transform), BATCH_SIZE, shuffle=True, num_workers=workers)


def main(arguments: Sequence[str]) -> None:
    """Runs the benchmark and prints a line for each number of workers."""
    parser = argparse.ArgumentParser("python -m benchmarks decoding")
    parser.add_argument("--images", type=Path, required=True, help="folder of JPEG photographs")
    parser.add_argument("--count", type=int, default=640, help="images in an epoch; a small folder is repeated")
    parser.add_argument("--rounds", type=int, default=5, help="epochs of each loader")
    options = parser.parse_args(arguments)

    torch.set_num_threads(1)
    found = [path.resolve() for path in list_images(options.images)]
    if not found:
        parser.error(f"--images {options.images} holds no image")
    with TemporaryDirectory() as folder:
        (Path(folder) / "photographs").mkdir()
        for i in range(options.count):
            path = found[i % len(found)]
            (Path(folder) / "photographs" / f"{i}{path.suffix}").symlink_to(path)
        for workers in (0, 2):
            both = loaders(Path(folder), workers)
            times = [[seconds(loader) for loader in both] for _ in range(options.rounds)]
            ours, theirs = (median(runs) for runs in zip(*times, strict=True))
            ratios = [slow / fast for fast, slow in times]
            print(
                f"{workers} workers: ours {ours:.2f} s, torchvision {theirs:.2f} s an epoch of {options.count}: "
                f"{median(ratios):.2f} times ({min(ratios):.2f} to {max(ratios):.2f})",
                flush=True,
            )
    differences = [difference(path) for path in found[:100]]
    print(f"difference to full decoding: {np.mean(differences):.2f} of 255, at most {max(differences):.2f} in an image")
