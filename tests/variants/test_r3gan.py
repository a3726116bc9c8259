"""What is special to R3GAN: pairs, both penalties in every update, games with classes and without, its schedules."""

from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.testing import assert_close

from gan_lightning.arguments import CosineSchedule
from gan_lightning.cli import main
from gan_lightning.games.batch import GameBatch
from gan_lightning.networks import ResNetDiscriminator
from gan_lightning.optimizers import ScheduledAdam
from gan_lightning.variants import R3GAN
from tests.helpers.games import answered, assert_same_bits, example_batch, last_state, play, run_directory, small


def test_losses_by_hand() -> None:
    # Real logits (1, 3) and fake ones (0, -2): differences 1 and 5, pair by pair, and no means.
    discriminator, generator = answered(small(R3GAN), real=[1.0, 3.0], fake=[0.0, -2.0])
    assert discriminator == pytest.approx({"adversarial": (0.31326169 + 0.00671535) / 2})
    assert generator == pytest.approx({"adversarial": (1.31326169 + 5.00671535) / 2})


class Quadratic(nn.Module):
    """``D(x) = a sum(x^2) + b sum(x)``, whose gradient is ``2 a x + b``; the labels it is given shift the logit."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(torch.tensor(0.5)), nn.Parameter(torch.tensor(0.25))

    def forward(self, image: Tensor, labels: Tensor | None = None) -> Tensor:
        logit = (self.a * image.square() + self.b * image).flatten(1).sum(1)
        return logit if labels is None else logit * (1 + labels)


def judged(**options: Any) -> tuple[R3GAN, GameBatch]:
    model: Any = small(R3GAN, side=8, discriminator=lambda *_: Quadratic(), **options)
    real, fake = torch.rand(4, 1, 8, 8) * 2 - 1, torch.randn(4, 1, 8, 8, requires_grad=True)
    return model, GameBatch(real, fake=fake)


def test_the_penalties_are_sums_over_an_image_and_means_over_the_batch() -> None:
    model, batch = judged(penalty_weight=3.0)
    terms = model.discriminator_penalty(batch)
    for name, images in (("r1", batch.real), ("r2", batch.fake)):
        norms = (2 * 0.5 * images.detach() + 0.25).square().sum(dim=(1, 2, 3))
        assert_close(terms[name].detach(), 3.0 / 2 * norms.mean())


def test_the_class_is_an_input_of_the_penalised_discriminator() -> None:
    model, batch = judged(num_classes=3)
    labels = torch.tensor([0, 1, 2, 2])
    terms = model.discriminator_penalty(GameBatch(batch.real, labels, fake=batch.fake))
    norms = (batch.real + 0.25).square().sum(dim=(1, 2, 3)) * (1 + labels) ** 2
    assert_close(terms["r1"].detach(), 0.05 / 2 * norms.mean())


def test_penalties_move_the_discriminator_and_never_the_generator() -> None:
    model, batch = judged()
    sum(model.discriminator_penalty(batch).values()).backward()  # type: ignore[union-attr]
    assert batch.fake.grad is None
    assert all(weight.grad is not None for weight in model.discriminator.parameters())


def test_a_whole_step_is_that_of_plain_torch() -> None:
    """Both players' gradients from one formula each, with labels, in double precision."""
    model: Any = small(R3GAN, side=8, num_classes=10, penalty_weight=0.7).double()
    for weight in (*model.generator.parameters(), *model.discriminator.parameters()):
        nn.init.normal_(weight, std=0.2)  # the last layer of a block is not 0 any more
    batch = model.draw_latents(model.prepare_batch(example_batch(model, 6, side=8)))
    real, labels, latent = batch.real.double(), batch.condition, batch.latent.double()
    judge, generator = model.discriminator, model.generator
    x, g = real.clone().requires_grad_(), generator(latent, labels).detach().requires_grad_()
    s, t = judge(x, labels), judge(g, labels)
    (of_x,), (of_g,) = (torch.autograd.grad(y.sum(), at, create_graph=True) for y, at in ((s, x), (t, g)))
    norms = of_x.square().sum((1, 2, 3)) + of_g.square().sum((1, 2, 3))
    expected = torch.autograd.grad(
        (torch.logaddexp(t - s, torch.zeros_like(s)) + 0.35 * norms).mean(), [*judge.parameters()]
    )
    given = GameBatch(real, labels, latent, generator(latent, labels))
    terms = model.discriminator_loss(given.detached()) | model.discriminator_penalty(given.detached())
    assert_close(torch.autograd.grad(sum(terms.values()), [*judge.parameters()]), expected)
    difference = judge(generator(latent, labels), labels) - judge(real, labels)
    expected = torch.autograd.grad(F.softplus(-difference).mean(), [*generator.parameters()])
    found = torch.autograd.grad(sum(model.generator_loss(given).values()), [*generator.parameters()])
    assert_close(found, expected)


def test_an_estimate_of_the_penalties_is_right_in_the_mean() -> None:
    """Of a linear discriminator the estimate is ``(grad . n)^2``: n draws scatter by sqrt(2 / n) of it."""
    model, _batch = judged(penalty_method="finite_difference", penalty_weight=1.0)
    with torch.no_grad():
        model.discriminator.a.zero_()  # type: ignore[union-attr,operator]
    torch.manual_seed(0)
    images = torch.zeros(4000, 1, 8, 8)
    terms = model.discriminator_penalty(GameBatch(images, fake=images))
    for name in ("r1", "r2"):
        assert float(terms[name]) == pytest.approx(0.5 * 64 * 0.25**2, rel=5 * (2 / 4000) ** 0.5)
    assert not model.differentiates_twice


def test_a_batch_norm_is_refused() -> None:
    def normalised(*_: Any) -> nn.Module:
        return nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(64, 1))

    with pytest.raises(ValueError, match="R3GAN penalises the discriminator's gradient at each image alone"):
        small(R3GAN, side=8, discriminator=normalised)


class TestWithoutClasses:
    """The labels of the data are left aside."""

    def test_labels_of_a_batch_are_dropped(self) -> None:
        for options in ({}, {"num_classes": 10, "conditional": False}):
            model: Any = small(R3GAN, **options)
            assert model.prepare_batch(example_batch(model, 4)).condition is None
            assert model.num_classes is None
            assert model.generator.embedding is None
            assert model.discriminator.embedding is None

    def test_samples_and_their_pictures(self) -> None:
        model: Any = small(R3GAN)
        samples = model.sample(6, seed=3)
        assert samples.shape == (6, 1, 16, 16)
        assert_close(model.sample(2, seed=3, start=4), samples[4:])
        assert_close(model(model.indexed_latents(0, 6, 3)), samples)
        assert model.sample_table(6, seed=3)[1] is None
        assert_close(model.sample_table(6, seed=3)[0], samples)
        assert model.table_captions(6) == ([], [])
        assert_close(model.interpolate_between(1, 4, [0.0, 1.0], seed=3), samples[[1, 4]])
        assert model.interpolation_table(2, 3).shape == (6, 1, 16, 16)

    def test_a_class_that_is_asked_for_is_refused(self) -> None:
        with pytest.raises(ValueError, match="This R3GAN has no classes: leave labels out"):
            small(R3GAN).sample(2, labels=[1])  # type: ignore[operator]

    def test_networks_that_know_no_classes_will_do(self, tmp_path: Path) -> None:
        discriminator = partial(ResNetDiscriminator, width=4)
        model = small(R3GAN, discriminator=discriminator)
        play(model, 1, tmp_path, batch_size=4)


class TestWithClasses:
    def test_samples_are_of_the_class_asked_for(self) -> None:
        model: Any = small(R3GAN, num_classes=10, class_names=[*"abcdefghij"])
        latents, labels = model.indexed_latents(0, 4, 0), [3, 8, 3, 8]
        assert_close(model.sample(4, labels=[3, 8]), model(latents, torch.tensor(labels)))
        assert model.table_captions(20)[1] == [*"0123456789"]

    def test_a_killed_run_resumes_in_the_same_bits(self, tmp_path: Path) -> None:
        """With all that changes over a run: both schedulers, gamma, and an average that begins as a copy."""

        def game() -> Any:
            scheduler = partial(
                ScheduledAdam, factor=CosineSchedule(1, 0.25, 400), beta2=CosineSchedule(0.9, 0.99, 400)
            )
            return small(
                R3GAN,
                num_classes=10,
                penalty_weight=CosineSchedule(1.0, 0.1, 400),
                ema_decay=None,
                ema_half_life=CosineSchedule(0.0, 200.0, 400),
                generator_scheduler=scheduler,
                discriminator_scheduler=scheduler,
            )

        play(game(), 5, tmp_path / "straight")
        play(game(), 5, tmp_path / "broken", crash_at=2)
        play(game(), 5, tmp_path / "broken", resume=True)
        assert_same_bits(last_state(tmp_path / "broken"), last_state(tmp_path / "straight"))
        loaded = R3GAN.load_from_checkpoint(run_directory(tmp_path / "broken") / "checkpoints" / "last.ckpt")
        assert loaded.num_classes == 10
        assert isinstance(loaded.penalty_weight, CosineSchedule)
        assert_same_bits(loaded.hparams, game().hparams)

    def test_a_class_beyond_the_last_is_refused(self) -> None:
        model: Any = small(R3GAN, num_classes=4)
        with pytest.raises(ValueError, match="labels up to 5, but the model was made for 4 classes"):
            model.prepare_batch(example_batch(model, 6))


@pytest.mark.parametrize(("options", "classes"), [([], 10), (["--model.conditional", "false"], None)])
def test_the_command_line_takes_the_classes_from_the_data(
    options: list[str], classes: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    small_networks = [f"--model.{player}.{name}=8" for player in ("generator", "discriminator") for name in ("width",)]
    command = ["fit", "--model", "R3GAN", "--data", "DigitsDataModule", "--name", "run", *small_networks, *options]
    assert main([*command, "--trainer.max_steps", "1", "--trainer.accelerator", "cpu"]) == 0
    loaded = R3GAN.load_from_checkpoint("runs/run/version_0/checkpoints/last.ckpt")
    assert loaded.num_classes == classes
    assert loaded.image_shape == (1, 8, 8)


class Settings(pl.Callback):
    """Notes what the settings are in each step."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, float, float]] = []

    def on_train_batch_start(self, trainer: pl.Trainer, game: Any, *_: Any) -> None:
        group = game.optimizer_of("discriminator").param_groups[0]
        half_life = game.ema.half_life(game.images_seen)
        self.seen.append((group["lr"], group["betas"][1], half_life))


def test_the_burn_in_is_half_a_cosine_of_images_and_then_constant(tmp_path: Path) -> None:
    scheduler = partial(ScheduledAdam, factor=CosineSchedule(1, 0.25, 200), beta2=CosineSchedule(0.9, 0.99, 200))
    settings = Settings()
    model: Any = small(
        R3GAN,
        discriminator_scheduler=scheduler,
        ema_decay=None,
        ema_half_life=CosineSchedule(0.0, 100.0, 200),
    )
    averages: list[bool] = []

    def note(*_: Any) -> None:
        pairs = zip(model.ema.module.parameters(), model.generator.parameters(), strict=True)
        averages.append(all(torch.equal(*pair) for pair in pairs))

    settings.on_train_batch_end = note  # type: ignore[method-assign]
    play(model, 5, tmp_path, batch_size=50, callbacks=[settings], limit_val_batches=0)
    # Shares of the way at 0, 50, 100, 150 and 200 images: (1 - cos(pi k / 4)) / 2.
    shares = [0, 0.14644661, 0.5, 0.85355339, 1]
    expected = [(2e-4 * (1 - 0.75 * share), 0.9 + 0.09 * share, 100 * share) for share in shares]
    assert [pytest.approx(each) for each in expected] == settings.seen
    # A half-life of 0 copies the weights, and every later one does not.
    assert averages == [True, False, False, False, False]
