"""Runs whose losses or weights are no longer numbers."""

import math
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any, Literal

import lightning.pytorch as pl
import pytest
import torch

from gan_lightning.callbacks import DivergenceGuard
from gan_lightning.callbacks.divergence import DivergenceError
from gan_lightning.cli import main
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.randomness import fold
from gan_lightning.losses import Terms
from gan_lightning.variants import DCGAN
from tests.helpers.command_line import TINY
from tests.helpers.games import assert_same_bits, last_state, metrics_file, play, run_directory, small
from tests.helpers.processes import PATIENCE

Verb = Literal["warn", "stop", "rollback"]
ROOT = Path(__file__).parents[2]


class Unlucky(DCGAN):
    """Its generator's loss is infinite at step 7, counted from 1, as long as the draws are those of an unlucky seed."""

    unlucky_seeds: tuple[int, ...] = (0,)

    def generator_loss(self, batch: GameBatch) -> Terms:
        terms = super().generator_loss(batch)
        if self.global_step == 6 and self.seed in self.unlucky_seeds:
            return {name: term * math.inf for name, term in terms.items()}
        return terms


class Interrupted(pl.Callback):
    """The second of two processes is told to stop just before divergence is noticed."""

    def on_save_checkpoint(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step == 10 and trainer.global_rank == 1:
            os.kill(os.getpid(), signal.SIGTERM)


class InterruptedAtStep(pl.Callback):
    """The only process is told to stop just before divergence is noticed."""

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step == 10:
            os.kill(os.getpid(), signal.SIGTERM)


class Hopeless(Unlucky):
    """No draw helps, not even that of the third attempt."""

    unlucky_seeds = (0, *(fold(0, attempt) for attempt in (1, 2, 3)))


def command(folder: Path, verb: Verb, game: str = "Unlucky", save_every: int = 5) -> list[str]:
    options = ["--trainer.callbacks+=LastCheckpoint", f"--trainer.callbacks.every_n_steps={save_every}"]
    options += ["--trainer.callbacks+=DivergenceGuard", f"--trainer.callbacks.on_divergence={verb}"]
    options += ["--trainer.max_steps=12", f"--trainer.default_root_dir={folder}", "--name=run"]
    model = TINY.index("DCGAN")
    arguments = [*TINY[:model], f"{__name__}.{game}", *TINY[model + 1 :]]
    return ["fit", *arguments, *options, "--trainer.limit_val_batches=0"]


def fit(*arguments: Any, **options: Any) -> int:
    return main(command(*arguments, **options))


def finite(folder: Path) -> bool:
    weights = last_state(folder)["state_dict"].values()
    return all(bool(weight.isfinite().all()) for weight in weights)


def losses(folder: Path) -> list[float]:
    header, *rows = (line.split(",") for line in metrics_file(folder).splitlines())
    column = header.index("train/generator/loss")
    return [float(row[column]) for row in rows]


def test_stop_stops_with_a_sentence_and_keeps_the_good_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(tmp_path, "stop") == 1
    # Nobody looks before step 10, where a checkpoint is due.
    said = capsys.readouterr().err
    assert "gan-lightning fit: Training has diverged at step 10 or shortly before: NaN or infinite are " in said
    assert "the generator's loss" in said
    assert last_state(tmp_path)["global_step"] == 5
    assert finite(tmp_path)


def test_rollback_goes_on_to_the_end_with_other_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit(tmp_path, "rollback") == 0
    assert "Rolling back to step 5, with other draws: attempt 1 of 3." in capsys.readouterr().out
    state = last_state(tmp_path)
    assert state["global_step"] == 12
    assert state["gan_lightning"]["seed"] == fold(0, 1)
    assert finite(tmp_path)
    assert len(losses(tmp_path)) == 12, "rows of the state that was given up are left"
    assert all(map(math.isfinite, losses(tmp_path)))
    # One run, from its end to its beginning.
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["version_0"]


def test_rolling_back_ends_when_it_does_not_help(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit(tmp_path, "rollback", "Hopeless") == 1
    said = capsys.readouterr()
    assert [f"attempt {number} of 3" in said.out for number in (1, 2, 3, 4)] == [True, True, True, False]
    assert "It was rolled back to step 5 3 times" in said.err
    assert last_state(tmp_path)["global_step"] == 5
    assert finite(tmp_path)


def test_a_run_that_has_saved_nothing_begins_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit(tmp_path, "rollback", save_every=20) == 0
    assert "Rolling back to step 0" in capsys.readouterr().out
    assert len(losses(tmp_path)) == 12
    assert finite(tmp_path)


def test_an_order_to_stop_is_heeded_where_nothing_is_saved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name, *arguments = command(tmp_path, "rollback")
    keeper = arguments.index("--trainer.callbacks+=LastCheckpoint")
    arguments[keeper : keeper + 2] = [f"--trainer.callbacks+={__name__}.InterruptedAtStep"]
    guard = arguments.index("--trainer.callbacks.on_divergence=rollback")
    arguments.insert(guard, "--trainer.callbacks.every_n_steps=10")
    assert main([name, *arguments, "--trainer.enable_checkpointing=false"]) == 143
    said = capsys.readouterr()
    assert said.err.endswith("gan-lightning fit: stopped by SIGTERM.\n")
    assert "Rolling back" not in said.out


FORKED = ["--trainer.devices=2", "--trainer.strategy=ddp_fork", "--data.batch_size=32"]


def test_forked_processes_are_rolled_back(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The process that waits for them learns from the error alone where the run lives."""
    assert main([*command(tmp_path, "rollback"), *FORKED, "--trainer.enable_progress_bar=false"]) == 0
    assert capfd.readouterr().out.count("Rolling back to step 5, with other draws: attempt 1 of 3.") == 1
    state = last_state(tmp_path)
    assert state["global_step"] == 12
    assert state["gan_lightning"]["seed"] == fold(0, 1)
    assert len(losses(tmp_path)) == 12
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["version_0"]


@pytest.mark.slow
def test_forked_processes_that_are_told_to_stop_are_not_rolled_back(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fit_, *arguments = command(tmp_path, "rollback")
    interrupted = f"--trainer.callbacks+={__name__}.Interrupted"
    assert main([fit_, interrupted, *arguments, *FORKED, "--trainer.enable_progress_bar=false"]) == 1
    assert "Rolling back" not in capfd.readouterr().out
    assert last_state(tmp_path)["global_step"] == 5


def guarded(
    folder: Path, verb: Verb, steps: int = 12, attempt: int = 0, resume: bool = False, **options: Any
) -> pl.Trainer:
    guard = DivergenceGuard(verb)
    guard.attempt = attempt
    game = small(Unlucky, side=8)
    return play(game, steps, folder, side=8, save_every=5, resume=resume, callbacks=[guard], **options)


def test_warn_says_so_once_and_goes_on(tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        guarded(tmp_path, "warn")
    told = [str(warning.message) for warning in caught if "diverged" in str(warning.message)]
    assert len(told) == 1
    assert "the generator's loss" in told[0]
    assert told[0].endswith("Training goes on.")
    assert last_state(tmp_path)["global_step"] == 12


def test_a_run_that_was_rolled_back_resumes_in_the_same_bits(tmp_path: Path) -> None:
    """Killed after it has saved again: what it draws is kept in the checkpoint."""
    for folder in ("straight", "killed"):
        with pytest.raises(DivergenceError) as error:
            guarded(tmp_path / folder, "rollback")
        assert error.value.rolls_back
    guarded(tmp_path / "straight", "rollback", attempt=1, resume=True)
    guarded(tmp_path / "killed", "rollback", attempt=1, resume=True, crash_at=11)
    guarded(tmp_path / "killed", "rollback", resume=True)
    assert_same_bits(last_state(tmp_path / "killed"), last_state(tmp_path / "straight"))
    assert metrics_file(tmp_path / "killed") == metrics_file(tmp_path / "straight")


def test_weights_that_are_no_numbers_are_found_though_the_losses_are(tmp_path: Path) -> None:
    class Spoil(pl.Callback):
        def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
            if trainer.global_step == 5:
                next(pl_module.generator.parameters()).data.view(-1)[0] = torch.nan

    game = small(DCGAN, side=8)
    with pytest.raises(DivergenceError, match=r"at step 5 or .* are weights of generator[.]"):
        play(game, 6, tmp_path, side=8, save_every=5, callbacks=[DivergenceGuard(), Spoil()])
    assert not (run_directory(tmp_path) / "checkpoints").exists()


def test_the_guard_changes_no_bit(tmp_path: Path) -> None:
    play(small(DCGAN, side=8), 3, tmp_path / "with", side=8, callbacks=[DivergenceGuard(every_n_steps=1)])
    play(small(DCGAN, side=8), 3, tmp_path / "without", side=8)
    assert_same_bits(last_state(tmp_path / "with"), last_state(tmp_path / "without"))


def test_impossible_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="on_divergence is 'pray'"):
        DivergenceGuard("pray")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="every_n_steps is 0"):
        DivergenceGuard(every_n_steps=0)


def two_processes(*arguments: str) -> "subprocess.CompletedProcess[str]":
    program = [sys.executable, "-m", "gan_lightning", *arguments, "--trainer.devices=2", "--data.batch_size=32"]
    return subprocess.run(program, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)


@pytest.mark.slow
@pytest.mark.parametrize(("verb", "code", "ends_at"), [("rollback", 0, 12), ("stop", 1, 5)])
def test_two_processes_decide_alike(verb: Verb, code: int, ends_at: int, tmp_path: Path) -> None:
    ran = two_processes(*command(tmp_path, verb))
    assert ran.returncode == code, ran.stderr
    assert ran.stderr.count("gan-lightning fit: Training has diverged at step 10") == (verb == "stop")
    assert ran.stdout.count("Rolling back to step 5, with other draws: attempt 1 of 3.") == (verb == "rollback")
    assert last_state(tmp_path)["global_step"] == ends_at
    assert finite(tmp_path)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["version_0"]


@pytest.mark.slow
def test_a_rollback_does_not_swallow_the_order_to_stop(tmp_path: Path) -> None:
    interrupted = f"--trainer.callbacks+={__name__}.Interrupted"
    fit_, *arguments = command(tmp_path, "rollback")
    ran = two_processes(fit_, interrupted, *arguments)
    assert ran.returncode == 1, ran.stderr
    assert "gan-lightning fit: Training has diverged at step 10" in ran.stderr
    assert "Rolling back" not in ran.stdout
    assert last_state(tmp_path)["global_step"] == 5
