"""Small games on real digits, for any test that needs one to be played."""

import inspect
from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn

import gan_lightning.variants
from datamodules import DigitsDataModule
from gan_lightning.callbacks import LastCheckpoint
from gan_lightning.game import AdversarialModule, GameBatch
from gan_lightning.image_game import ImageGame
from gan_lightning.loggers import RunLogger
from gan_lightning.networks import (
    ClassifyingDiscriminator,
    ConditionalMLPDiscriminator,
    ConditionalMLPGenerator,
    ConvAutoencoder,
    ConvDiscriminator,
    ConvGenerator,
    InfoGANDiscriminator,
    InfoGANGenerator,
    MLPDiscriminator,
    MLPGenerator,
    ResNetDiscriminator,
    ResNetGenerator,
    SAGANDiscriminator,
    SAGANGenerator,
    SNGANDiscriminator,
    SNGANGenerator,
)

VARIANTS: list[type[AdversarialModule]] = [
    value
    for value in vars(gan_lightning.variants).values()
    if inspect.isclass(value) and issubclass(value, AdversarialModule)
]

SMALL_NETWORKS: dict[Any, dict[str, int]] = {
    ClassifyingDiscriminator: {"width": 2},
    InfoGANGenerator: {"width": 2},
    InfoGANDiscriminator: {"width": 2},
    ConvGenerator: {"width": 4},
    ConvDiscriminator: {"width": 4},
    MLPGenerator: {"hidden": 16},
    MLPDiscriminator: {"hidden": 8, "pieces": 2},
    ConditionalMLPGenerator: {"latent_hidden": 8, "label_hidden": 8, "hidden": 16},
    ConditionalMLPDiscriminator: {"image_hidden": 8, "label_hidden": 4, "hidden": 8},
    ResNetGenerator: {"width": 4},
    ResNetDiscriminator: {"width": 4},
    SNGANGenerator: {"width": 4},
    SNGANDiscriminator: {"width": 4},
    SAGANGenerator: {"width": 4},
    SAGANDiscriminator: {"width": 4},
    ConvAutoencoder: {"width": 2},
}
"""How to make each network small; a variant that brings a network of its own adds its line here."""


def small(variant: type[AdversarialModule], side: int = 16, **arguments: Any) -> AdversarialModule:
    """The variant with its own kinds of network, made small, for one-channel images."""
    torch.manual_seed(0)  # the same networks each time
    if issubclass(variant, ImageGame):
        for player in ("generator", "discriminator"):
            network = inspect.signature(variant).parameters.get(player, inspect.signature(ImageGame).parameters[player])
            assert network.default in SMALL_NETWORKS, f"say how to make {network.default} small in {__file__}"
            arguments.setdefault(player, partial(network.default, **SMALL_NETWORKS[network.default]))
        arguments = {"image_shape": (1, side, side), "latent_dim": 4, **arguments}
    return variant(**arguments)


class Crash(pl.Callback):
    """Dies in the middle of a step, when a batch has been fetched and not used."""

    class Died(RuntimeError): ...

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step == self.step:
            raise self.Died


def play(
    model: AdversarialModule,
    steps: int,
    folder: Path,
    *,
    seed: int = 0,
    batch_size: int = 100,
    side: int = 16,
    resume: bool = False,
    save_every: int = 1,
    crash_at: int | None = None,
    callbacks: list[pl.Callback] | None = None,
    **trainer_arguments: Any,
) -> pl.Trainer:
    """Train on the digits for some steps, in the run directory ``folder / "run" / "version_0"``."""
    pl.seed_everything(seed, verbose=False)
    extra = [Crash(crash_at)] if crash_at is not None else []
    trainer = pl.Trainer(
        max_steps=steps,
        accelerator="cpu",
        logger=RunLogger(str(folder), "run", 0),
        log_every_n_steps=1,
        num_sanity_val_steps=0,
        enable_model_summary=False,
        enable_progress_bar=False,
        callbacks=[LastCheckpoint(save_every), *(callbacks or []), *extra],
        **trainer_arguments,
    )
    last = run_directory(folder) / "checkpoints" / "last.ckpt"
    ckpt_path = last if resume and last.exists() else None
    data = DigitsDataModule(batch_size=batch_size, image_size=side, seed=seed)
    try:
        trainer.fit(model, data, ckpt_path=ckpt_path, weights_only=True)
    except Crash.Died:
        assert crash_at is not None
    return trainer


def run_directory(folder: Path) -> Path:
    return folder / "run" / "version_0"


def last_state(folder: Path) -> dict[str, Any]:
    """What the newest checkpoint holds of the game: weights, average, optimisers, schedulers, step, seed."""
    checkpoint = torch.load(run_directory(folder) / "checkpoints" / "last.ckpt", weights_only=True)
    names = ("state_dict", "optimizer_states", "lr_schedulers", "global_step", "epoch", "gan_lightning")
    return {name: checkpoint[name] for name in names}


def metrics_file(folder: Path) -> str:
    return (run_directory(folder) / "metrics.csv").read_text()


def assert_same_bits(one: Any, other: Any, where: str = "") -> None:
    """Equal to the last bit, through dicts and sequences."""
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_same_bits(one[key], other[key], f"{where}/{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for number, pair in enumerate(zip(one, other, strict=True)):
            assert_same_bits(*pair, f"{where}/{number}")
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other), f"{where} differs"
    else:
        assert one == other, where


class Answers(nn.Module):
    """A discriminator that says what it is told to of real images (zeros) and of fakes (ones)."""

    def __init__(self, real: list[float], fake: list[float]) -> None:
        super().__init__()
        self.real = torch.tensor(real)
        self.fake = torch.tensor(fake)

    def forward(self, images: Tensor) -> Tensor:
        return self.fake if bool(images.flatten()[0] == 1) else self.real


def answered(
    model: AdversarialModule, real: list[float], fake: list[float]
) -> tuple[dict[str, float], dict[str, float]]:
    """The discriminator's and the generator's terms when the discriminator answers so; nothing is symmetric."""
    model.discriminator = Answers(real, fake)
    batch = GameBatch(torch.zeros(2, 1, 8, 8), fake=torch.ones(2, 1, 8, 8))
    return tuple(  # type: ignore[return-value]
        {name: term.item() for name, term in loss(batch).items()}
        for loss in (model.discriminator_loss, model.generator_loss)
    )
