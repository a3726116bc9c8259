"""Modes covered, against cases worked by hand, and as they are logged."""

import math
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import Tensor, distributed, multiprocessing

from datamodules import DigitsDataModule, ToyDataModule
from datamodules.toy import SHAPES
from gan_lightning.callbacks import GenerativeMetrics, ModeCoverage
from gan_lightning.metrics.mode_coverage import mode_coverage
from gan_lightning.networks import PointDiscriminator, PointGenerator
from gan_lightning.variants import GAN, CycleGAN
from tests.callbacks.test_evaluation import trainer
from tests.helpers.games import assert_same_bits, small


def game(**arguments: Any) -> GAN:
    torch.manual_seed(0)
    told = {"image_shape": (2, 1, 1), "latent_dim": 4, "generator": PointGenerator, "discriminator": PointDiscriminator}
    return GAN(**{**told, **arguments})


def as_samples(points: list[tuple[float, float]]) -> Tensor:
    return torch.tensor(points)[..., None, None]


def test_a_case_worked_by_hand() -> None:
    """Three of five samples are near; one mode has two of them, one has one, one has none."""
    centres = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    samples = as_samples([(0.0, 0.29), (-0.2, -0.2), (1.31, 0.0), (1.1, 0.2), (0.0, 0.5)])
    assert mode_coverage(samples, centres, std=0.1) == (2, pytest.approx(3 / 5))
    # A fair share is 5 / 3 samples: one sample is 60 % of it, two are more than all.
    assert mode_coverage(samples, centres, std=0.1, min_share=0.59).modes == 2
    assert mode_coverage(samples, centres, std=0.1, min_share=0.61).modes == 1


def test_one_percent_of_the_samples_covers_a_mode_of_the_ring() -> None:
    data = ToyDataModule("ring")
    for n, modes in [(9, 1), (10, 2)]:
        samples = torch.cat([data.centres[:1].expand(1000 - n, 2), data.centres[3:4].expand(n, 2)])
        assert mode_coverage(samples, data.centres, data.std) == (modes, 1)


def test_samples_that_are_no_numbers_are_near_nothing() -> None:
    samples = as_samples([(math.nan, 0.0), (math.inf, 0.0), (2.0, 0.0), (math.nan, math.nan)])
    data = ToyDataModule("ring")
    assert mode_coverage(samples, data.centres, data.std) == (1, 0.25)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_data_themselves_cover_all_modes(shape: str) -> None:
    data = ToyDataModule(shape, val_size=2500)
    real = torch.cat([*data.val_dataloader()])  # type: ignore[arg-type]
    modes, high_quality = mode_coverage(real, data.centres, data.std)
    assert modes == len(data.centres)
    assert high_quality > 0.965


def logged(folder: Path, playing: str, **arguments: Any) -> dict[str, float]:
    measuring = trainer(folder, ModeCoverage(**arguments))
    getattr(measuring, playing)(game(), datamodule=ToyDataModule(val_size=10), verbose=False)
    return {name: value.item() for name, value in measuring.callback_metrics.items()}


def test_it_logs_what_the_samples_cover(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples on three modes and one beside them."""
    centres, asked = ToyDataModule().centres, []

    def sample(self: GAN, n: int, seed: int = 0) -> Tensor:
        asked.append((n, seed))
        return torch.cat([centres[:3], centres[:1] + 1]).repeat(n // 4, 1)[..., None, None]

    monkeypatch.setattr(GAN, "sample", sample)
    assert logged(tmp_path, "validate", num_samples=400, seed=5) == {"val/modes": 3, "val/high_quality": 0.75}
    assert logged(tmp_path, "test", every_n_steps=99) == {"test/modes": 3, "test/high_quality": 0.75}
    assert asked == [(400, 5), (2500, 0)]


def play(folder: Path, steps: int, *callbacks: pl.Callback) -> tuple[GAN, pl.Trainer]:
    pl.seed_everything(0, verbose=False)
    playing = pl.Trainer(
        max_steps=steps,
        accelerator="cpu",
        logger=pl.loggers.CSVLogger(str(folder), "run", 0),
        log_every_n_steps=50,
        num_sanity_val_steps=1,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
        callbacks=list(callbacks),
    )
    model = game()
    playing.fit(model, ToyDataModule(batch_size=8, epoch_size=16, val_size=8))
    return model, playing


def test_every_n_steps_is_logged_at_those_steps(tmp_path: Path) -> None:
    _, playing = play(tmp_path, 5, ModeCoverage(num_samples=10, every_n_steps=2))
    assert {"val/modes", "val/high_quality"} <= set(playing.callback_metrics)
    rows = [line.split(",") for line in (tmp_path / "run" / "version_0" / "metrics.csv").read_text().splitlines()]
    step, modes = rows[0].index("step"), rows[0].index("val/modes")
    assert [int(row[step]) for row in rows[1:] if row[modes]] == [2, 4]


def test_training_does_not_notice(tmp_path: Path) -> None:
    states = []
    for callbacks in ([ModeCoverage(10), ModeCoverage(10, every_n_steps=1)], []):
        model, _ = play(tmp_path, 4, *callbacks)
        states.append((model.state_dict(), torch.get_rng_state()))
    assert_same_bits(*states)


def _measure(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder / 'store'}", rank=rank, world_size=2)
    model = game()
    with torch.no_grad():
        model.averaged_generator.layers[-2].weight.mul_(rank)  # the processes have gone different ways
    measuring = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    measuring.datamodule = ToyDataModule("grid")  # type: ignore[attr-defined]
    torch.save(ModeCoverage(100).measure(measuring, model), folder / f"{rank}.pt")
    distributed.destroy_process_group()


def test_processes_have_the_same_numbers(tmp_path: Path) -> None:
    """The first process's: all of its samples lie on the mode in the middle."""
    multiprocessing.start_processes(_measure, (tmp_path,), nprocs=2, start_method="fork")
    for rank in range(2):
        assert torch.load(tmp_path / f"{rank}.pt") == {"modes": 1, "high_quality": 1}


def test_what_cannot_be_measured_is_told_before_training(tmp_path: Path) -> None:
    toy = ToyDataModule()
    for model, data, callback, told in [
        (small(GAN), DigitsDataModule(), ModeCoverage(), "DigitsDataModule does not have them: use ToyDataModule"),
        (small(CycleGAN), toy, ModeCoverage(), "CycleGAN has no sample"),
        (game(), toy, GenerativeMetrics(extractor="classifier"), "has points and no images: .* by ModeCoverage"),
    ]:
        with pytest.raises(ValueError, match=told):
            trainer(tmp_path, callback).fit(model, datamodule=data)
        assert model.global_step == 0
    with pytest.raises(ValueError, match="ToyDataModule has points"):
        trainer(tmp_path, GenerativeMetrics(extractor="pixels")).validate(game(), datamodule=toy)
    for arguments, told in [
        ({"num_samples": 0}, "num_samples is 0"),
        ({"num_samples": None}, "num_samples is None: it must be a whole number"),
        ({"seed": "a"}, "seed is 'a': it must be a whole number"),
        ({"every_n_steps": "2"}, "every_n_steps is '2': it must be a whole number"),
        ({"min_share": 0}, "min_share is 0"),
        ({"min_share": None}, "min_share is None: it must be greater than 0"),
        ({"min_share": float("nan")}, "min_share is nan"),
    ]:
        with pytest.raises(ValueError, match=told):
            ModeCoverage(**arguments)
