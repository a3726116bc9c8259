"""Numbers as functions of the real images seen, against values worked by hand, and what a game makes of them."""

import math
from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch.optim import SGD, Adam

from gan_lightning.arguments import (
    ConstantSchedule,
    CosineSchedule,
    GrowthSchedule,
    LinearSchedule,
    Schedule,
    StepSchedule,
    value_of,
)
from gan_lightning.arguments.recipes import record, resolve_number
from gan_lightning.optimizers.schedulers import ScheduledAdam, ScheduledRate
from gan_lightning.variants import DCGAN, ProGAN, StyleGAN
from tests.helpers.games import assert_same_bits, last_state, metrics_file, play, run_directory, small

RAMP = LinearSchedule(0.0, 8.0, images=400, delay=100)
SCHEDULES: list[tuple[Schedule, dict[int, float], tuple[float, float]]] = [
    (ConstantSchedule(3.0), {0: 3, 10**9: 3}, (3, 3)),
    (RAMP, {0: 0, 100: 0, 200: 2, 300: 4, 500: 8, 10**9: 8}, (0, 8)),
    (LinearSchedule(1, 0, images=10), {0: 1, 4: 0.6, 10: 0, 11: 0}, (0, 1)),
    (CosineSchedule(1.0, 0.0, images=300), {0: 1, 100: 0.75, 150: 0.5, 200: 0.25, 300: 0, 400: 0}, (0, 1)),
    # Three images at a level, four of a fade, and on without an end: networks stop at their highest level.
    (GrowthSchedule(3, 4, 1), {0: 1, 3: 1, 4: 1.25, 6: 1.75, 7: 2, 10: 2, 12: 2.5, 7000: 1001}, (1, math.inf)),
    (GrowthSchedule(0, 2), {0: 0, 1: 0.5, 2: 1, 3: 1.5}, (0, math.inf)),
    (StepSchedule(8.0, 0.5, [10, 30]), {0: 8, 9: 8, 10: 4, 29: 4, 30: 2, 99: 2}, (2, 8)),
]


@pytest.mark.parametrize(("schedule", "values", "bounds"), SCHEDULES, ids=lambda part: type(part).__name__)
def test_values_by_hand(schedule: Schedule, values: dict[int, float], bounds: tuple[float, float]) -> None:
    assert {images: value_of(schedule, images) for images in values} == pytest.approx(values)
    assert schedule.bounds == bounds
    again = resolve_number(record(schedule))
    assert repr(again) == repr(schedule)
    assert record(schedule)["class_path"] == f"gan_lightning.arguments.{type(schedule).__name__}"


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: LinearSchedule(0, 1, images=0), "images is 0: it must be a whole number, at least 1"),
        (lambda: LinearSchedule(0, 1, images=5, delay=-1), "delay is -1: it must be a whole number, at least 0"),
        (lambda: CosineSchedule(0, float("nan"), images=5), "end is nan: it must be a finite number"),
        (lambda: ConstantSchedule("high"), "value is 'high': it must be a finite number"),  # type: ignore[arg-type]
        (lambda: StepSchedule(1, 0.1, [5, 3]), r"milestones is \[5, 3\]: they must rise"),
        (lambda: StepSchedule(1, -1, [5]), "factor is -1: it must be at least 0"),
        (lambda: GrowthSchedule(stable=-1), "stable is -1: it must be a whole number, at least 0"),
        (lambda: GrowthSchedule(fade=0), "fade is 0: it must be a whole number, at least 1"),
        (lambda: GrowthSchedule(start=0.5), "start is 0.5: it must be a whole number"),  # type: ignore[arg-type]
        (lambda: small(ProGAN, growth=-1), "growth is -1: it must be at least 0"),
        (lambda: small(StyleGAN, growth=LinearSchedule(-1, 2, 5)), "growth is -1: it must be at least 0"),
        (lambda: DCGAN(r1_weight=LinearSchedule(1, -1, 5)), "r1_weight is -1: it must be at least 0"),
        (lambda: DCGAN(r1_weight="high"), "r1_weight is 'high': it must be a Schedule or a number"),
        (
            lambda: DCGAN(ema_decay=None, ema_half_life=LinearSchedule(-1, 5, 5)),
            "ema_half_life is -1: it must be at least 0",
        ),
        (lambda: ScheduledAdam(Adam([torch.ones(1)]), 1.0, LinearSchedule(0.9, 1, 5)), "beta2 is .*: it must be at"),
        (lambda: ScheduledAdam(SGD([torch.ones(1)]), 1.0, 0.9), "beta2 is a setting of Adam, and SGD has no betas"),
    ],
)
def test_impossible_ones_are_refused(make: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        make()


class Seen(pl.Callback):
    """Notes the count and the generator's rate before each step."""

    def __init__(self) -> None:
        self.images: list[int] = []
        self.rates: list[float] = []

    def on_train_batch_start(self, trainer: pl.Trainer, game: Any, *_: Any) -> None:
        self.images.append(game.images_seen)
        self.rates.append(game.optimizer_of("generator").param_groups[0]["lr"])


def scheduled(**arguments: Any) -> Any:
    """Its penalty rises from 0, and its generator's rate of 1e-3 falls to 0, within 1000 images."""
    options: dict[str, Any] = {
        "r1_weight": LinearSchedule(0.0, 1.0, images=1000),
        "generator_optimizer": partial(torch.optim.SGD, lr=1e-3),
        "generator_scheduler": partial(ScheduledRate, factor=LinearSchedule(1.0, 0.0, images=1000)),
    }
    return small(DCGAN, side=8, **{**options, **arguments})


def seen(model: Any, steps: int, folder: Path, **options: Any) -> Seen:
    callback = Seen()
    play(model, steps, folder, side=8, callbacks=[callback], limit_val_batches=0, **options)
    return callback


def test_images_are_counted_and_not_steps(tmp_path: Path) -> None:
    notes = seen(scheduled(n_critic=2, accumulate=2), 3, tmp_path / "four", batch_size=20)
    assert notes.images == [0, 80, 160]
    notes = seen(scheduled(), 3, tmp_path / "one", batch_size=80)
    assert notes.images == [0, 80, 160]
    assert notes.rates == pytest.approx([1e-3, 0.92e-3, 0.84e-3])


def test_a_weight_follows_its_schedule(tmp_path: Path) -> None:
    model = scheduled()
    play(model, 3, tmp_path, side=8, batch_size=100)
    lines = metrics_file(tmp_path).splitlines()
    rows = [dict(zip(lines[0].split(","), line.split(","), strict=True)) for line in lines[1:]]
    terms = [float(row["train/discriminator/r1"] or 0) for row in rows if row["train/discriminator/loss"]]
    assert terms[0] == 0 < terms[1] < terms[2]


def test_a_run_that_goes_on_with_other_batches_is_as_far_on_its_schedule(tmp_path: Path) -> None:
    seen(scheduled(), 3, tmp_path, batch_size=100)
    state = last_state(tmp_path)
    assert state["gan_lightning"]["images_seen"] == 300
    notes = seen(scheduled(), 5, tmp_path, batch_size=50, resume=True)
    assert notes.images == [300, 350]
    assert notes.rates == pytest.approx([0.7e-3, 0.65e-3])


def test_a_killed_run_resumes_in_the_same_bits(tmp_path: Path) -> None:
    options: dict[str, Any] = {"ema_decay": None, "ema_half_life": 500.0, "ema_ramp_up": 0.5}
    seen(scheduled(**options), 5, tmp_path / "straight")
    seen(scheduled(**options), 5, tmp_path / "broken", crash_at=2)
    seen(scheduled(**options), 5, tmp_path / "broken", resume=True)
    assert_same_bits(last_state(tmp_path / "broken"), last_state(tmp_path / "straight"))
    loaded = DCGAN.load_from_checkpoint(run_directory(tmp_path / "broken") / "checkpoints" / "last.ckpt")
    assert isinstance(loaded.r1_weight, LinearSchedule)
    assert loaded.images_seen == 500
    # A second fit has a new optimiser, and is as far on the schedule of its rate.
    assert seen(loaded, 1, tmp_path / "second").rates == pytest.approx([0.5e-3])


def test_the_count_travels_with_the_weights_and_old_checkpoints_have_none(tmp_path: Path) -> None:
    model, other = scheduled(), scheduled()
    model.images_seen = 7
    other.load_state_dict(model.state_dict())
    assert other.images_seen == 7
    assert DCGAN.load_from_checkpoint(Path(__file__).parents[1] / "data" / "dcgan_eac9e89.ckpt").images_seen == 0
