"""The losses of seeded games as they were recorded: a change that should leave them alone leaves them alone.

``GAN_LIGHTNING_RECORD=1 pytest -n 0 tests/variants/test_recorded.py`` records them again where a change is meant to
move them; the commit says which and why.
"""

import os
from functools import cache
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import yaml

from gan_lightning.games.base import AdversarialModule
from tests.helpers.games import VARIANTS, DigitsFor, small

RECORD = Path(__file__).parents[1] / "data" / "seeded_losses.yaml"


class Losses(pl.Callback):
    """Keeps both players' losses of each step."""

    def __init__(self) -> None:
        self.of: dict[str, list[float]] = {"discriminator": [], "generator": []}

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        for player, loss in outputs.items():
            self.of[player].append(float(loss))


def seeded_losses(variant: type[AdversarialModule]) -> dict[str, list[float]]:
    """Of three steps on the digits, in double precision, with two updates of the discriminator and a lazy penalty."""
    model = small(variant, n_critic=2, penalty_interval=2)
    losses = Losses()
    trainer = pl.Trainer(
        max_steps=3,
        accelerator="cpu",
        precision="64-true",
        logger=False,
        num_sanity_val_steps=0,
        limit_val_batches=0,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[losses],
    )
    pl.seed_everything(0, verbose=False)
    trainer.fit(model, DigitsFor(model, batch_size=8, image_size=16, seed=0))
    return losses.of


@cache
def recorded() -> dict[str, dict[str, list[float]]]:
    return yaml.safe_load(RECORD.read_text())


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.__name__)
def test_seeded_losses_are_those_recorded(variant: type[AdversarialModule]) -> None:
    losses = seeded_losses(variant)
    if os.environ.get("GAN_LIGHTNING_RECORD"):
        known = yaml.safe_load(RECORD.read_text()) if RECORD.exists() else {}
        RECORD.write_text(yaml.safe_dump(known | {variant.__name__: losses}))
        return
    # Latents are drawn in float32, whose last digit differs between processors; all that follows is in float64.
    expected = recorded()[variant.__name__]
    assert {player: pytest.approx(values, rel=1e-4, abs=1e-5) for player, values in expected.items()} == losses
