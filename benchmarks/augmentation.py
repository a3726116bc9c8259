"""What an augmentation adds to a step of training: seconds of CPU with it, over those without.

    OMP_NUM_THREADS=1 python -m benchmarks augmentation [--rounds 5] [--steps 4]

Games of 64 x 64 pixels, without an augmentation, with DiffAugment and with ADA at p = 0.5, take turns in one process. A
step is the whole step of `fit`, without pictures, metrics and saves; the first of each turn is not counted. Printed are
the medians over the rounds and the median ratio of the same round, with the lowest and the highest.
"""

import argparse
import logging
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from time import process_time
from typing import Any

import lightning.pytorch as pl

from benchmarks.training import ColourDigits
from gan_lightning.augmentations import ADA, DiffAugment
from gan_lightning.games.base import AdversarialModule
from gan_lightning.networks import R3GANDiscriminator, R3GANGenerator
from gan_lightning.variants import DCGAN, R3GAN

NARROW: dict[str, Any] = {"width": [96, 96, 64, 32, 32], "n_blocks": 1}
GAMES: dict[str, Callable[..., AdversarialModule]] = {
    # The networks of configs/r3gan_openmoji.yaml, with one stage more.
    "R3GAN, narrow": partial(
        R3GAN,
        conditional=False,
        generator=partial(R3GANGenerator, **NARROW),
        discriminator=partial(R3GANDiscriminator, **NARROW),
    ),
    "DCGAN": DCGAN,
}
AUGMENTATIONS: dict[str, Any] = {"none": None, "DiffAugment": DiffAugment, "ADA, p = 0.5": partial(ADA, p=0.5)}


class Seconds(pl.Callback):
    """Seconds of CPU of a step, after the first."""

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step == 1:
            self.start = process_time()
        self.a_step = (process_time() - self.start) / max(trainer.global_step - 1, 1)


def seconds_of_a_step(
    game: AdversarialModule,
    steps: int,
    data: pl.LightningDataModule,
    callbacks: Sequence[pl.Callback] = (),
    **more: Any,
) -> float:
    """Train for some steps, and return the seconds of CPU of one; ``more`` goes to the trainer."""
    clock = Seconds()
    trainer = pl.Trainer(
        max_steps=steps + 1,
        accelerator="cpu",
        logger=False,
        callbacks=[*callbacks, clock],
        limit_val_batches=0,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **more,
    )
    pl.seed_everything(0, verbose=False)
    trainer.fit(game, data)
    return clock.a_step


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks augmentation")
    parser.add_argument("games", nargs="*", help=f"some of: {', '.join(GAMES)} (default: all)")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=4, help="steps of a turn (default: %(default)s)")
    parser.add_argument("--batch_size", type=int, default=32, help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    if unknown := {*options.games} - {*GAMES}:
        parser.error(f"no game {', '.join(unknown)}: choose from {', '.join(GAMES)}.")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    for name in options.games or GAMES:
        times: dict[str, list[float]] = {each: [] for each in AUGMENTATIONS}
        for _ in range(options.rounds):
            for each, augmentation in AUGMENTATIONS.items():
                game = GAMES[name](image_shape=(3, 64, 64), augmentation=augmentation)
                data = ColourDigits(image_size=64, batch_size=options.batch_size, val_size=0)
                times[each].append(seconds_of_a_step(game, options.steps, data))
        for each, seconds in times.items():
            ratios = [mine / plain for mine, plain in zip(seconds, times["none"], strict=True)]
            spread = f"{median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"
            print(f"{name}, {each}: {1000 * median(seconds):.0f} ms of CPU a step, {spread} of none", flush=True)
