"""Steps of `gan-lightning fit`, as it is and with --fast, against the same game in loops written by hand.

    python -m benchmarks training [WORKLOAD ...]

- bare: the same networks, losses and optimisers in a plain loop, eager and in float32, as a careful engineer writes it:
  fakes are shared, the discriminator is frozen while the generator moves, nothing is read off the device.
- habits: what widely used GAN code does: fresh fakes for either player, the discriminator not frozen, `.item()` of both
  losses in every step.
- floor: the same passes through the networks and nothing else, neither optimisers nor losses nor data.
- fit, fit --fast: the whole command, with its logs, averaged weights, progress bar, health, guards and checkpoints, but
  without pictures and metrics, in this process. Its first steps, in which --fast finds out what pays, do not count.

All play on scikit-learn's digits, enlarged, in colour where the game wants it. The contestants take turns; printed are
the medians over the rounds of a step's seconds and, against the bare loop, the median ratio of the same round with the
lowest and the highest.
"""

import argparse
import contextlib
import io
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor

from datamodules import DigitsDataModule
from datamodules.base import Splits
from datamodules.loading import TensorImages
from gan_lightning.cli import main as gan_lightning
from gan_lightning.game import AdversarialModule, frozen
from gan_lightning.losses import (
    Terms,
    hinge_discriminator,
    hinge_generator,
    minimax_discriminator,
    non_saturating_generator,
    wasserstein_discriminator,
    wasserstein_generator,
)
from gan_lightning.networks import ConvDiscriminator, ConvGenerator
from gan_lightning.regularizers import gradient_penalty, r1_penalty
from gan_lightning.variants import DCGAN, SNGAN, WGANGP

WARM_UP = 10


class ColourDigits(DigitsDataModule):
    """The digits in three equal channels."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.image_shape = (3, *self.image_shape[1:])

    def load_splits(self) -> Splits:
        parts = vars(super().load_splits()).values()
        return Splits(*(_coloured(part) for part in parts))


def _coloured(part: Any) -> TensorImages:
    images = part.source.images[part.indices]
    return TensorImages(images.expand(-1, 3, -1, -1), part.labels)


@dataclass(frozen=True)
class Workload:
    """A game, for the command line and for loops by hand."""

    arguments: list[str]
    game: Callable[[], AdversarialModule]
    data: Callable[[], DigitsDataModule]
    judge: Callable[[Tensor, Tensor], Terms]
    convince: Callable[[Tensor], Terms]
    penalty: Callable[[Any, Tensor, Tensor], Tensor] | None = None
    n_critic: int = 1
    steps: int = 4


def _of(variant: type[AdversarialModule], side: int, **more: Any) -> dict[str, Any]:
    data = {"image_size": side, "batch_size": 64, "val_size": 0}
    options = [f"--data.{name}={value}" for name, value in data.items()]
    model = ["--model", variant.__name__, "--data", f"{__name__}.ColourDigits"]
    return {
        "arguments": [*model, *options],
        "game": partial(variant, image_shape=(3, side, side)),
        "data": partial(ColourDigits, **data),
        **more,
    }


NON_SATURATING: dict[str, Any] = {"judge": minimax_discriminator, "convince": non_saturating_generator}
SMALL = {"width": 32, "n_extra_layers": 1}
WORKLOADS = {
    "quickstart 8 x 8": Workload(
        ["--config", "configs/quickstart.yaml"],
        partial(
            DCGAN,
            image_shape=(1, 8, 8),
            latent_dim=32,
            generator=partial(ConvGenerator, **SMALL),
            discriminator=partial(ConvDiscriminator, batch_norm=False, **SMALL),
        ),
        DigitsDataModule,
        **NON_SATURATING,
        penalty=lambda judge, real, fake: 0.3 * r1_penalty(judge, real),
        steps=100,
    ),
    "DCGAN 32 x 32": Workload(**_of(DCGAN, 32, steps=12, **NON_SATURATING)),
    "DCGAN 64 x 64": Workload(**_of(DCGAN, 64, steps=5, **NON_SATURATING)),
    "SNGAN 32 x 32": Workload(
        **_of(SNGAN, 32, judge=hinge_discriminator, convince=hinge_generator, n_critic=5, steps=2)
    ),
    "WGANGP 32 x 32": Workload(
        **_of(
            WGANGP,
            32,
            judge=wasserstein_discriminator,
            convince=wasserstein_generator,
            penalty=lambda judge, real, fake: 10 * gradient_penalty(judge, real, fake),
            n_critic=5,
            steps=2,
        )
    ),
}


def _batches(work: Workload) -> Iterator[Tensor]:
    loader = work.data().train_dataloader()
    while True:
        for images, _ in loader:
            yield images.float() / 127.5 - 1


class Loop:
    """A game played by a loop written by hand, in one of three manners."""

    def __init__(self, work: Workload, manner: str) -> None:
        torch.manual_seed(0)
        self.work, self.manner = work, manner
        game = work.game()
        self.generator, self.discriminator = game.generator, game.discriminator
        self.latent_dim = game.latent_dim
        self.generator_optimizer = game.generator_optimizer(self.generator.parameters())
        self.discriminator_optimizer = game.discriminator_optimizer(self.discriminator.parameters())
        self.batches = _batches(work)
        self.real = next(self.batches)

    def seconds_a_step(self) -> float:
        step = self._pass if self.manner == "floor" else self._step
        step()
        start = perf_counter()
        for _ in range(self.work.steps):
            step()
        return (perf_counter() - start) / self.work.steps

    def _fake(self) -> Tensor:
        return self.generator(torch.randn(len(self.real), self.latent_dim))

    def _step(self) -> None:
        careful = self.manner == "bare"
        for update in range(self.work.n_critic):
            real = next(self.batches)
            with torch.set_grad_enabled(not careful or update == self.work.n_critic - 1):
                fake = self._fake()
            terms = self.work.judge(self.discriminator(real), self.discriminator(fake.detach()))
            loss = torch.stack(list(terms.values())).sum()
            if self.work.penalty is not None:
                loss = loss + self.work.penalty(self.discriminator, real, fake.detach())
            loss.backward()
            self.discriminator_optimizer.step()
            self.discriminator_optimizer.zero_grad()
            if not careful:
                loss.item()
        if not careful:
            fake = self._fake()
        with frozen(self.discriminator) if careful else contextlib.nullcontext():
            loss = torch.stack(list(self.work.convince(self.discriminator(fake)).values())).sum()
            loss.backward()
        self.generator_optimizer.step()
        self.generator_optimizer.zero_grad()
        self.discriminator_optimizer.zero_grad()
        if not careful:
            loss.item()

    def _pass(self) -> None:
        for update in range(self.work.n_critic):
            with torch.set_grad_enabled(update == self.work.n_critic - 1):
                fake = self._fake()
            (self.discriminator(self.real).sum() + self.discriminator(fake.detach()).sum()).backward()
            if self.work.penalty is not None:
                self.work.penalty(self.discriminator, self.real, fake.detach()).backward()
        with frozen(self.discriminator):
            self.discriminator(fake).sum().backward()


class Stopwatch(Callback):
    """Takes the time of the steps after the first ones."""

    seconds: float = 0.0

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        if trainer.global_step == WARM_UP:
            self.start = perf_counter()
        if trainer.global_step == trainer.max_steps:
            Stopwatch.seconds = (perf_counter() - self.start) / (trainer.max_steps - WARM_UP)


class Fit:
    """The command line, in this process."""

    def __init__(self, work: Workload, *options: str) -> None:
        self.work, self.options = work, options

    def seconds_a_step(self) -> float:
        quiet = ["--trainer.limit_val_batches=0", "--trainer.accelerator=cpu"]
        for picture in ("SampleGrid", "InterpolationStrip"):  # the first and the last are drawn, outside of the time
            quiet += [f"--trainer.callbacks+={picture}", "--trainer.callbacks.every_n_steps=1000000"]
        steps = f"--trainer.max_steps={WARM_UP + self.work.steps}"
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
            for redirect in (contextlib.redirect_stdout, contextlib.redirect_stderr):
                stack.enter_context(redirect(io.StringIO()))
            watch = f"--trainer.callbacks+={__name__}.Stopwatch"
            here = f"--trainer.default_root_dir={folder}"
            code = gan_lightning(["fit", *self.work.arguments, *quiet, steps, watch, here, *self.options])
        assert code == 0
        return Stopwatch.seconds


def compare(work: Workload, rounds: int) -> dict[str, list[float]]:
    """Seconds of a step by contestant, one for each round."""
    contestants: dict[str, Loop | Fit] = {manner: Loop(work, manner) for manner in ("bare", "habits", "floor")}
    contestants |= {"fit": Fit(work), "fit --fast": Fit(work, "--fast")}
    # --fast changes how the process keeps its memory, so it comes last in time as well: in rounds of its own.
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for group in (["bare", "habits", "floor", "fit"], ["fit --fast"]):
        for _ in range(rounds):
            for name in group:
                times[name].append(contestants[name].seconds_a_step())
    return times


def main(arguments: Sequence[str]) -> None:
    """Runs the benchmark and prints a table for each workload."""
    parser = argparse.ArgumentParser("python -m benchmarks training")
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=f"any of {', '.join(map(repr, WORKLOADS))}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, help="in a round of each contestant")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.workloads if name not in WORKLOADS]:
        parser.error(f"there is no workload {unknown[0]!r}: choose from {', '.join(map(repr, WORKLOADS))}")
    for name in options.workloads or WORKLOADS:
        work = WORKLOADS[name]
        times = compare(replace(work, steps=options.steps or work.steps), options.rounds)
        print(f"\n| {name} | ms a step | speed, bare = 1 |\n|---|---|---|")
        for contestant, runs in times.items():
            ratios = [slow / fast for slow, fast in zip(times["bare"], runs, strict=True)]
            spread = f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
            print(f"| {contestant} | {median(runs) * 1e3:.1f} | {spread} |", flush=True)
