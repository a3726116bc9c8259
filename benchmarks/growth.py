"""How the cost of training grows with the batch, the resolution, the processes, the files and the steps.

    python -m benchmarks growth [batch] [resolution] [processes] [files] [steps] [log]

- batch: seconds of CPU of a step of DCGAN at 32 x 32, with 8 to 256 images.
- resolution: the same with 8 images of 32 x 32 to 256 x 256.
- processes: images a second of DCGAN at 32 x 32 with 1, 2 and 4 processes (gloo) of 64 images and one thread each, and
  with one process, which takes the gradients of one batch: how much faster they are together.
- files: seconds until a data module knows the files of a folder, 1,000 to 1,000,000 of them: they are listed and not
  decoded. Needs 4 GB of disk for the largest.
- steps: resident memory, open files and threads of one run after 1,000, 2,000, 4,000 and 8,000 steps.
- log: seconds until the first row of a resumed run is written, behind 1,000 to 1,000,000 rows.

A point is measured in a process of its own with one thread, the rounds go over all points in turn, and medians are
printed, with the law that fits them: ``cost = a * size ** p`` by least squares of the logarithms, and the largest
factor by which a point is off it.
"""

import argparse
import contextlib
import io
import math
import os
import tempfile
import threading
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from PIL import Image

from benchmarks.training import ColourDigits
from datamodules import ImageFolderDataModule
from gan_lightning.cli import main as gan_lightning
from gan_lightning.loggers import RunLogger

WARM_UP = 3
IN_A_FOLDER = 1_000
FILES = (1_000, 10_000, 100_000, 1_000_000)


class Clock(Callback):
    """Takes the CPU time and the time of the steps after the first ones, and writes them down; rank 0's.

    Args:
        file: Where.
    """

    def __init__(self, file: str) -> None:
        self.file = file

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        if trainer.global_step == WARM_UP:
            self.start = process_time(), perf_counter()
        if trainer.global_step == trainer.max_steps and trainer.is_global_zero:
            steps = trainer.max_steps - WARM_UP
            cpu, wall = process_time() - self.start[0], perf_counter() - self.start[1]
            Path(self.file).write_text(f"{cpu / steps} {wall / steps}")


class Watch(Callback):
    """Writes down resident memory in MiB, open files and threads at some steps."""

    def __init__(self, file: str, steps: list[int]) -> None:
        self.file, self.steps = file, steps

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        if trainer.global_step in self.steps:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            memory = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
            with open(self.file, "a") as file:
                print(memory, len(os.listdir("/proc/self/fd")), threading.active_count(), file=file)


def fit(folder: Path, steps: int, watch: Sequence[str], *options: str) -> str:
    """Train by the command line, and return what the callback has written."""
    out = folder / "figures"
    arguments = ["fit", *options, "--trainer.accelerator=cpu", "--trainer.limit_val_batches=0", "--data.val_size=0"]
    arguments += [f"--trainer.max_steps={steps}", f"--trainer.default_root_dir={folder}"]
    arguments += [f"--trainer.callbacks+={watch[0]}", f"--trainer.callbacks.file={out}", *watch[1:]]
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            code = gan_lightning(arguments)
        except SystemExit as refusal:
            code = int(refusal.code or 0)
    if code:
        raise RuntimeError(said.getvalue())
    return out.read_text()


def step_seconds(folder: Path, batch_size: int, side: int, steps: int = 6, *options: str) -> tuple[float, float]:
    """Seconds of CPU and seconds of a step of DCGAN."""
    colour = f"{ColourDigits.__module__}.{ColourDigits.__name__}"
    game = ["--model=DCGAN", f"--data={colour}", f"--data.image_size={side}", f"--data.batch_size={batch_size}"]
    cpu, wall = fit(folder, WARM_UP + steps, [f"{__name__}.Clock"], *game, *options).split()
    return float(cpu), float(wall)


def of_batch(folder: Path, size: int) -> float:
    return step_seconds(folder, size, 32)[0]


def of_resolution(folder: Path, size: int) -> float:
    return step_seconds(folder, 8, size, 3)[0]


def of_processes(folder: Path, size: int) -> float:
    """Images a second."""
    several = ["--trainer.strategy=ddp_fork", f"--trainer.devices={size}"] if size > 1 else []
    return 64 * size / step_seconds(folder, 64, 32, 12, *several)[1]


def of_files(folder: Path, size: int) -> float:
    """Seconds to list the files, of a folder that is made once and kept between rounds."""
    root = folder.parent / f"files_{size}"
    if not root.exists():
        image = io.BytesIO()
        Image.new("RGB", (4, 4)).save(image, "PNG")
        for number in range(size):
            place = root / f"{number // IN_A_FOLDER:04}"
            if number % IN_A_FOLDER == 0:
                place.mkdir(parents=True)
            (place / f"{number:07}.png").write_bytes(image.getvalue())
    data = ImageFolderDataModule(str(root), image_size=4, batch_size=8, num_workers=0, in_memory=False)
    start = process_time()
    data.prepare_data()
    data.setup("fit")
    return process_time() - start


def of_log(folder: Path, size: int) -> float:
    """Seconds from the making of the logger to its first row on the disk."""
    path = folder / "run" / "version_0" / "metrics.csv"
    path.parent.mkdir(parents=True)
    names = ["epoch", "step", *(f"train/loss_{n}" for n in range(10))]
    with open(path, "w") as file:
        print(",".join(names), file=file)
        for step in range(1, size + 1):
            print(",".join(["0", str(step), *["0.123456789"] * 10]), file=file)
    start = process_time()
    RunLogger(str(folder), "run", 0).log_metrics({name: 0.5 for name in names if name != "step"}, size)
    return process_time() - start


def of_steps(folder: Path, size: int) -> list[tuple[float, ...]]:
    """Resident memory, open files and threads after an eighth, a quarter, a half and all of the steps."""
    at = [size // 8, size // 4, size // 2, size]
    game = ["--model=DCGAN", "--model.generator.width=8", "--model.discriminator.width=8", "--data=DigitsDataModule"]
    game += ["--data.image_size=8", "--data.batch_size=8"]
    watch = [f"{__name__}.Watch", f"--trainer.callbacks.steps={at}"]
    lines = fit(folder, size, watch, *game).splitlines()
    return [tuple(map(float, line.split())) for line in lines]


MEASURED: dict[str, tuple[str, Sequence[int], Callable[[Path, int], float], float]] = {
    "batch": ("ms of CPU a step", (8, 16, 32, 64, 128, 256), of_batch, 1e3),
    "resolution": ("ms of CPU a step", (32, 64, 128, 256), of_resolution, 1e3),
    "processes": ("images a second", (1, 2, 4), of_processes, 1),
    "files": ("ms of CPU to list", FILES, of_files, 1e3),
    "log": ("ms of CPU to the first row", FILES, of_log, 1e3),
}


def _in_its_process(answer: "SimpleQueue[Any]", measure: Callable[..., Any], folder: str, size: int) -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(dir=folder) as own:
        answer.put(measure(Path(own), size))


def alone(measure: Callable[..., Any], folder: str, size: int) -> Any:
    """Measure in a process of its own."""
    context = get_context("spawn")
    answer = context.SimpleQueue()
    process = context.Process(target=_in_its_process, args=(answer, measure, folder, size))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"The process that measured {size} ended with {process.exitcode}.")
    return answer.get()


def law(sizes: Sequence[int], costs: Sequence[float]) -> tuple[float, float]:
    """The power of the size that the costs follow, and the largest factor by which one is off it."""
    x, y = np.log(sizes), np.log(costs)
    power, offset = np.polyfit(x, y, 1)
    return float(power), math.exp(float(np.abs(y - power * x - offset).max()))


def compare(name: str, rounds: int, sizes: Sequence[int] = ()) -> dict[int, list[float]]:
    """The cost at every size, once a round."""
    _, all_sizes, measure, _ = MEASURED[name]
    costs: dict[int, list[float]] = {size: [] for size in sizes or all_sizes}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            for size, known in costs.items():
                known.append(alone(measure, folder, size))
    return costs


def show(name: str, costs: dict[int, list[float]]) -> None:
    """Print a table and the law."""
    unit, _, _, factor = MEASURED[name]
    print(f"\n| {name} | {unit} | against the first |\n|---|---|---|")
    medians = {size: median(known) for size, known in costs.items()}
    first = next(iter(medians.values()))
    for size, known in costs.items():
        low, high = min(known) * factor, max(known) * factor
        print(f"| {size:,} | {medians[size] * factor:.3g} ({low:.3g} to {high:.3g}) | {medians[size] / first:.3g} |")
    power, off = law([*medians], [*medians.values()])
    print(f"\nIt grows as {name} ** {power:.2f}; no point is off by more than a factor of {off:.2f}.", flush=True)


def main(arguments: Sequence[str]) -> None:
    """Measures what is named, or all of it."""
    parser = argparse.ArgumentParser("python -m benchmarks growth")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join([*MEASURED, 'steps'])}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=[], help="instead of the usual ones")
    parser.add_argument("--steps", type=int, default=8_000, help="of the run whose memory is watched")
    options = parser.parse_args(arguments)
    os.environ["OMP_NUM_THREADS"] = "1"
    if unknown := [name for name in options.names if name not in (*MEASURED, "steps")]:
        parser.error(f"there is nothing called {unknown[0]!r}: choose from {', '.join([*MEASURED, 'steps'])}")
    for name in options.names or [*MEASURED, "steps"]:
        if name != "steps":
            show(name, compare(name, options.rounds, options.sizes))
            continue
        with tempfile.TemporaryDirectory() as folder:
            rows = alone(partial(of_steps), folder, options.steps)
        print("\n| steps | MiB | open files | threads |\n|---|---|---|---|")
        for part, (memory, files, threads) in zip((8, 4, 2, 1), rows, strict=True):
            print(f"| {options.steps // part:,} | {memory:.0f} | {files:.0f} | {threads:.0f} |", flush=True)
