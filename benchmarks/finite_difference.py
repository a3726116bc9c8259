"""A step of WGAN-GP with its exact penalty, and with the one of finite differences, in seconds of CPU.

    OMP_NUM_THREADS=1 python -m benchmarks finite_difference --images DIR [--ways eager fast bf16 compiled]

DIR holds images of 32 x 32, such as CIFAR-10's, in folders. The games, those of configs/wgan_gp_cifar10.yaml, take
turns in one process: as they are; with what `fit --fast` chooses for each; with `--trainer.precision bf16-mixed`; with
their networks compiled. A step is the whole step of `fit`, without pictures, metrics and saves; the first of each turn
does not count. Printed are medians over the rounds, and the median ratio of a round with the lowest and the highest.
"""

import argparse
import logging
import warnings
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, get_args

from benchmarks.augmentation import seconds_of_a_step
from datamodules import ImageFolderDataModule
from gan_lightning.callbacks.fast_training import FastTraining
from gan_lightning.regularizers import PenaltyMethod
from gan_lightning.variants import WGANGP

METHODS: tuple[str, ...] = get_args(PenaltyMethod)
Arguments = Callable[[], dict[str, Any]]
"""Makes a trainer's arguments."""


def chosen_by_fast(step: Callable[..., float], method: str) -> Arguments:
    """What ``--fast`` turns on for a method, tried once."""
    trial = FastTraining()
    step(method, 1, callbacks=[trial])
    print(f"--fast, {method}: {trial.names}", flush=True)
    return lambda: {"callbacks": [FastTraining.of(trial.names)]}


def arguments_of(way: str, method: str, step: Callable[..., float]) -> Arguments:
    """Maker of a trainer's arguments: callbacks serve one run."""
    if way == "fast":
        return chosen_by_fast(step, method)
    if way == "compiled":
        return lambda: {"callbacks": [FastTraining.of("compile")]}
    return lambda: {"precision": "bf16-mixed"} if way == "bf16" else {}


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks finite_difference")
    parser.add_argument("--images", required=True, metavar="DIR", help="folder of images, in folders by class")
    parser.add_argument("--ways", nargs="+", default=["eager", "fast", "bf16"], help="(default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=1, help="steps of a turn (default: %(default)s)")
    parser.add_argument("--batch_size", type=int, default=16, help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    if unknown := {*options.ways} - {"eager", "fast", "bf16", "compiled"}:
        parser.error(f"no way {', '.join(unknown)}: choose from eager, fast, bf16 and compiled.")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    data = ImageFolderDataModule(root=options.images, image_size=32, batch_size=options.batch_size, val_size=0)

    def step(method: Any, steps: int, **trainer: Any) -> float:
        return seconds_of_a_step(WGANGP(penalty_method=method), steps, data, **trainer)

    for way in options.ways:
        trainers = {method: arguments_of(way, method, step) for method in METHODS}
        times: dict[str, list[float]] = {method: [] for method in METHODS}
        for _ in range(options.rounds):
            for method, trainer in trainers.items():
                times[method].append(step(method, options.steps, **trainer()))
        ratios = [estimate / exact for exact, estimate in zip(*times.values(), strict=True)]
        seconds = ", ".join(f"{method} {median(taken):.2f}" for method, taken in times.items())
        spread = f"{median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"
        print(f"{way}: {seconds} s of CPU a step, finite_difference / exact {spread}", flush=True)
