"""Steps of `gan-lightning fit`, as it is and with --fast, against the same game in loops written by hand.

    python -m benchmarks training [WORKLOAD ...]

- bare: the variant's networks, losses and optimisers in a plain loop, eager and in float32, as a careful engineer
  writes it: fakes are shared, the discriminator is frozen while the generator moves, nothing is read off the device.
- habits: what much public GAN code does: fresh fakes for either player, the discriminator not frozen, `.item()` of both
  losses in every step.
- floor: the same passes through networks and losses and nothing else, neither optimisers nor data.
- fit, fit --fast: the whole command, with its averaged weights, progress bar, health and guards, and logs where they
  fall due. Pictures, metrics and saves of the state, which come every some hundred steps, are not in the figure, nor
  are the first steps, in which --fast finds out what pays.

All play on scikit-learn's digits, enlarged, in colour where the game wants it. Each contestant has a process of its
own, for the command changes how its process keeps memory. They take turns; printed are the medians over the rounds of a
step's seconds and, against the bare loop, the median ratio of the same round with the lowest and the highest.
"""

import argparse
import contextlib
import io
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from statistics import median
from time import perf_counter
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor
from torch.optim import Optimizer

from datamodules import DigitsDataModule
from datamodules.base import Splits
from datamodules.components.loading import TensorImages
from gan_lightning.cli import main as gan_lightning
from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.freezing import frozen
from gan_lightning.networks import ConvDiscriminator, ConvGenerator
from gan_lightning.variants import DCGAN, SNGAN, WGANGP, CycleGAN, Pix2Pix

WARM_UP = 4


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


class Mirrored(ColourDigits):
    """Pairs of a digit and its mirror image."""

    def on_before_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        return _changed(batch, lambda digits: (digits, digits.flip(-1)))


class Inverted(ColourDigits):
    """Two domains: digits, and digits in black on white."""

    def on_before_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        return _changed(batch, lambda digits: {"A": digits, "B": 255 - digits})


def _changed(batch: Any, change: Callable[[Tensor], Any]) -> Any:
    """What is made of the images of a batch, with labels or without, or of each batch of a round."""
    if isinstance(batch, list):
        return [_changed(one, change) for one in batch]
    return change(batch[0] if isinstance(batch, tuple) else batch)


@dataclass(frozen=True)
class Workload:
    """A game, for the command line and for loops by hand."""

    arguments: list[str]
    game: Callable[[], AdversarialModule]
    data: Callable[[], DigitsDataModule]
    steps: int = 4
    pictures: Sequence[str] = ("SampleGrid", "InterpolationStrip")


def _of(
    variant: type[AdversarialModule],
    side: int,
    steps: int,
    batch_size: int = 64,
    data: type[DigitsDataModule] = ColourDigits,
    **shapes: Any,
) -> Workload:
    shape = (3, side, side)
    of_data = {"image_size": side, "batch_size": batch_size, "val_size": 0}
    options = [f"--data.{name}={value}" for name, value in of_data.items()]
    options += [f"--model.{name}={list(value)}" for name, value in shapes.items()]
    model = ["--model", variant.__name__, "--data", f"{__name__}.{data.__name__}"]
    game = partial(variant, image_shape=shape, **shapes)
    return Workload([*model, *options], game, partial(data, **of_data), steps)


SMALL = {"width": 32, "n_extra_layers": 1}
WORKLOADS = {
    "quickstart 8 x 8": Workload(
        # The last callback of the config is SampleGrid.
        ["--config", "configs/quickstart.yaml", "--trainer.callbacks.every_n_steps=1000000"],
        partial(
            DCGAN,
            image_shape=(1, 8, 8),
            latent_dim=32,
            generator=partial(ConvGenerator, **SMALL),
            discriminator=partial(ConvDiscriminator, batch_norm=False, **SMALL),
            r1_weight=0.3,
        ),
        DigitsDataModule,
        steps=100,
        pictures=["InterpolationStrip"],
    ),
    "DCGAN 32 x 32": _of(DCGAN, 32, steps=12),
    "DCGAN 64 x 64": _of(DCGAN, 64, steps=5),
    "SNGAN 32 x 32": _of(SNGAN, 32, steps=1, batch_size=8),
    "WGANGP 32 x 32": _of(WGANGP, 32, steps=1, batch_size=8),
    "Pix2Pix 256 x 256": _of(Pix2Pix, 256, 3, batch_size=1, data=Mirrored, condition_shape=(3, 256, 256)),
    "CycleGAN 128 x 128": _of(CycleGAN, 128, 2, batch_size=1, data=Inverted),
}


def _batches(work: Workload) -> Iterator[Any]:
    data = work.data()
    loader = data.train_dataloader()
    while True:
        for raw in loader:
            yield data.on_before_batch_transfer([raw], 0)[0]


class Loop:
    """A game played by a loop written by hand, in one of three manners, with the variant's own networks and losses."""

    def __init__(self, work: Workload, manner: str) -> None:
        torch.manual_seed(0)
        self.work, self.manner = work, manner
        self.game = work.game()
        self.generator_optimizer = self.game.generator_optimizer(self.game.generator.parameters())
        self.discriminator_optimizer = self.game.discriminator_optimizer(self.game.discriminator.parameters())
        self.batches = _batches(work)
        self.same = next(self.batches)

    def seconds_a_step(self) -> float:
        step = self._habits if self.manner == "habits" else self._step
        step()
        start = perf_counter()
        for _ in range(self.work.steps):
            step()
        return (perf_counter() - start) / self.work.steps

    def _exchange(self) -> GameBatch:
        return self.game.draw_latents(
            self.game.prepare_batch(self.same if self.manner == "floor" else next(self.batches))
        )

    def _answered(self, exchange: GameBatch) -> GameBatch:
        return replace(exchange, fake=self.game.generate_fakes(exchange))

    def _judge(self, exchange: GameBatch) -> Tensor:
        terms = [self.game.discriminator_loss(exchange), self.game.discriminator_penalty(exchange)]
        return sum(value for part in terms for value in part.values())  # type: ignore[return-value]

    def _move(self, optimizer: Optimizer) -> None:
        if self.manner != "floor":
            optimizer.step()
        optimizer.zero_grad()

    def _step(self) -> None:
        """As a careful engineer writes it; the floor leaves the optimisers and the data out."""
        game = self.game
        for update in range(game.n_critic):
            with torch.set_grad_enabled(game.shares_fakes and update == game.n_critic - 1):
                exchange = self._answered(self._exchange())
            with frozen(game.generator):
                self._judge(exchange.detached()).backward()
            self._move(self.discriminator_optimizer)
        with frozen(game.discriminator):
            exchange = exchange if game.shares_fakes else self._answered(exchange)
            sum(game.generator_loss(exchange).values()).backward()  # type: ignore[union-attr]
        self._move(self.generator_optimizer)

    def _habits(self) -> None:
        game = self.game
        for _ in range(game.n_critic):
            exchange = self._answered(self._exchange())
            loss = self._judge(exchange.detached())
            loss.backward()
            self._move(self.discriminator_optimizer)
            loss.item()
        loss = sum(game.generator_loss(self._answered(exchange)).values())  # type: ignore[assignment]
        loss.backward()
        self._move(self.generator_optimizer)
        self.discriminator_optimizer.zero_grad()
        loss.item()


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
        for picture in self.work.pictures:  # the first and the last are drawn, outside of the time
            quiet += [f"--trainer.callbacks+={picture}", "--trainer.callbacks.every_n_steps=1000000"]
        steps = f"--trainer.max_steps={WARM_UP + self.work.steps}"
        said = io.StringIO()
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
            for redirect in (contextlib.redirect_stdout, contextlib.redirect_stderr):
                stack.enter_context(redirect(said))
            watch = f"--trainer.callbacks+={__name__}.Stopwatch"
            here = f"--trainer.default_root_dir={folder}"
            try:
                code = gan_lightning(["fit", *self.work.arguments, *quiet, steps, watch, here, *self.options])
            except SystemExit as refusal:
                code = int(refusal.code or 0)
        assert code == 0, said.getvalue()
        return Stopwatch.seconds


CONTESTANTS: dict[str, Callable[[Workload], Loop | Fit]] = {
    "bare": partial(Loop, manner="bare"),
    "habits": partial(Loop, manner="habits"),
    "floor": partial(Loop, manner="floor"),
    "fit": Fit,
    "fit --fast": lambda work: Fit(work, "--fast"),
}


def _take_turns(turns: Connection, contestant: str, workload: str, steps: int | None) -> None:
    """The process of a contestant: plays a round whenever it is asked to, and says how long a step took."""
    work = WORKLOADS[workload]
    player = CONTESTANTS[contestant](replace(work, steps=steps or work.steps))
    turns.send("ready")
    while turns.recv():
        turns.send(player.seconds_a_step())


def compare(workload: str, contestants: Sequence[str], rounds: int, steps: int | None) -> dict[str, list[float]]:
    """Seconds of a step by contestant, one for each round."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    turns = {}
    for name in contestants:
        turns[name], theirs = get_context("spawn").Pipe()
        get_context("spawn").Process(target=_take_turns, args=(theirs, name, workload, steps), daemon=True).start()
        theirs.close()
        turns[name].recv()
    for _ in range(rounds):
        for name in contestants:
            turns[name].send(True)
            times[name].append(turns[name].recv())
    for name in contestants:
        turns[name].send(False)
    return times


def main(arguments: Sequence[str]) -> None:
    """Runs the benchmark and prints a table for each workload."""
    parser = argparse.ArgumentParser("python -m benchmarks training")
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=f"any of {', '.join(map(repr, WORKLOADS))}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, help="in a round of each contestant")
    parser.add_argument("--only", nargs="+", metavar="CONTESTANT", choices=CONTESTANTS, default=[*CONTESTANTS])
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.workloads if name not in WORKLOADS]:
        parser.error(f"there is no workload {unknown[0]!r}: choose from {', '.join(map(repr, WORKLOADS))}")
    for name in options.workloads or WORKLOADS:
        times = compare(name, [*dict.fromkeys(["bare", *options.only])], options.rounds, options.steps)
        print(f"\n| {name} | ms a step | speed, bare = 1 |\n|---|---|---|")
        for contestant, runs in times.items():
            ratios = [slow / fast for slow, fast in zip(times["bare"], runs, strict=True)]
            spread = f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
            print(f"| {contestant} | {median(runs) * 1e3:.1f} | {spread} |", flush=True)
