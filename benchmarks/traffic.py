"""Gradients that two processes exchange, by our strategy and by Lightning's for players that take turns.

    python -m benchmarks traffic

Two real processes train for a few steps with gloo, on noise. Ours counts itself, in `bytes_averaged`; of Lightning's
`ddp_find_unused_parameters_true` the buckets are counted that torch's wrapper hands to its communication hook. Buffers,
which the wrapper broadcasts besides, are not counted. The numbers depend on the game and its networks alone: not on
the batch, the machine or the number of processes.
"""

import argparse
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.strategies import DDPStrategy
from torch import distributed
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from torch.utils.data import DataLoader

from gan_lightning.games.base import AdversarialModule
from gan_lightning.networks import ResidualTranslator
from gan_lightning.trainer.ddp import AlternatingDDPStrategy
from gan_lightning.variants import DCGAN, WGANGP, CycleGAN

SHAPE = (3, 32, 32)
STEPS = 2
GAMES: dict[str, partial[AdversarialModule]] = {
    "DCGAN": partial(DCGAN, image_shape=SHAPE),
    "DCGAN, accumulate 4": partial(DCGAN, image_shape=SHAPE, accumulate=4),
    "WGANGP, n_critic 5": partial(WGANGP, image_shape=SHAPE),
    "CycleGAN, width 16": partial(CycleGAN, image_shape=SHAPE, generator=partial(ResidualTranslator, width=16)),
}


class Counted(DDPStrategy):
    """Lightning's strategy, which counts as ours does."""

    def __init__(self) -> None:
        super().__init__(find_unused_parameters=True, start_method="fork")
        self.bytes_averaged = 0

    def configure_ddp(self) -> None:
        super().configure_ddp()
        self.model.register_comm_hook(None, self._hook)  # Lightning would, on GPUs only

    def _hook(self, state: Any, bucket: distributed.GradBucket) -> torch.futures.Future[torch.Tensor]:
        self.bytes_averaged += bucket.buffer().numel() * bucket.buffer().element_size()
        return allreduce_hook(state, bucket)


class Report(Callback):
    """Brings the count out of the first process."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
        if trainer.is_global_zero:
            self.path.write_text(str(trainer.strategy.bytes_averaged))


def bytes_a_step(game: AdversarialModule, strategy: DDPStrategy) -> int:
    """Of gradients, that each of two processes gives to be averaged in a step."""
    n_images = 2 * STEPS * game.n_critic * game.accumulate
    images = torch.rand(n_images, *SHAPE) * 2 - 1
    examples: Any = [{"A": image, "B": -image} for image in images] if isinstance(game, CycleGAN) else images
    with tempfile.TemporaryDirectory() as folder:
        report = Report(Path(folder) / "bytes")
        trainer = Trainer(
            accelerator="cpu",
            devices=2,
            strategy=strategy,
            max_steps=STEPS,
            default_root_dir=folder,
            callbacks=[report],
            **dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False),
        )
        trainer.fit(game, DataLoader(examples, batch_size=1))
        return int(report.path.read_text()) // STEPS


def main(arguments: Sequence[str]) -> None:
    argparse.ArgumentParser(prog="python -m benchmarks traffic").parse_args(arguments)
    torch.set_num_threads(1)  # a forked process must not find the threads of its parent
    print("| game | ours, MB a step | `ddp_find_unused_parameters_true` | ratio |\n|---|---|---|---|")
    for name, make in GAMES.items():
        ours = bytes_a_step(make(), AlternatingDDPStrategy(start_method="fork"))
        theirs = bytes_a_step(make(), Counted())
        print(f"| {name} | {ours / 1e6:.1f} | {theirs / 1e6:.1f} | {theirs / ours:.2f} |", flush=True)
