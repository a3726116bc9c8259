"""What people put into checkpoints and logs, and what they do to them, never makes a run that cannot be continued."""

import csv
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch

from datamodules import DigitsDataModule
from gan_lightning.inference.checkpoint import CheckpointError, load, local_path, read_checkpoint
from gan_lightning.trainer.atomic_checkpoint import AtomicCheckpointIO, SaveError
from gan_lightning.variants import DCGAN
from tests.helpers.command_line import LAST, TINY, fit, refused, step_of
from tests.helpers.games import last_state, metrics_file, play, run_directory, small


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@dataclass
class Settings:
    width: int = 3


class WithPath(DigitsDataModule):
    def __init__(self, folder: Path = Path("x"), batch_size: int = 100) -> None:
        super().__init__(batch_size=batch_size)
        self.save_hyperparameters({"folder": folder, "settings": Settings(), "batch_size": batch_size})


class Remembers(pl.Callback):
    def state_dict(self) -> dict[str, Any]:
        return {"settings": Settings()}


class TestCheckpoints:
    def test_what_cannot_be_read_is_named_and_left_out(self) -> None:
        data = ["--data", "tests.trainer.test_readable_checkpoint.WithPath", "--name", "run"]
        given = [*data, "--trainer.callbacks+=tests.trainer.test_readable_checkpoint.Remembers"]
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert fit(*given) == 0
        said = " ".join(str(warning.message) for warning in caught)
        kind = "holds a tests.trainer.test_readable_checkpoint.Settings: with it, no command could read them"
        assert f"without the data module's hyper-parameter settings, which {kind}" in said
        assert f"without the state of the callback Remembers, which {kind}" in said
        path = Path("runs/run/version_0/checkpoints/last.ckpt")
        assert read_checkpoint(path)["datamodule_hyper_parameters"] == {"folder": "x", "batch_size": 100}
        assert load(path).sample(1).shape == (1, 1, 8, 8)
        assert fit(*given, "--ckpt_path", "last", steps=3) == 0
        assert step_of(path) == 3

    def test_a_state_that_training_needs_is_refused_by_name(self, tmp_path: Path) -> None:
        state = {"state_dict": {}, "loops": {"loader": [Settings()]}}
        with pytest.raises(
            SaveError, match=r"loops of the checkpoint holds a tests.trainer.test_readable_checkpoint.Settings"
        ):
            AtomicCheckpointIO().save_checkpoint(state, tmp_path / "last.ckpt")
        assert not list(tmp_path.iterdir())

    def test_what_can_be_read_is_saved_as_it_is(self, tmp_path: Path) -> None:
        state = {"callbacks": {"a": {"x": [1, (2.0, None)], "t": torch.ones(2)}}, "hyper_parameters": {"lr": 1e-3}}
        AtomicCheckpointIO().save_checkpoint(state, tmp_path / "a.ckpt")
        read = torch.load(tmp_path / "a.ckpt", weights_only=True)
        assert torch.equal(read["callbacks"]["a"].pop("t"), state["callbacks"]["a"].pop("t"))  # type: ignore[attr-defined]
        assert read == state


class TestAddresses:
    def test_a_file_by_its_address(self) -> None:
        fit()
        assert fit("--ckpt_path", LAST.resolve().as_uri(), steps=3) == 0
        assert local_path("file:///a%20b/c.ckpt") == local_path(Path("file:///a b/c.ckpt")) == Path("/a b/c.ckpt")
        assert local_path("a/b.ckpt") == Path("a/b.ckpt")

    @pytest.mark.parametrize("address", ["https://example.org/a.ckpt", "hf://me/model/last.ckpt", "s3://b/a.ckpt"])
    def test_another_machines(self, address: str, capsys: pytest.CaptureFixture[str]) -> None:
        said = refused(capsys, "validate", *TINY, "--ckpt_path", address).splitlines()[-1]
        assert "is an address: download the checkpoint first" in said
        with pytest.raises(CheckpointError, match="is an address"):
            load(Path(address))


def steps_of(path: Path) -> list[int]:
    with open(path, newline="") as file:
        return [int(row["step"]) for row in csv.DictReader(file)]


class TestMetricsFile:
    @pytest.mark.parametrize(
        ("edit", "aside"),
        [
            (lambda text: "\ufeff" + text.replace("\r\n", "\n"), False),
            (lambda text: text.replace("train/generator/loss", "renamed"), False),
            (lambda text: text.replace(",", ";"), True),
            (lambda text: text.replace("step", "Step number"), True),
            (lambda text: "my notes\r\n" + text, True),
        ],
    )
    def test_a_file_that_a_person_has_saved(self, edit: Any, aside: bool, tmp_path: Path) -> None:
        play(small(DCGAN), 2, tmp_path)
        path = run_directory(tmp_path) / "metrics.csv"
        edited = edit(metrics_file(tmp_path))
        path.write_text(edited, encoding="utf-8", newline="")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            play(small(DCGAN), 4, tmp_path, resume=True)
        assert last_state(tmp_path)["global_step"] == 4
        assert steps_of(path) == ([3, 4] if aside else [1, 2, 3, 4])
        assert any("It is now metrics_edited_0.csv" in str(warning.message) for warning in caught) == aside
        if aside:
            assert (path.parent / "metrics_edited_0.csv").read_text(encoding="utf-8") == edited.replace("\r\n", "\n")

    def test_one_that_is_saved_while_the_run_goes_on(self, tmp_path: Path) -> None:
        class Edit(pl.Callback):
            def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
                path = run_directory(tmp_path) / "metrics.csv"
                if trainer.global_step == 2:
                    path.write_text(path.read_text().replace("step", "Step number"))

        play(small(DCGAN), 4, tmp_path, callbacks=[Edit()])
        assert steps_of(run_directory(tmp_path) / "metrics.csv") == [3, 4]
        assert (run_directory(tmp_path) / "metrics_edited_0.csv").is_file()
