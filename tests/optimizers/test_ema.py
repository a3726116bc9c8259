"""The average's half-life in images: its formula by hand, and that another batch size keeps the same average."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from gan_lightning.arguments import LinearSchedule
from gan_lightning.optimizers.ema import ExponentialMovingAverage
from gan_lightning.variants import DCGAN, Pix2Pix
from tests.helpers.games import play, small


def after(updates: int, images: int, **arguments: Any) -> float:
    """An average that begins at 1 and follows 0, after some updates of so many images."""
    network = nn.Linear(1, 1, bias=False)
    nn.init.ones_(network.weight)
    ema = ExponentialMovingAverage(network, **arguments)
    nn.init.zeros_(network.weight)
    for step in range(updates):
        ema.update(network, step + 1, images, step * images)
    return ema.module.weight.item()


@pytest.mark.parametrize(("updates", "images"), [(1, 240), (8, 30), (240, 1)])
def test_a_half_life_is_one_whatever_the_batch(updates: int, images: int) -> None:
    assert after(updates, images, half_life=240.0) == pytest.approx(0.5, rel=1e-5)
    assert after(updates, images, half_life=80.0) == pytest.approx(0.125, rel=1e-5)


def test_a_ramp_limits_the_half_life_to_a_share_of_the_images_seen() -> None:
    """As in StyleGAN2-ADA's loop: ``min(ema_nimg, cur_nimg * rampup)``, ``0.5 ** (batch / max(ema_nimg, 1e-8))``."""
    ema = ExponentialMovingAverage(nn.Linear(1, 1), half_life=1000.0, ramp_up=0.05)
    for seen, expected in [(0, 0.0), (640, 0.25), (6400, 0.5 ** (64 / 320)), (10**6, 0.5 ** (64 / 1000))]:
        assert ema.decay_at(1, 64, seen) == pytest.approx(expected)
        reference = 0.5 ** (64 / max(min(1000, seen * 0.05), 1e-8))
        assert ema.decay_at(1, 64, seen) == pytest.approx(reference)


def test_a_half_life_in_updates_is_of_as_many_images_as_they_take() -> None:
    """StyleGAN2-ADA's automatic one, ``batch * 10 / 32`` thousand images, which are 312.5 updates of any batch size."""
    ema = ExponentialMovingAverage(nn.Linear(1, 1), half_life_updates=312.5, ramp_up=0.05)
    for batch in (4, 32, 64):
        for seen in (0, 640, 10**6):
            expected = 0.5 ** (batch / max(min(batch * 10 / 32 * 1000, seen * 0.05), 1e-8))
            assert ema.decay_at(1, batch, seen) == pytest.approx(expected)


def test_a_half_life_may_be_scheduled() -> None:
    ema = ExponentialMovingAverage(nn.Linear(1, 1), half_life=LinearSchedule(10.0, 20.0, images=100))
    assert [ema.decay_at(1, 10, seen) for seen in (0, 100)] == pytest.approx([0.5, 0.5**0.5])


def test_a_game_counts_the_images_of_all_batches_of_a_step(tmp_path: Path) -> None:
    decays = []
    for batch_size, options in [(80, {}), (20, {"n_critic": 2, "accumulate": 2})]:
        model: Any = small(DCGAN, side=8, ema_decay=None, ema_half_life=80.0, **options)
        before = model.ema.module.state_dict()
        start = {name: value.clone() for name, value in before.items()}
        play(model, 1, tmp_path / str(batch_size), side=8, batch_size=batch_size, limit_val_batches=0)
        weights = dict(model.generator.named_parameters())
        name = next(name for name, weight in weights.items() if weight.ndim > 1)
        torch.testing.assert_close(model.ema.module.state_dict()[name], (start[name] + weights[name]) / 2)
        decays.append(model.ema.decay_at(1, 80, 0))
    assert decays == [0.5, 0.5]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"ema_half_life": 1000.0}, "ema_decay is 0.999 and ema_half_life is 1000.0: give one of them, and null for"),
        ({"ema_decay": None, "ema_ramp_up": 0.05}, "ema_decay is None and ema_half_life is None: give one of them"),
        ({"ema_ramp_up": 0.05}, "ema_ramp_up is 0.05, and it limits an ema_half_life: give that too"),
        (
            {"ema_half_life_updates": 9.0},
            "is 9.0, so ema_decay and ema_half_life must be null",
        ),
        ({"ema_decay": None, "ema_half_life_updates": -1}, "ema_half_life_updates is -1: it must be at least 0"),
        ({"ema_decay": None, "ema_half_life": -1}, "ema_half_life is -1: it must be at least 0"),
        ({"ema_decay": None, "ema_half_life": 5.0, "ema_ramp_up": -1}, "ema_ramp_up is -1: it must be greater than 0"),
    ],
)
def test_what_does_not_go_together_is_told(arguments: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        small(DCGAN, side=8, **arguments)


def test_a_game_without_an_average_takes_a_half_life_alone() -> None:
    model: Any = small(Pix2Pix, ema_half_life=1000.0)
    assert (model.ema.decay, model.ema.half_life) == (None, 1000.0)


def test_before_its_start_it_is_a_copy() -> None:
    """BigGAN's rule: copies up to update ``start - 1``, then at once the full decay."""
    assert after(9, 1, decay=0.75, start=10) == 0
    network = nn.Linear(1, 1, bias=False)
    ema = ExponentialMovingAverage(network, decay=0.75, start=3)
    for step, (weight, expected) in enumerate([(8.0, 8.0), (4.0, 4.0), (0.0, 3.0), (0.0, 2.25)], start=1):
        nn.init.constant_(network.weight, weight)
        ema.update(network, step)
        assert ema.module.weight.item() == pytest.approx(expected)


def test_a_game_starts_its_average_where_it_is_told(tmp_path: Path) -> None:
    model: Any = small(DCGAN, side=8, ema_decay=0.9, ema_start=3)
    play(model, 2, tmp_path, side=8, limit_val_batches=0)
    for mine, theirs in zip(model.ema.module.parameters(), model.generator.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    play(model, 3, tmp_path / "more", side=8, limit_val_batches=0)
    pairs = zip(model.ema.module.parameters(), model.generator.parameters(), strict=True)
    assert not all(torch.equal(mine, theirs) for mine, theirs in pairs)
