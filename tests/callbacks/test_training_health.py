"""How the game goes: what is logged of it, and that looking changes nothing."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import Tensor

from gan_lightning.callbacks import TrainingHealth
from gan_lightning.callbacks.training_health import mean_distance
from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.randomness import own_randomness
from gan_lightning.losses import (
    Terms,
    energy_discriminator,
    hinge_discriminator,
    least_squares_discriminator,
    minimax_discriminator,
    wasserstein_discriminator,
)
from gan_lightning.losses.accuracy import ACCURACIES
from gan_lightning.losses.reported import is_wanted, listen, report, stop_listening
from gan_lightning.variants import DCGAN, EBGAN, SRGAN, WGAN, CycleGAN, Pix2Pix, ProGAN, StarGAN
from tests.helpers.games import answered, assert_same_bits, last_state, play, small

LOGGED = {
    "train/discriminator/accuracy_real",
    "train/discriminator/accuracy_fake",
    "train/discriminator/gradient_norm",
    "train/generator/gradient_norm",
    "train/discriminator/learning_rate",
    "train/generator/learning_rate",
    "train/images_per_second",
}


class Logged(pl.Callback):
    """Everything that the loggers get, by step."""

    def __init__(self) -> None:
        self.rows: dict[int, dict[str, float]] = {}

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        write = trainer.logger.log_metrics

        def log_metrics(metrics: dict[str, float], step: int) -> None:
            self.rows.setdefault(step, {}).update(metrics)
            write(metrics, step)

        trainer.logger.log_metrics = log_metrics


def logged(
    model: AdversarialModule, folder: Path, steps: int = 2, side: int = 8, **options: Any
) -> dict[int, dict[str, float]]:
    log = Logged()
    health = TrainingHealth(diversity_every_n_steps=2, n_samples=8)
    play(model, steps, folder, side=side, callbacks=[log, health], limit_val_batches=0, **options)
    assert not is_wanted(*ACCURACIES)
    return log.rows


def test_diversity_of_a_game_that_grows_is_of_a_pixel(tmp_path: Path) -> None:
    """At 4 x 4: enlarged four times, the real images themselves would have the diversity 1."""
    model = small(ProGAN, growth=0.0)
    reals: list[Tensor] = []
    prepare = model.prepare_batch
    model.prepare_batch = lambda raw: reals.append(prepare(raw).real) or prepare(raw)  # type: ignore[func-returns-value]
    model.sample = lambda n: reals[-1][:n].repeat_interleave(4, 2).repeat_interleave(4, 3)
    rows = logged(model, tmp_path, side=16)
    assert rows[2]["train/generator/diversity"] == pytest.approx(1.0)


def test_a_game_is_looked_at_where_it_is_logged(tmp_path: Path) -> None:
    rows = logged(small(DCGAN, side=8), tmp_path, 3)
    assert set(rows) == {1, 2, 3}
    for step, row in rows.items():
        assert row.keys() >= LOGGED
        # Diversity is rare: after step 2 of 1, 2, 3.
        assert ("train/generator/diversity" in row) == (step == 2)
        assert row["train/generator/learning_rate"] == pytest.approx(2e-4)
        assert row["train/images_per_second"] > 0


@pytest.mark.parametrize("variant", [WGAN, EBGAN, Pix2Pix, CycleGAN, StarGAN])
def test_games_of_other_kinds_are_looked_at_too(variant: type[AdversarialModule], tmp_path: Path) -> None:
    """Critics, energies, patches, two discriminators, several heads."""
    row = logged(small(variant), tmp_path, 2, side=16, batch_size=10)[2]
    judges = ["_A", "_B"] if variant is CycleGAN else [""]
    accuracies = {f"train/discriminator/accuracy_{kind}{judge}" for kind in ("real", "fake") for judge in judges}
    assert {name for name in row if "accuracy_" in name and "discriminator" in name} == accuracies
    assert row.keys() >= {name for name in LOGGED if "accuracy" not in name}
    assert ("train/generator/diversity" in row) == hasattr(variant, "sample")
    for name in accuracies:
        assert 0 <= row[name] <= 1


def test_a_discriminator_that_sits_out_has_no_health(tmp_path: Path) -> None:
    row = logged(small(SRGAN, warm_up_steps=5), tmp_path, 1, side=16, batch_size=10)[1]
    assert not any("discriminator" in name for name in row)
    assert "train/generator/gradient_norm" in row


def overheard(call: Any) -> tuple[float, float]:
    heard: list[tuple[str, float]] = []
    listener = lambda name, value: heard.append((name, value.item()))  # noqa: E731
    listen(listener)
    call()
    stop_listening(listener)
    (first, real), (second, fake) = heard
    assert (first, second) == ACCURACIES
    return real, fake


REAL, FAKE = torch.tensor([3.0, 1.0, -1.0, 0.4]), torch.tensor([-2.0, 0.3, 0.2, 0.6])


@pytest.mark.parametrize(
    ("loss", "shares"),
    [
        (minimax_discriminator, (3 / 4, 1 / 4)),  # the boundary is 0
        (hinge_discriminator, (3 / 4, 1 / 4)),
        (least_squares_discriminator, (2 / 4, 3 / 4)),  # 1/2
        (wasserstein_discriminator, (3 / 4, 3 / 4)),  # half-way between 0.85 and -0.225: 0.3125
        (energy_discriminator, (1 / 4, 1 / 4)),  # the same place, and real is below it
    ],
)
def test_how_often_the_discriminator_is_right(loss: Any, shares: tuple[float, float]) -> None:
    assert overheard(lambda: loss(REAL, FAKE)) == shares
    # An image of two patches is judged by their mean.
    real, fake = (torch.stack([outputs - 1, outputs + 1], dim=1) for outputs in (REAL, FAKE))
    assert overheard(lambda: loss(real, fake)) == shares


def test_a_game_tells_what_its_discriminator_said() -> None:
    assert overheard(lambda: answered(small(DCGAN, side=8), [1.0, 2.0], [3.0, -4.0])[0]) == (1.0, 0.5)


def test_what_a_loss_or_a_layer_reports_is_logged(tmp_path: Path) -> None:
    class Reporting(DCGAN):
        def generator_loss(self, batch: GameBatch) -> Terms:
            report("generator/brightest", batch.fake.amax())
            return super().generator_loss(batch)

    log = logged(small(Reporting, side=8), tmp_path, 2)
    assert all(0 < row["train/generator/brightest"] <= 1 for row in log.values())


def test_the_norm_is_taken_before_the_clipping(tmp_path: Path) -> None:
    free = logged(small(DCGAN, side=8), tmp_path / "free", 1)[1]
    clipped = logged(small(DCGAN, side=8, gradient_clip_norm=1e-3), tmp_path / "clipped", 1)[1]
    assert clipped["train/discriminator/gradient_norm"] == free["train/discriminator/gradient_norm"] > 1e-2


def test_the_norm_is_that_of_the_gradient(tmp_path: Path) -> None:
    norms: list[float] = []

    class Own(pl.Callback):
        def on_before_optimizer_step(self, trainer: pl.Trainer, pl_module: Any, optimizer: Any) -> None:
            weights = [weight for group in optimizer.param_groups for weight in group["params"]]
            norms.append(float(sum(weight.grad.square().sum() for weight in weights)) ** 0.5)

    row = logged_with(Own(), tmp_path)
    assert row["train/discriminator/gradient_norm"] == pytest.approx(norms[0], rel=1e-5)


def logged_with(callback: pl.Callback, folder: Path) -> dict[str, float]:
    log = Logged()
    play(small(DCGAN, side=8), 1, folder, side=8, callbacks=[log, callback, TrainingHealth()], limit_val_batches=0)
    return log.rows[1]


def test_mean_distance_by_hand() -> None:
    images = torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]]).view(3, 2, 1, 1)
    assert mean_distance(images).item() == pytest.approx((5 + 1 + 18**0.5) / 3)


def test_a_collapsed_generator_is_seen(tmp_path: Path) -> None:
    class Collapsed(DCGAN):
        def sample(self, n: int, *_: Any, **__: Any) -> Tensor:
            return torch.zeros(n, 1, 8, 8)

    assert logged(small(Collapsed, side=8), tmp_path / "one")[2]["train/generator/diversity"] == 0

    class Perfect(DCGAN):
        def sample(self, n: int, *_: Any, **__: Any) -> Tensor:
            with own_randomness(0, self.device):
                images, _ = next(iter(self.trainer.datamodule.val_dataloader()))
                return self.scaled(images[:n])

    assert logged(small(Perfect, side=8), tmp_path / "two")[2]["train/generator/diversity"] == pytest.approx(1, abs=0.3)


def test_looking_changes_no_bit(tmp_path: Path) -> None:
    rows = logged(small(DCGAN, side=8, n_critic=2, r1_weight=1.0), tmp_path / "with", 4)
    play(small(DCGAN, side=8, n_critic=2, r1_weight=1.0), 4, tmp_path / "without", side=8, limit_val_batches=0)
    assert_same_bits(last_state(tmp_path / "with"), last_state(tmp_path / "without"))
    assert rows[3]["train/generator/loss"] > 0


def test_a_resumed_run_logs_the_same(tmp_path: Path) -> None:
    """All but the time, which nothing can repeat."""
    straight = logged(small(DCGAN, side=8), tmp_path / "straight", 5)
    logged(small(DCGAN, side=8), tmp_path / "broken", 5, crash_at=3)
    resumed = logged(small(DCGAN, side=8), tmp_path / "broken", 5, resume=True)
    for row in (*straight.values(), *resumed.values()):
        del row["train/images_per_second"]
    assert resumed == {step: straight[step] for step in (4, 5)}


def test_images_are_counted_by_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two updates of the discriminator on 100 images each, in a step of half a second."""
    clock = iter(range(100))
    monkeypatch.setattr("gan_lightning.callbacks.training_health.time.monotonic", lambda: next(clock) / 2)
    rows = logged(small(DCGAN, side=8, n_critic=2), tmp_path, 2)
    assert [row["train/images_per_second"] for row in rows.values()] == [400, 400]


def test_impossible_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="n_samples is 1: it must be a whole number, at least 2"):
        TrainingHealth(n_samples=1)
