"""Number types other than float32: of the weights, of what a loader gives, and of what must keep its digits."""

import warnings
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from gan_lightning import inference
from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.embedding import EmbeddingGame
from gan_lightning.optimizers.ema import ExponentialMovingAverage
from gan_lightning.optimizers.historical_averaging import HistoricalAveragingAdam
from gan_lightning.variants import ACGAN, BEGAN, DCGAN, Pix2Code, SemiSupervisedGAN, StarGAN
from tests.helpers.games import (
    VARIANTS,
    argument_of,
    assert_same_bits,
    example_batch,
    last_state,
    play,
    run_directory,
    small,
)


class Batches(DataLoader[Any]):
    """Ready-made batches, as a loader gives them."""

    def __init__(self, batches: list[Any]) -> None:
        super().__init__(batches, batch_size=None)  # type: ignore[arg-type]


def one_step(model: AdversarialModule, batch: Any, **arguments: Any) -> pl.Trainer:
    trainer = pl.Trainer(
        max_steps=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
        **arguments,
    )
    loader = batch if isinstance(batch, DataLoader) else Batches([batch] * 5)
    trainer.fit(model, loader, None if loader is batch else Batches([batch]))
    return trainer


def pictures(model: AdversarialModule, batch: Any) -> list[Tensor]:
    """Whatever the game makes of nothing, and of images."""
    made: list[Tensor] = []
    if hasattr(model, "sample"):
        made.append(model.sample(3))
    if hasattr(model, "examples_of"):
        made.append(model.examples_of(model.prepare_batch(batch)))
    if hasattr(model, "sample_table"):
        made += [model.sample_table(4)[0], model.interpolation_table(1, 3)]
    if hasattr(model, "picture_columns"):
        made += model.picture_columns(model.prepare_batch(batch))
    if hasattr(model, "reconstruct"):
        made.append(model.reconstruct(batch[0]))
    if isinstance(model, Pix2Code):
        prepared = model.prepare_batch(batch)
        made.append(model.generate_fakes(prepared))
        assert len(model.transcribe(prepared.condition["images"])) == len(prepared.real)
    if isinstance(model, EmbeddingGame):
        made += [model.encode_images(batch["images"]), model.encode_tokens(batch["tokens"]).sentence]
    return made


@pytest.mark.parametrize("precision", ["bf16-true", "64-true"])
@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.__name__)
def test_every_variant_plays_and_shows_in_any_precision(variant: Any, precision: Any) -> None:
    torch.manual_seed(0)
    model = small(variant)
    batch = example_batch(model, 8)
    one_step(model, batch, precision=precision, num_sanity_val_steps=0)
    wanted = torch.float64 if precision == "64-true" else torch.bfloat16
    assert model.number_type == wanted
    assert all(weight.isfinite().all() for weight in model.parameters())
    made = pictures(model, batch)
    assert made
    assert all(images.isfinite().all() for images in made)


def test_the_average_moves_in_bfloat16_as_theory_says() -> None:
    model = small(DCGAN, ema_decay=0.999).to(torch.bfloat16)
    assert model.ema is not None
    with torch.no_grad():
        for weight in model.averaged_generator.parameters():
            weight.fill_(1)
        for weight in model.generator.parameters():
            weight.fill_(2)
    for _ in range(1000):
        model.ema.update(model.generator, 10_000)
    for weight in model.averaged_generator.parameters():
        torch.testing.assert_close(weight, torch.full_like(weight, 2 - 0.999**1000), rtol=1e-3, atol=0)


@pytest.mark.parametrize("order", ["network first", "average later"])
def test_an_average_outside_of_a_game_moves_in_bfloat16_too(order: str) -> None:
    network = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    if order == "network first":
        average = ExponentialMovingAverage(network.to(torch.bfloat16), 0.999)
    else:
        average = ExponentialMovingAverage(network, 0.999).to(torch.bfloat16)
    with torch.no_grad():
        for weights, value in ((average, 1.0), (network, 2.0)):
            for weight in weights.parameters():
                weight.fill_(value)
    for _ in range(1000):
        average.update(network, 10_000)
    for weight in average.parameters():
        torch.testing.assert_close(weight, torch.full((), 2 - 0.999**1000).expand_as(weight), rtol=1e-3, atol=0)
    assert average.module(torch.zeros(2, 4, dtype=torch.bfloat16)).isfinite().all()


def test_few_digits_are_told_once(tmp_path: Path) -> None:
    for precision, times in (("bf16-true", 1), ("bf16-mixed", 0), ("64-true", 0)):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            play(small(DCGAN, side=8), 2, tmp_path / precision, side=8, precision=precision)
        told = [str(each.message) for each in caught if "Train in bf16-mixed" in str(each.message)]
        assert len(told) == times, precision


@pytest.mark.parametrize("convert", ["half", "bfloat16"])
def test_what_needs_the_digits_keeps_them_and_comes_back_whole(convert: str) -> None:
    model = small(SemiSupervisedGAN, discriminator_ema_decay=0.9)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    getattr(model, convert)()
    after = model.state_dict()
    kept = [name for name in after if "ema." in name or "running_" in name]
    assert kept
    for name in kept:
        assert torch.equal(before[name], after[name])
    assert model.generator.state_dict()[next(n for n, v in model.generator.named_parameters() if v.ndim > 1)].dtype in (
        torch.half,
        torch.bfloat16,
    )
    assert all(
        value.dtype == torch.float64 for value in model.double().state_dict().values() if value.is_floating_point()
    )
    assert not any(weight.is_meta for weight in model.to("cpu").parameters())
    assert all(value.is_meta for value in model.to("meta").state_dict().values())


def test_the_balance_of_began_moves_by_small_steps_in_bfloat16() -> None:
    model = small(BEGAN).to(torch.bfloat16)
    model.k.fill_(0.5)
    model.energies.copy_(torch.tensor([1.0, 0.25]))
    model.after_discriminator_update()
    assert model.k == torch.tensor(0.5) + 1e-3 * 0.25


def test_the_mean_of_historical_averaging_keeps_its_digits_in_bfloat16() -> None:
    """In bfloat16 a mean of more than 256 updates stands still; it is float32 when it is loaded, too."""
    weight = nn.Parameter(torch.zeros(4, dtype=torch.bfloat16))
    optimizer = HistoricalAveragingAdam([weight], lr=0.0)
    for update in range(1, 601):
        with torch.no_grad():
            weight.fill_(float(update > 300))
        weight.grad = torch.zeros_like(weight)
        optimizer.step()
    torch.testing.assert_close(optimizer.state[weight]["mean"], torch.full((4,), 0.5))
    again = HistoricalAveragingAdam([nn.Parameter(weight.detach().clone())], lr=0.0)
    again.load_state_dict(optimizer.state_dict())
    assert_same_bits(again.state_dict()["state"][0]["mean"], optimizer.state[weight]["mean"])


def test_a_bfloat16_run_resumes_in_the_same_bits_and_is_sampled(tmp_path: Path) -> None:
    arguments: Any = {"side": 8, "precision": "bf16-true"}
    make = {"generator_optimizer": HistoricalAveragingAdam, "discriminator_optimizer": HistoricalAveragingAdam}
    play(small(DCGAN, side=8, r1_weight=1.0, **make), 4, tmp_path / "straight", **arguments)
    play(small(DCGAN, side=8, r1_weight=1.0, **make), 4, tmp_path / "broken", crash_at=2, **arguments)
    play(small(DCGAN, side=8, r1_weight=1.0, **make), 4, tmp_path / "broken", resume=True, **arguments)
    assert_same_bits(last_state(tmp_path / "broken"), last_state(tmp_path / "straight"))
    model = inference.load(run_directory(tmp_path / "straight") / "checkpoints" / "last.ckpt")
    assert model.sample(2).dtype == torch.float32


@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16])
def test_images_of_any_float_type_train(kind: torch.dtype) -> None:
    model = small(DCGAN)
    batch = (2 * torch.rand(4, 1, 16, 16) - 1).to(kind)
    one_step(model, batch)
    assert model.prepare_batch(batch).real.dtype == torch.float32


@pytest.mark.parametrize("kind", [torch.int32, torch.int16, torch.uint8])
@pytest.mark.parametrize("variant", [v for v in VARIANTS if argument_of(v, "num_classes")], ids=lambda v: v.__name__)
def test_classes_of_any_integer_type_train(variant: Any, kind: torch.dtype) -> None:
    model = small(variant, **({"attributes": None, "num_classes": 10} if variant is StarGAN else {}))
    images, labels = example_batch(small(ACGAN), 4)
    one_step(model, (images, labels.to(kind)))


@pytest.mark.parametrize("kind", [torch.bool, torch.int64, torch.float64])
def test_attributes_of_any_type_train(kind: torch.dtype) -> None:
    model = small(StarGAN)
    batch = example_batch(model, 4)
    one_step(model, (batch[0], batch[1].to(kind)))
