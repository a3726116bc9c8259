"""Does a generator lose modes? Eight Gaussians on a ring, with and without a look ahead: figure 2 of Metz et al., 2016.

    python -m benchmarks modes [--n-unrolled 0 5] [--seeds 3] [--out FOLDER]

Every run plays `UnrolledGAN` with the same settings but for K, the steps that its generator sees ahead: with 0 it is
`MinimaxGAN`. The picture has a row for each run, its samples at six steps, evenly up to the last, and the data at the
end. The table tells of each run's last samples how many modes they cover, so that at least 1 % of them lie within three
standard deviations of its middle, and the share of high quality, that lies so close to any.
"""

import argparse
import logging
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from datamodules import ToyDataModule
from gan_lightning.metrics.mode_coverage import mode_coverage
from gan_lightning.networks import PointDiscriminator, PointGenerator
from gan_lightning.optimizers import DCGANAdam
from gan_lightning.variants import UnrolledGAN
from gan_lightning.visualization.images import grid, write_png

LATENT_DIM = 256
N_SAMPLES = 2500
N_PICTURES = 6
HALF, SIDE = 3.0, 96
"""The plane in the picture reaches so far from the middle to each side, in so many pixels altogether."""


def drawn(points: Tensor) -> Tensor:
    """Points (N x 2) as dots on white, 1 x SIDE x SIDE; those outside are left out."""
    column, row = ((points * torch.tensor([1, -1]) + HALF) * (SIDE / 2 / HALF)).floor().long().unbind(dim=1)
    inside = (column >= 0) & (column < SIDE) & (row >= 0) & (row < SIDE)
    dots = torch.bincount(row[inside] * SIDE + column[inside], minlength=SIDE * SIDE).view(1, SIDE, SIDE)
    ink = F.max_pool2d(1 - torch.exp(-dots / 3), 3, stride=1, padding=1)
    return (255 * (1 - ink)).round().to(torch.uint8)


class Snapshots(pl.Callback):
    """Takes samples down at some steps, and moves the bar."""

    def __init__(self, steps: Sequence[int], bar: Any) -> None:
        self.steps = steps
        self.bar = bar
        self.points: list[Tensor] = []

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
        self.bar.update()
        if trainer.global_step in self.steps:
            self.points.append(pl_module.sample(N_SAMPLES))


def train(n_unrolled: int, seed: int, data: ToyDataModule, rates: tuple[float, float], watch: Snapshots) -> None:
    """One run, of the generator's and the discriminator's learning rate."""
    pl.seed_everything(seed, verbose=False)
    model = UnrolledGAN(
        data.image_shape,
        LATENT_DIM,
        PointGenerator,
        PointDiscriminator,
        n_unrolled=n_unrolled,
        generator_optimizer=partial(DCGANAdam, lr=rates[0]),
        discriminator_optimizer=partial(DCGANAdam, lr=rates[1]),
        ema_decay=None,
    )
    pl.Trainer(
        max_steps=watch.steps[-1],
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
        limit_val_batches=0,
        callbacks=[watch],
    ).fit(model, data)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks modes")
    parser.add_argument("--n-unrolled", type=int, nargs="+", default=[0, 5], help="K of the games (default: 0 5)")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each (default: %(default)s)")
    parser.add_argument("--first-seed", type=int, default=0, help="(default: %(default)s)")
    parser.add_argument("--steps", type=int, default=4000, help="(default: %(default)s)")
    parser.add_argument("--batch-size", type=int, default=256, help="(default: %(default)s)")
    parser.add_argument("--lr", type=float, nargs=2, default=[1e-3, 1e-3], help="G's and D's (default: 1e-3 1e-3)")
    parser.add_argument("--out", type=Path, default=Path("runs/modes"), help="folder (default: %(default)s)")
    options = parser.parse_args(arguments)
    warnings.filterwarnings("ignore", ".*does not have many workers.*")
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    torch.set_num_threads(1)  # more get in each other's way with networks as small as these

    steps = [options.steps * number // N_PICTURES for number in range(1, N_PICTURES + 1)]
    rows, table = [], ["| K | seed | modes covered | high quality |", "|---|---|---|---|"]
    runs = [(k, options.first_seed + number) for number in range(options.seeds) for k in options.n_unrolled]
    options.out.mkdir(parents=True, exist_ok=True)
    with tqdm(total=len(runs) * options.steps, unit="step", mininterval=1) as bar:
        for n_unrolled, seed in runs:
            bar.set_description(f"K = {n_unrolled}, seed {seed}")
            data = ToyDataModule("ring", options.batch_size, options.batch_size * options.steps, seed=seed)
            watch = Snapshots(steps, bar)
            train(n_unrolled, seed, data, tuple(options.lr), watch)
            modes, quality = mode_coverage(watch.points[-1], data.centres, data.std)
            table.append(f"| {n_unrolled} | {seed} | {modes} of {len(data.centres)} | {quality:.0%} |")
            real = torch.cat([*data.val_dataloader()])
            rows += [drawn(points.flatten(1)) for points in (*watch.points, real)]
            # After each run, so that one that is stopped leaves what was found.
            (options.out / "modes.md").write_text("\n".join([*table, ""]))
            write_png(options.out / "modes.png", grid(torch.stack(rows), N_PICTURES + 1))
    print(*table, f"\nthe table and the picture: {options.out}/modes.md, modes.png", sep="\n")
