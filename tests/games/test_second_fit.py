"""A second fit: what a game counts goes on with its weights, whatever the trainer counts."""

import warnings
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch

from gan_lightning import inference
from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.batch import GameBatch
from gan_lightning.losses import Terms
from gan_lightning.optimizers.ema import ExponentialMovingAverage
from gan_lightning.variants import DCGAN, SRGAN, SemiSupervisedGAN
from tests.helpers.games import play, run_directory, small

OLD = Path(__file__).parents[1] / "data" / "dcgan_eac9e89.ckpt"


class Watched(DCGAN):
    """Notes what it draws and when it is penalised."""

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        self.__dict__.setdefault("latents", []).append(batch.latent)
        return super().discriminator_loss(batch)

    def discriminator_penalty(self, batch: GameBatch) -> Terms:
        self.__dict__.setdefault("penalised", []).append(self.game_step)
        return {"penalty": 0 * self.discriminator(batch.real).mean()}


def seen(model: AdversarialModule, name: str) -> list[Any]:
    return model.__dict__.pop(name, [])


def watched(**arguments: Any) -> AdversarialModule:
    return small(Watched, side=8, **arguments)


def carried_over(how: str, model: AdversarialModule, checkpoint: Path) -> AdversarialModule:
    if how == "the same object":
        return model
    if how == "load_from_checkpoint":
        return Watched.load_from_checkpoint(checkpoint)
    other = watched()
    other.load_state_dict(deepcopy(model.state_dict()))
    return other


@pytest.mark.parametrize("how", ["the same object", "load_from_checkpoint", "load_state_dict"])
def test_the_average_is_kept_in_a_second_fit(how: str, tmp_path: Path) -> None:
    model = watched()
    play(model, 40, tmp_path / "first", side=8)
    again = carried_over(how, model, run_directory(tmp_path / "first") / "checkpoints" / "last.ckpt")
    before = deepcopy(again.averaged_generator.state_dict())
    play(again, 1, tmp_path / "second", side=8)
    weight = next(name for name, value in before.items() if value.ndim > 1)
    mean, raw, now = before[weight], again.generator.state_dict()[weight], again.averaged_generator.state_dict()[weight]
    # The ramp of update 41, not that of update 1, which would be 1 / 10 and leave next to nothing of the average.
    torch.testing.assert_close(now, torch.lerp(raw, mean, 41 / 50))


@pytest.mark.parametrize("how", ["the same object", "load_from_checkpoint"])
def test_a_second_fit_draws_other_latents_and_keeps_the_penalties_pace(how: str, tmp_path: Path) -> None:
    model = watched(penalty_interval=2)
    play(model, 3, tmp_path / "first", side=8)
    first, _ = seen(model, "latents"), seen(model, "penalised")
    again = carried_over(how, model, run_directory(tmp_path / "first") / "checkpoints" / "last.ckpt")
    play(again, 3, tmp_path / "second", side=8)
    assert not any(torch.equal(old, new) for new in seen(again, "latents") for old in first)
    assert seen(again, "penalised") == [4]
    assert again.game_step == 6


def test_two_fits_of_one_game_draw_as_one_long_fit_does(tmp_path: Path) -> None:
    whole, parts = watched(), watched()
    play(whole, 4, tmp_path / "whole", side=8)
    play(parts, 2, tmp_path / "first", side=8)
    play(parts, 2, tmp_path / "second", side=8)
    for one, other in zip(seen(whole, "latents"), seen(parts, "latents"), strict=True):
        assert torch.equal(one, other)


def test_a_warm_up_is_not_begun_again(tmp_path: Path) -> None:
    model = small(SRGAN, warm_up_steps=2)
    play(model, 2, tmp_path / "first")
    judge = deepcopy(model.discriminator.state_dict())
    play(model, 1, tmp_path / "second")
    assert any(not torch.equal(value, judge[name]) for name, value in model.discriminator.state_dict().items())


def test_the_average_of_a_discriminator_counts_on_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []
    update = ExponentialMovingAverage.update
    monkeypatch.setattr(
        ExponentialMovingAverage,
        "update",
        lambda self, of, step, *images: (counts.append(step), update(self, of, step, *images))[1],
    )
    model = small(SemiSupervisedGAN, discriminator_ema_decay=0.9)
    play(model, 1, tmp_path / "first")
    play(model, 1, tmp_path / "second")
    assert counts == [1, 1, 2, 2]


def test_a_checkpoint_from_before_the_count_gives_the_trainers(tmp_path: Path) -> None:
    step = torch.load(OLD, weights_only=True)["global_step"]
    assert step > 0
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".* was .* and is now")  # Classes have moved, settings have not.
        models = (DCGAN.load_from_checkpoint(OLD), inference.load(OLD))
    for model in models:
        assert model.game_step == step


def test_weights_alone_carry_the_count_where_they_can() -> None:
    model, other = watched(), watched()
    model.game_step = 7
    other.load_state_dict(deepcopy(model.state_dict()))
    assert other.game_step == 7
    other.load_state_dict(dict(watched().state_dict()))  # a plain dict says nothing of itself
    assert other.game_step == 7
