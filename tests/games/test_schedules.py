"""Learning-rate schedulers in every form that ``configure_optimizers`` may return them."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau, StepLR

from gan_lightning.variants import DCGAN
from tests.helpers.games import assert_same_bits, last_state, play, small


class Rates(pl.Callback):
    """Keeps the generator's learning rate after every step."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def on_train_batch_end(self, trainer: pl.Trainer, game: Any, *_: Any) -> None:
        self.seen.append(game.optimizer_of("generator").param_groups[0]["lr"])


class Own(DCGAN):
    """Its optimisers and schedulers are as ``given`` says."""

    given: Any = staticmethod(lambda discriminator, generator, scheduler: None)

    def configure_optimizers(self) -> Any:
        discriminator, generator = (
            SGD(getattr(self, name).parameters(), lr=1.0) for name in ("discriminator", "generator")
        )
        return type(self).given(discriminator, generator, StepLR(generator, 1, 0.5))


def run(folder: Path, given: Any, steps: int = 8, **options: Any) -> list[float]:
    """Halvings of the generator's rate after each step; an epoch has three."""
    model, rates = small(DCGAN, side=8), Rates()
    model.__class__ = type("Given", (Own,), {"given": staticmethod(given)})
    play(model, steps, folder, side=8, callbacks=[rates], limit_train_batches=3, **options)
    return [round(1 / rate).bit_length() - 1 for rate in rates.seen]


def dictionary(**options: Any) -> Any:
    return lambda d, g, s: ([d, g], [{"scheduler": s, **options}])


@pytest.mark.parametrize(
    ("given", "halvings"),
    [
        (lambda d, g, s: ([d, g], [s]), [1, 2, 3, 4, 5, 6, 7, 8]),
        (lambda d, g, s: ([d, g], {"scheduler": s}), [1, 2, 3, 4, 5, 6, 7, 8]),
        (dictionary(frequency=2, name="rate"), [0, 1, 1, 2, 2, 3, 3, 4]),
        (dictionary(interval="step", frequency=4), [0, 0, 0, 1, 1, 1, 1, 2]),
        (dictionary(interval="epoch"), [0, 0, 1, 1, 1, 2, 2, 2]),
        (
            lambda d, g, s: [
                {"optimizer": d},
                {"optimizer": g, "lr_scheduler": {"scheduler": s, "interval": "epoch", "frequency": 2}},
            ],
            [0, 0, 0, 0, 0, 1, 1, 1],
        ),
        (lambda d, g, s: [{"optimizer": d}, {"optimizer": g, "lr_scheduler": s}], [1, 2, 3, 4, 5, 6, 7, 8]),
    ],
)
def test_interval_and_frequency_are_kept(given: Any, halvings: list[int], tmp_path: Path) -> None:
    assert run(tmp_path, given) == halvings


def test_a_schedule_of_epochs_resumes_in_the_same_bits(tmp_path: Path) -> None:
    """Also where the run was killed when an epoch was just over."""
    given = dictionary(interval="epoch", frequency=2)
    run(tmp_path / "straight", given, 8)
    for crash_at in (3, 6):
        run(tmp_path / f"killed{crash_at}", given, 8, crash_at=crash_at)
        run(tmp_path / f"killed{crash_at}", given, 8, resume=True)
        assert_same_bits(last_state(tmp_path / f"killed{crash_at}"), last_state(tmp_path / "straight"))


class Waiting(LRScheduler):
    """A scheduler of one's own."""


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (dictionary(interval="batch"), "interval 'batch' of a scheduler: it must be step or epoch"),
        (dictionary(frequency=0), "frequency is 0: it must be a whole number, at least 1"),
        (dictionary(reduce_on_plateau=True), "wait for a plateau, and the schedulers of a game count"),
        (dictionary(monitor="val/fid"), "wait for val/fid, and the schedulers of a game count"),
        (dictionary(every=3), "gave 'every' for a scheduler, which takes scheduler, name"),
        (lambda d, g, s: ([d, g], [{"interval": "step"}]), "has no scheduler in a dictionary of interval"),
        (
            lambda d, g, s: [{"optimizer": d, "frequency": 5}, {"optimizer": g}],
            "'frequency' for an optimiser, .*n_critic",
        ),
        (
            lambda d, g, s: [{"optimizer": d}, {"optimizer": g, "lr_scheduler": s, "monitor": "val/fid"}],
            "wait for val/fid",
        ),
        (
            lambda d, g, s: [
                {"optimizer": d},
                {"optimizer": g, "lr_scheduler": ReduceLROnPlateau(g), "monitor": "val/fid"},
            ],
            "ReduceLROnPlateau waits for a loss",
        ),
    ],
)
def test_what_a_game_does_not_do_is_refused_before_the_first_step(given: Any, says: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=says):
        run(tmp_path, given)


def test_a_way_of_ones_own_to_step_is_taken(tmp_path: Path) -> None:
    """Lightning's hook, which schedulers of other libraries need."""

    class Odd:
        """No scheduler of torch's."""

        def __init__(self, optimizer: Optimizer) -> None:
            self.optimizer = optimizer

        def step_to(self, count: int) -> None:
            self.optimizer.param_groups[0]["lr"] = 0.5**count

        def state_dict(self) -> dict[str, Any]:
            return {}

        def load_state_dict(self, state: dict[str, Any]) -> None: ...

    class Stepping(Own):
        given = staticmethod(lambda d, g, s: ([d, g], [{"scheduler": Odd(g), "interval": "epoch"}]))

        def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
            scheduler.step_to(self.trainer.current_epoch + 1)

    model, rates = small(DCGAN, side=8), Rates()
    model.__class__ = Stepping
    play(model, 7, tmp_path, side=8, callbacks=[rates], limit_train_batches=3)
    assert rates.seen == [1, 1, 0.5, 0.5, 0.5, 0.25, 0.25]
