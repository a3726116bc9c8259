"""The parts of ``benchmarks/gpu.sh``, each a process of its own: what a GPU waits for, how fast it is, and a short run.

    python -m benchmarks gpu waits|speed|train [VARIANT] [--rehearse]

- waits: two steps of every variant under CUDA's debug mode, in which whatever makes the host wait raises.
- speed: images a second of DCGAN 64 x 64, SNGAN 32 x 32, StyleGAN2 64 x 64 or Pix2Pix 256 x 256: the bare loop of
  ``benchmarks/training.py``, ``fit``'s trainer as it is, with FastTraining, compiled, and the bare loop's whole step as
  a CUDA graph. Against the bare loop, and against the rates of products and convolutions in the same process.
- train: two minutes of a variant on CIFAR-10.

A variant that does not exist is one line. On a CPU, as --rehearse has it, no part measures anything.
"""

import argparse
import contextlib
import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.training import ColourDigits, Loop, Mirrored, Workload
from gan_lightning import variants
from gan_lightning.callbacks import FastTraining
from gan_lightning.cli import main as gan_lightning
from gan_lightning.games.base import AdversarialModule
from tests.helpers.games import VARIANTS, DigitsFor, play, small

SIZES = {"DCGAN": (64, 64), "SNGAN": (32, 64), "StyleGAN2": (64, 32), "Pix2Pix": (256, 1)}
"""Side and batch size of a variant's images."""
WARM_UP = 20


def say(*words: object) -> None:
    print(*words, flush=True)


def one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def device_of(rehearse: bool) -> torch.device:
    return torch.device("cpu" if rehearse else "cuda")


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


# What makes the host wait.


@contextlib.contextmanager
def waiting_is_an_error(device: torch.device) -> Iterator[None]:
    if device.type == "cuda":
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        if device.type == "cuda":
            torch.cuda.set_sync_debug_mode("default")


def waits(device: torch.device) -> None:
    """Print for each variant what its step waits for."""
    found = 0
    for kind in VARIANTS:
        # SGD, since Adam counts its updates in tensors that lie on the host.
        descent = partial(torch.optim.SGD, lr=1e-3)
        game = small(kind, generator_optimizer=descent, discriminator_optimizer=descent)
        step = game.training_step

        def watched(*arguments: Any, step: Callable[..., Any] = step) -> Any:
            with waiting_is_an_error(device):
                return step(*arguments)

        game.training_step = watched  # type: ignore[method-assign]
        try:
            with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(None):
                play(game, 2, Path(folder), batch_size=20, accelerator=device.type, limit_val_batches=0)
            say(f"waits: {kind.__name__}: for nothing")
        except Exception as error:
            found += 1
            say(f"waits: {kind.__name__}: {one_line(error)}")
    say(f"waits: {found} of {len(VARIANTS)} variants")


# How fast it is.


def workload(name: str, rehearse: bool) -> Workload | None:
    """A variant with its data; None: there is no such variant."""
    kind: type[AdversarialModule] | None = getattr(variants, name, None)
    if kind is None:
        return None
    if rehearse:
        return Workload([], partial(small, kind), partial(DigitsFor, small(kind), batch_size=4, image_size=16), steps=2)
    side, batch_size = SIZES[name]
    shape = (3, side, side)
    given: dict[str, Any] = {"condition_shape": shape} if name == "Pix2Pix" else {}
    data = partial(Mirrored if given else ColourDigits, image_size=side, batch_size=batch_size, val_size=0)
    return Workload([], partial(kind, image_shape=shape, **given), data, steps=100)


class WholeStep:
    """In the place of a counter's module tracker, whose hooks on the layers' inputs break gradient penalties.

    A penalty asks for the gradient of a discriminator's input, a leaf: torch 2.14 refuses it to the hook.
    """

    parents = ("Global",)

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


class DeviceLoop(Loop):
    """The bare loop on a device, on one batch that lies there."""

    def __init__(self, work: Workload, device: torch.device) -> None:
        super().__init__(work, "bare")
        self.device = device
        self.game.to(device)
        data = work.data()
        same = data.on_before_batch_transfer([next(iter(data.train_dataloader()))], 0)[0]
        same = [part.to(device) for part in same] if isinstance(same, tuple | list) else same.to(device)
        self.batches = iter(lambda: same, None)
        self.same = same

    def seconds_a_step(self) -> float:
        return seconds_of_steps(self._step, self.work.steps, self.device)

    def flops(self) -> int:
        """Operations of convolutions and products in a step, forward and backward."""
        counter = FlopCounterMode(display=False)
        counter.mod_tracker = WholeStep()  # type: ignore[assignment]
        with counter:
            self._step()
        return counter.get_total_flops()

    def graph(self) -> Callable[[], object]:
        """The whole step, both updates, as a CUDA graph: on the same batch, with new latents in each replay."""
        for optimizer in (self.generator_optimizer, self.discriminator_optimizer):
            for group in optimizer.param_groups:
                group["capturable"] = True
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(3):  # Kernels are chosen and optimisers make their states outside of the graph.
                self._step()
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._step()
        return graph.replay


def seconds_of_steps(step: Callable[[], object], steps: int, device: torch.device) -> float:
    for _ in range(min(WARM_UP, steps)):
        step()
    synchronise(device)
    start = perf_counter()
    for _ in range(steps):
        step()
    synchronise(device)
    return (perf_counter() - start) / steps


class Stopwatch(Callback):
    """Seconds of a step after the first ones, whose last work the device has done."""

    seconds = 0.0

    def __init__(self, warm_up: int) -> None:
        self.warm_up = warm_up

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        if trainer.global_step == self.warm_up:
            synchronise(trainer.strategy.root_device)
            self.start = perf_counter()
        if trainer.global_step == trainer.max_steps:
            synchronise(trainer.strategy.root_device)
            self.seconds = (perf_counter() - self.start) / (trainer.global_step - self.warm_up)


def fit(work: Workload, device: torch.device, *callbacks: Callback) -> float:
    """Seconds of a step of the variant in Lightning's trainer."""
    torch.manual_seed(0)
    watch = Stopwatch(min(WARM_UP, work.steps))
    quiet: dict[str, Any] = dict.fromkeys(
        ("enable_progress_bar", "enable_model_summary", "enable_checkpointing"), False
    )
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            max_steps=work.steps + watch.warm_up,
            max_epochs=-1,
            accelerator="gpu" if device.type == "cuda" else "cpu",
            devices=1,
            logger=False,
            limit_val_batches=0,
            default_root_dir=folder,
            callbacks=[*callbacks, watch],
            **quiet,
        )
        trainer.fit(work.game(), work.data())
    return watch.seconds


def rates(device: torch.device, side: int) -> dict[str, float]:
    """Operations a second of products of ``side`` x ``side`` matrices and of a convolution, by precision."""
    found = {}
    precision = torch.get_float32_matmul_precision()
    for name, dtype, float32 in (
        ("float32", torch.float32, "highest"),
        ("tf32", torch.float32, "high"),
        ("bf16", torch.bfloat16, "high"),
    ):
        torch.set_float32_matmul_precision(float32)
        one, other = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
        found[f"product {name}"] = 2 * side**3 / seconds_of_steps(lambda a=one, b=other: a @ b, 5, device)  # type: ignore[misc]
    torch.set_float32_matmul_precision(precision)
    width = min(side, 256)
    layer = nn.Conv2d(width, width, 3, padding=1, device=device)
    images = torch.randn(64 if side > width else 1, width, 32, 32, device=device)
    with torch.no_grad():
        seconds = seconds_of_steps(lambda: layer(images), 5, device)
    found["convolution"] = 2 * images.numel() * 9 * width / seconds
    return found


def speed(name: str, device: torch.device, rehearse: bool) -> None:
    """Print a line for each way to run a variant."""
    work = workload(name, rehearse)
    if work is None:
        say(f"speed: {name}: there is no such variant yet")
        return
    of_device = rates(device, 64 if rehearse else 8192)
    say(f"speed: rates, TFLOP/s: {', '.join(f'{kind} {rate / 1e12:.4g}' for kind, rate in of_device.items())}")
    loop = DeviceLoop(work, device)
    flops, images = loop.flops(), work.data().batch_size * loop.game.n_critic
    bare = 0.0

    def compiled() -> float:
        return fit(work, device, FastTraining.of("compile"))

    def graph() -> float:
        if device.type != "cuda":
            raise RuntimeError("a graph needs CUDA")
        return seconds_of_steps(DeviceLoop(work, device).graph(), work.steps, device)

    ways: dict[str, Callable[[], float]] = {
        "bare loop": loop.seconds_a_step,
        "fit": lambda: fit(work, device),
        "fit --fast": lambda: fit(work, device, FastTraining()),
        "bare loop as a graph": graph,
        "fit compiled": compiled,  # last, for it takes a minute to compile
    }
    for way, seconds_of_way in ways.items():
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        try:
            seconds = seconds_of_way()
        except Exception as error:
            say(f"speed: {name}: {way}: {one_line(error)}")
            continue
        bare = bare or seconds
        rate = flops / seconds
        share = ", ".join(f"{rate / of_device[f'product {kind}']:.0%} of {kind}" for kind in ("tf32", "bf16"))
        memory = torch.cuda.max_memory_allocated() / 2**20 if device.type == "cuda" else 0
        say(
            f"speed: {name}: {way}: {images / seconds:,.0f} images/s, {seconds * 1e3:.2f} ms a step, "
            f"{bare / seconds:.2f} of the bare loop, {rate / 1e12:.3g} TFLOP/s ({share}), peak {memory:,.0f} MiB"
        )


# A short run.


def training_options(name: str, root: str | None) -> list[str]:
    """Of `fit`: the variant's config for two minutes of CIFAR-10 in the folder ``root``; None: two small steps."""
    if root is None:
        narrow = [f"--model.{player}.width=8" for player in ("generator", "discriminator")]
        return ["--model", name, *narrow, "--data", "DigitsDataModule", "--data.batch_size=4", "--trainer.max_steps=2"]
    end = ["--trainer.max_time=00:00:02:00", "--trainer.max_steps=-1"]
    return ["--config", f"{name.lower()}_cifar10", f"--data.data_dir={root}", *end]


def train(name: str, rehearse: bool) -> None:
    """Two minutes of a variant on CIFAR-10, or two steps on digits."""
    if not hasattr(variants, name):
        say(f"train: {name}: there is no such variant yet")
        return
    root = os.environ.get("CIFAR10")
    if root is None and not rehearse:
        say(f"train: {name}: $CIFAR10 names no folder")
        return
    options = training_options(name, None if rehearse else root)
    with tempfile.TemporaryDirectory() as folder:
        code = gan_lightning(["fit", *options, f"--trainer.default_root_dir={folder}"])
        rows = next(Path(folder).rglob("metrics.csv")).read_text().splitlines()
    say(f"train: {name}: code {code}; {rows[0]}; {rows[-1]}")


def main(arguments: Sequence[str]) -> None:
    """Run one part."""
    parser = argparse.ArgumentParser("python -m benchmarks gpu")
    parser.add_argument("part", choices=["waits", "speed", "train"])
    parser.add_argument("variant", nargs="?", default="DCGAN")
    parser.add_argument("--rehearse", action="store_true", help="on a CPU, with tiny sizes")
    options = parser.parse_args(arguments)
    device = device_of(options.rehearse)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # A line of result is not to be looked for.
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SystemExit("torch finds no GPU here: --rehearse runs on a CPU.")
    where = "a CPU" if device.type == "cpu" else torch.cuda.get_device_name()
    say(f"{options.part}: torch {torch.__version__}, {where}")
    if options.part == "waits":
        waits(device)
    elif options.part == "speed":
        speed(options.variant, device, options.rehearse)
    else:
        train(options.variant, options.rehearse)
