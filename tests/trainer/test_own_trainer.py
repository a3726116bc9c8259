"""What Lightning asks of a checkpoint callback and of a game, where the trainer is the user's own."""

import warnings
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import BatchSizeFinder, ModelCheckpoint
from lightning.pytorch.demos.boring_classes import BoringModel
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.tuner import Tuner
from torch import Tensor
from torch.utils.data import DataLoader

from gan_lightning.callbacks import LastCheckpoint
from gan_lightning.games.overridden_hooks import NEVER_CALLED
from gan_lightning.trainer.internals import restore_loader_classes
from gan_lightning.variants import ACGAN, DCGAN, WGANGP
from tests.helpers.games import DigitsFor, small


def trainer(folder: Path, *callbacks: pl.Callback, **options: Any) -> pl.Trainer:
    return pl.Trainer(
        accelerator="cpu",
        default_root_dir=folder,
        callbacks=[*callbacks],
        enable_progress_bar=False,
        enable_model_summary=False,
        **{"max_steps": 2, "logger": False, "num_sanity_val_steps": 0, **options},
    )


def digits(model: Any, **options: Any) -> DigitsFor:
    return DigitsFor(model, **{"batch_size": 300, "image_size": 16, **options})


# Checkpoints.


class Keeps(CSVLogger):
    """A logger that keeps checkpoints, as those of Weights & Biases and of MLflow do."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))
        self.kept: list[tuple[str, str]] = []

    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        self.kept.append((checkpoint_callback.last_model_path, checkpoint_callback.best_model_path))


@pytest.mark.parametrize("ckpt_path", ["best", "last", None])
@pytest.mark.parametrize("ask", ["validate", "test", "predict"])
def test_a_trainer_goes_on_with_what_it_saved(ask: str, ckpt_path: str | None, tmp_path: Path) -> None:
    run = trainer(tmp_path, LastCheckpoint(), logger=(logger := Keeps(tmp_path)))
    run.fit(small(DCGAN), datamodule=digits(small(DCGAN)))
    last = str(Path(run.log_dir) / "checkpoints" / "last.ckpt")
    assert logger.kept == [(last, last)]
    getattr(run, ask)(datamodule=digits(small(DCGAN)), ckpt_path=ckpt_path, weights_only=True)
    assert run.ckpt_path == last


def test_last_continues_a_run_in_another_process(tmp_path: Path) -> None:
    trainer(tmp_path, LastCheckpoint()).fit(small(DCGAN), digits(small(DCGAN)))
    later = trainer(tmp_path, LastCheckpoint(), max_steps=3)
    later.fit(model := small(DCGAN), digits(model), ckpt_path="last", weights_only=True)
    assert later.global_step == model.game_step == 3
    assert later.ckpt_path == str(tmp_path / "checkpoints" / "last.ckpt")


@pytest.mark.parametrize("first", [True, False])
def test_best_is_the_best_and_not_the_last(first: bool, tmp_path: Path) -> None:
    class Better(pl.Callback):
        def on_train_batch_end(self, trainer: pl.Trainer, game: Any, *_: Any) -> None:
            game.log("val/step", float(trainer.global_step))

    keep = ModelCheckpoint(tmp_path, monitor="val/step", every_n_train_steps=1, mode="min", filename="{step}")
    both = [LastCheckpoint(), keep]
    run = trainer(tmp_path, Better(), *(both if first else both[::-1]))
    run.fit(small(DCGAN), datamodule=digits(small(DCGAN)))
    run.test(datamodule=digits(small(DCGAN)), ckpt_path="best", weights_only=True)
    assert run.ckpt_path == str(tmp_path / "step=1.ckpt")


def test_nothing_saved_is_told(tmp_path: Path) -> None:
    run = trainer(tmp_path, LastCheckpoint())
    with pytest.raises(ValueError, match="not configured to save the best model"):
        run.test(small(DCGAN), digits(small(DCGAN)), ckpt_path="best")


# Tuners and hooks.


@pytest.mark.slow
def test_a_batch_size_is_found(tmp_path: Path) -> None:
    """The largest with which an epoch of 1,617 digits still has a step."""
    for n_critic, largest in [(1, 1024), (3, 512)]:
        model = small(WGANGP, n_critic=n_critic)
        data = digits(model, batch_size=64)
        found = Tuner(run := trainer(tmp_path)).scale_batch_size(model, datamodule=data, init_val=64, steps_per_trial=1)
        assert found == data.batch_size == largest
        run.fit(model, data)
        assert model.game_step == 2


def test_a_run_whose_batch_size_was_found_is_the_run_without(tmp_path: Path) -> None:
    states = []
    for finder in ([], [BatchSizeFinder(steps_per_trial=1, init_val=64, max_trials=1)]):
        pl.seed_everything(3, verbose=False)
        model = small(DCGAN)
        run = trainer(tmp_path, *finder)
        run.fit(model, digits(model, batch_size=64))
        assert run.global_step == model.game_step == 2
        states.append(model.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_lr_find_says_that_it_takes_one_optimiser(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="only works with single optimizer"):
        Tuner(trainer(tmp_path)).lr_find(small(DCGAN), datamodule=digits(small(DCGAN)), update_attr=False)


def test_a_forgotten_super_is_told_and_the_run_is_the_same(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match=r"Forgetful.on_fit_start does not call super\(\).on_fit_start"):

        class Forgetful(DCGAN):
            def on_fit_start(self) -> None:
                pass

    states = []
    for variant in (DCGAN, Forgetful):
        pl.seed_everything(3, verbose=False)
        model = small(variant)
        trainer(tmp_path).fit(model, digits(model))
        states.append(model.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.parametrize("hook", ["setup", "on_save_checkpoint", "on_train_start", "on_before_optimizer_step"])
def test_every_hook_that_does_something_is_watched(hook: str) -> None:
    with pytest.warns(UserWarning, match=rf"Own.{hook} does not call super\(\).{hook}"):
        type("Own", (ACGAN,), {hook: lambda self, *_: None})
    with warnings.catch_warnings():
        warnings.simplefilter("error")

        class Polite(ACGAN):
            def on_train_start(self) -> None:
                super().on_train_start()

            def on_train_batch_start(self, *_: Any) -> None:  # A hook in which the game does nothing.
                pass


@pytest.mark.parametrize("hook", [*NEVER_CALLED])
def test_a_hook_of_automatic_optimisation_is_told(hook: str, tmp_path: Path) -> None:
    calls = []
    with pytest.warns(UserWarning, match=f"Own.{hook} is never called: .* Use "):
        own = type("Own", (DCGAN,), {hook: lambda self, *_, **__: calls.append(hook)})
    model = small(own)
    trainer(tmp_path).fit(model, digits(model))
    assert model.game_step > 0
    assert not calls, "Lightning calls it after all"


@pytest.mark.filterwarnings("ignore:.*does not call super")
def test_a_game_that_was_not_set_up_says_so(tmp_path: Path) -> None:
    class Bare(DCGAN):
        def setup(self, stage: str) -> None:
            pass

    with pytest.raises(TypeError, match=r"Bare was not set up, .* super\(\).setup\(stage\)"):
        trainer(tmp_path).fit(model := small(Bare), digits(model))
    with pytest.raises(TypeError, match="DCGAN was not set up"):
        small(DCGAN).training_step([torch.zeros(2, 1, 16, 16)], 0)


def test_a_game_is_used_without_a_trainer() -> None:
    model, images = small(DCGAN), torch.zeros(2, 1, 16, 16)
    assert model.sample(3).shape == model.predict_step(torch.zeros(3), 0).shape == (3, 1, 16, 16)
    model.validation_step(images, 0)
    with pytest.raises(ValueError, match="call it with the class of every example"):
        small(ACGAN).generator(torch.zeros(2, 4))


@pytest.mark.parametrize(
    "options",
    [
        {"overfit_batches": 1},
        {"fast_dev_run": 2},
        {"limit_train_batches": 2, "limit_val_batches": 0.5},
        {"num_sanity_val_steps": -1},
        {"reload_dataloaders_every_n_epochs": 1, "max_steps": 6},
        {"detect_anomaly": True},
        {"inference_mode": False},
        {"use_distributed_sampler": False},
        {"max_time": "00:01:00:00"},
        {"min_steps": 2, "max_steps": 3},
        {"profiler": "simple"},
        {"enable_checkpointing": False},
        {"accumulate_grad_batches": 1, "gradient_clip_val": None},
    ],
    ids=str,
)
def test_lightnings_options_do_no_harm(options: dict[str, Any], tmp_path: Path) -> None:
    run = trainer(tmp_path, **options)
    model = small(ACGAN)
    loader = DataLoader(list(zip(2 * torch.rand(60, 1, 16, 16) - 1, torch.arange(60) % 10, strict=True)), 10)
    run.fit(model, loader, loader)
    assert model.game_step == run.global_step > 0
    assert all(isinstance(each, dict) for each in run.validate(model, loader, verbose=False))
    assert isinstance(run.predict(model, loader)[0], Tensor)


class Broken(pl.LightningDataModule):
    """Finds its folder missing when it is asked for a loader."""

    def train_dataloader(self) -> Any:
        raise FileNotFoundError("There is no folder of images.")


def test_a_run_that_finds_no_images_leaves_torchs_loaders_as_they_were(tmp_path: Path) -> None:
    """Lightning wraps their constructors while it asks for loaders, and an error keeps them wrapped."""
    before = DataLoader.__init__
    with pytest.raises(FileNotFoundError):
        trainer(tmp_path).fit(small(DCGAN), Broken())
    assert DataLoader.__init__ is before
    assert not [name for name in vars(DataLoader) if name.startswith("__old")]
    loader = DataLoader(torch.zeros(8, 1, 16, 16, dtype=torch.uint8), 4)
    assert len(trainer(tmp_path).predict(small(DCGAN), loader) or []) == 2


def test_loaders_that_were_left_wrapped_twice_are_restored(tmp_path: Path) -> None:
    before = DataLoader.__init__
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            trainer(tmp_path).fit(BoringModel(), Broken())
    assert DataLoader.__init__ is not before
    restore_loader_classes()
    assert DataLoader.__init__ is before
