"""The parts of a run that are not its steps: how it starts, what its average costs, whether its memory grows.

    python -m benchmarks parts

- start-up: from the command to the first step of the quickstart, against the bare import of Lightning's command line in
  a process of its own; the two take turns, after one turn that fills the caches and does not count.
- average: one update of the generator's averaged weights, against the same update tensor by tensor, for DCGAN's
  generator.
- memory: the process's resident memory over many steps of a small game, every so many steps.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer

from gan_lightning.networks import ConvGenerator
from gan_lightning.optimizers.ema import ExponentialMovingAverage

SMALL = [
    "--config=configs/quickstart.yaml",
    "--trainer.accelerator=cpu",
    "--trainer.limit_val_batches=0",
    "--trainer.enable_progress_bar=false",
]


class FirstStep(Callback):
    """Writes down when the first step begins, by the clock that all processes share."""

    def __init__(self, path: str) -> None:
        self.path = path

    def on_train_batch_start(self, trainer: Trainer, *_: Any) -> None:
        if trainer.global_step == 0:
            Path(self.path).write_text(str(perf_counter()))


class Memory(Callback):
    """Writes down the resident memory, in MiB, at every so many steps."""

    def __init__(self, path: str, every_n_steps: int) -> None:
        self.path = path
        self.every_n_steps = every_n_steps

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        if trainer.global_step % self.every_n_steps == 0:
            with open(self.path, "a") as file:
                file.write(f"{trainer.global_step} {resident_mebibytes():.1f}\n")


def resident_mebibytes() -> float:
    """What the process keeps in memory now, as Linux tells."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


def fit(folder: str, *options: str) -> None:
    """Trains the small game in a process of its own."""
    command = [sys.executable, "-m", "gan_lightning", "fit", *SMALL, f"--trainer.default_root_dir={folder}", *options]
    subprocess.run(command, check=True, capture_output=True)


def start_up() -> float:
    """Seconds from the command to the first step."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/first"
        watch = ["--trainer.callbacks+=benchmarks.parts.FirstStep", f"--trainer.callbacks.path={path}"]
        start = perf_counter()
        fit(folder, "--trainer.max_steps=1", *watch)
        return float(Path(path).read_text()) - start


def bare_import() -> float:
    """Seconds that Python takes to import Lightning's command line."""
    start = perf_counter()
    subprocess.run([sys.executable, "-c", "import lightning.pytorch.cli"], check=True)
    return perf_counter() - start


def average_alone(repeats: int = 200) -> tuple[float, float]:
    """Seconds of one update of the averaged weights: ours, and tensor by tensor."""
    generator = ConvGenerator((3, 64, 64), 100)
    average = ExponentialMovingAverage(generator, 0.999)

    @torch.no_grad()
    def one_by_one() -> None:
        for mine, theirs in zip(average.module.parameters(), generator.parameters(), strict=True):
            mine.mul_(0.999).add_(theirs, alpha=0.001)
        for mine, theirs in zip(average.module.buffers(), generator.buffers(), strict=True):
            mine.copy_(theirs)

    ours, plain = [], []
    for _ in range(repeats):
        ours.append(_seconds(lambda: average.update(generator, 10**6)))
        plain.append(_seconds(one_by_one))
    return median(ours), median(plain)


def memory(steps: int) -> list[tuple[int, float]]:
    """Pairs of a step and the mebibytes in memory after it."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/memory"
        options = [f"--trainer.callbacks.path={path}", f"--trainer.callbacks.every_n_steps={steps // 10}"]
        fit(folder, f"--trainer.max_steps={steps}", "--trainer.callbacks+=benchmarks.parts.Memory", *options)
        rows = [line.split() for line in Path(path).read_text().splitlines()]
    return [(int(step), float(size)) for step, size in rows]


def _seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def main(arguments: Sequence[str]) -> None:
    """Runs the benchmark and prints what it finds."""
    parser = argparse.ArgumentParser("python -m benchmarks parts")
    parser.add_argument("--rounds", type=int, default=5, help="of the start-up")
    parser.add_argument("--steps", type=int, default=10_000, help="over which memory is watched")
    options = parser.parse_args(arguments)
    bare_import(), start_up()
    pairs = [(start_up(), bare_import()) for _ in range(options.rounds)]
    ratios = [start / bare for start, bare in pairs]
    print(
        f"start-up {median(start for start, _ in pairs):.2f} s, bare import {median(b for _, b in pairs):.2f} s: ",
        end="",
    )
    print(f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})", flush=True)
    ours, plain = average_alone()
    print(
        f"average {ours * 1e3:.2f} ms, tensor by tensor {plain * 1e3:.2f} ms: {plain / ours:.2f} times as fast",
        flush=True,
    )
    print("memory, MiB: " + ", ".join(f"{size:.0f} at {step}" for step, size in memory(options.steps)))
