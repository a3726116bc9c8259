"""The commands that train, run in this process: their options, their directories, how they go on."""

import csv
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from lightning.pytorch import LightningDataModule, Trainer
from lightning.pytorch.loggers import CSVLogger
from PIL import Image
from torch.utils.data import DataLoader

import datamodules
import gan_lightning.variants
from gan_lightning.callbacks.progress import RunProgressBar
from gan_lightning.callbacks.samples import SampleGrid
from gan_lightning.cli import main
from gan_lightning.commands import runs
from gan_lightning.commands.run_names import run_name
from gan_lightning.commands.run_summary import RunRecord
from gan_lightning.commands.training_cli import TrainingCLI
from gan_lightning.variants import DCGAN, WGAN
from tests.helpers.command_line import LAST, RUN, TINY, fit, printed_config, refused, repeatable_metrics, step_of
from tests.helpers.stand_ins import captioned


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


class TestOptions:
    def test_two_names_are_enough(self, capsys: pytest.CaptureFixture[str]) -> None:
        config = printed_config(capsys, "fit", "--model", "DCGAN", "--data", "CIFAR10DataModule")
        assert config["model"]["class_path"] == "gan_lightning.DCGAN"
        assert config["data"]["class_path"] == "datamodules.CIFAR10DataModule"
        assert "image_shape" not in config["model"]["init_args"]

    def test_the_data_tells_the_model_its_shape(self) -> None:
        cli = TrainingCLI("fit", [*TINY, "--data.image_size", "16", "--trainer.fast_dev_run", "true"], RunRecord())
        assert cli.model.image_shape == (1, 16, 16)

    @pytest.mark.parametrize(("name", "told"), [("Told", 10), ("HandedOn", 10), ("Fixed", 3)])
    def test_the_data_tells_the_number_of_classes_to_a_model_that_asks(self, name: str, told: int) -> None:
        cli = TrainingCLI(
            "fit", [*TINY, f"--model=tests.commands.test_cli.{name}", "--trainer.fast_dev_run=true"], RunRecord()
        )
        assert cli.model.num_classes == told

    def test_what_a_data_module_does_not_tell_is_the_models_own(self) -> None:
        silent = [
            "--data",
            "tests.commands.test_cli.Silent",
            "--trainer.fast_dev_run=true",
            "--trainer.accelerator=cpu",
        ]
        cli = TrainingCLI("fit", ["--model=DCGAN", *silent, "--model.image_shape=[1, 8, 8]"], RunRecord())
        assert cli.model.image_shape == (1, 8, 8)

    def test_a_scale_that_the_data_does_not_tell_is_the_models_default(self, tmp_path: Path) -> None:
        given = [f"--data.{name}={value}" for name, value in captioned(tmp_path / "data").items()]
        words = ["--data=CaptionedImageDataModule", *given, "--model=StackGAN", "--trainer.fast_dev_run=true"]
        narrow = [f"--model.{player}.width=8" for player in ("generator", "discriminator")]
        cli = TrainingCLI("fit", [*words, *narrow], RunRecord())
        assert cli.model.scale == 4

    def test_a_printed_config_makes_the_same_run(self, capsys: pytest.CaptureFixture[str]) -> None:
        arguments = [*TINY, "--model.ema_decay", "null", "--model.n_critic", "2", "--model.generator_optimizer.lr=1e-3"]
        first = printed_config(capsys, "fit", *arguments)
        assert first["model"]["init_args"]["ema_decay"] is None
        assert first["model"]["init_args"]["n_critic"] == 2
        assert first["model"]["init_args"]["generator_optimizer"]["init_args"]["lr"] == 1e-3
        Path("again.yaml").write_text(yaml.safe_dump(first))
        assert printed_config(capsys, "fit", "--config", "again.yaml") == first

    def test_the_environment_counts_and_the_command_line_counts_more(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GAN_LIGHTNING_TRAINER__MAX_STEPS", "7")
        monkeypatch.setenv("GAN_LIGHTNING_SEED_EVERYTHING", "3")
        config = printed_config(capsys, "fit", *TINY, "--seed_everything", "4")
        assert config["trainer"]["max_steps"] == 7
        assert config["seed_everything"] == 4

    def test_lists_of_callbacks_are_replaced_or_added_to(self, capsys: pytest.CaptureFixture[str]) -> None:
        pieces = {
            "base": {"callbacks": ["SampleGrid"]},
            "replaces": {"callbacks": ["LastCheckpoint"]},
            "adds": {"callbacks+": ["LastCheckpoint"]},
        }
        for name, piece in pieces.items():
            names = {key: [{"class_path": kind} for kind in kinds] for key, kinds in piece.items()}
            Path(f"{name}.yaml").write_text(yaml.safe_dump({"trainer": names}))

        def callbacks(other: str) -> list[str]:
            config = printed_config(capsys, "fit", *TINY, "--config", "base.yaml", "--config", f"{other}.yaml")
            return [callback["class_path"].rpartition(".")[2] for callback in config["trainer"]["callbacks"]]

        assert callbacks("replaces") == ["LastCheckpoint"]
        assert callbacks("adds") == ["SampleGrid", "LastCheckpoint"]


class Told(DCGAN):
    """Takes the number of classes, and must be told."""

    def __init__(self, num_classes: int, **rest: Any) -> None:
        super().__init__(**rest)
        self.num_classes = num_classes


class HandedOn(Told):
    """Takes it through its parent."""

    def __init__(self, extra: int = 0, **rest: Any) -> None:
        super().__init__(**rest)


class Fixed(Told):
    """Has decided for itself."""

    def __init__(self, image_shape: tuple[int, int, int] = (1, 8, 8)) -> None:
        super().__init__(num_classes=3, image_shape=image_shape)


class Silent(LightningDataModule):
    """A data module of someone else, which tells nothing of its images."""

    def train_dataloader(self) -> Any:
        return DataLoader(torch.zeros(8, 1, 8, 8), batch_size=4)


class TestRunDirectory:
    def test_what_a_run_leaves(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert fit("--model.r1_weight", "0.5") == 0
        told = capsys.readouterr().out
        assert f"Run directory: {RUN}\n" in told
        assert f"gan-lightning generate --ckpt {LAST} --n 64" in told
        assert "--ckpt_path last" in told
        assert step_of(LAST) == 2
        with open(RUN / "metrics.csv") as file:
            assert [row["step"] for row in csv.DictReader(file)] == ["1", "2"]
        assert sorted(path.name for path in (RUN / "samples").iterdir()) == [
            "step_00000000.png",
            "step_00000002.png",
        ]
        with Image.open(RUN / "samples" / "step_00000002.png") as image:
            assert min(image.size) >= 512
        config = yaml.safe_load((RUN / "config.yaml").read_text())
        assert config["model"]["init_args"]["r1_weight"] == 0.5
        assert config["name"] == "dcgan_digits"

    def test_the_config_of_a_run_repeats_it(self) -> None:
        fit("--model.ema_decay", "null")
        main(["fit", "--config", str(RUN / "config.yaml")])
        again = RUN.with_name("version_1")
        assert (again / "config.yaml").read_text() == (RUN / "config.yaml").read_text()
        assert repeatable_metrics(again) == repeatable_metrics(RUN)

    def test_a_run_says_how_large_its_players_are(self, capsys: pytest.CaptureFixture[str]) -> None:
        fit()
        # Kernels of 4 x 4: 100 x 4 with BatchNorm and 4 x 1 make, 1 x 4 and 4 x 1 judge, with a bias each.
        generator, discriminator = 16 * (400 + 4) + 8, 16 * (4 + 4) + 5
        told = f"DCGAN: generator {generator:,} parameters, discriminator {discriminator:,}\n"
        assert told in capsys.readouterr().out

    @pytest.mark.parametrize(("every", "warned"), [("30", False), ("60", True)])
    def test_short_epochs_are_no_reason_to_warn(
        self, every: str, warned: bool, recwarn: pytest.WarningsRecorder
    ) -> None:
        arguments = ["--trainer.log_every_n_steps", every, "--trainer.limit_train_batches", "2"]
        fit(*arguments, steps=30)
        assert any("smaller than the logging interval" in str(warning.message) for warning in recwarn) == warned

    @pytest.mark.parametrize(
        ("model", "data", "name"),
        [
            ("WGANGP", "MNISTDataModule", "wgan_gp_mnist"),
            ("MinimaxGAN", "CIFAR10DataModule", "minimax_gan_cifar10"),
            ("LSGAN", "FashionMNISTDataModule", "lsgan_fashion_mnist"),
            ("DCGAN", "CelebADataModule", "dcgan_celeba"),
        ],
    )
    def test_a_run_is_named_like_the_configs(self, model: str, data: str, name: str) -> None:
        assert run_name(getattr(gan_lightning.variants, model), getattr(datamodules, data)) == name

    def test_name_and_root_are_the_users(self, tmp_path: Path) -> None:
        fit("--name", "mine", "--trainer.default_root_dir", str(tmp_path / "elsewhere"))
        assert step_of(tmp_path / "elsewhere" / "mine" / "version_0" / "checkpoints" / "last.ckpt") == 2
        assert not Path("runs").exists()

    def test_runs_that_start_at_once_get_a_directory_each(self, tmp_path: Path) -> None:
        claimed = [runs.new_directory(tmp_path / "x") for _ in range(3)]
        (tmp_path / "x" / "version_10").mkdir()
        (tmp_path / "x" / "version_11_notes").mkdir()
        claimed.append(runs.new_directory(tmp_path / "x"))
        assert [path.name for path in claimed] == ["version_0", "version_1", "version_2", "version_11"]

    def test_without_a_logger_the_run_still_has_its_directory(self) -> None:
        fit("--trainer.logger", "false")
        assert step_of(LAST) == 2
        assert (RUN / "config.yaml").exists()
        assert (RUN / "samples" / "step_00000002.png").exists()
        assert not (RUN / "metrics.csv").exists()

    def test_the_users_logger_comes_second(self) -> None:
        arguments = [*TINY, "--trainer.logger", "CSVLogger", "--trainer.logger.save_dir", "mine"]
        cli = TrainingCLI("fit", arguments, RunRecord())
        assert [type(logger).__name__ for logger in cli.trainer.loggers] == ["RunLogger", "CSVLogger"]
        assert cli.trainer.log_dir == str(RUN)
        assert isinstance(cli.trainer.loggers[1], CSVLogger)
        assert cli.trainer.loggers[1].save_dir == "mine"

    def test_a_callback_of_the_user_takes_the_place_of_ours(self) -> None:
        callback = {"class_path": "SampleGrid", "init_args": {"every_n_steps": 1, "n": 4}}
        Path("c.yaml").write_text(yaml.safe_dump({"trainer": {"callbacks": [callback]}}))
        fit("--config", "c.yaml")
        assert len(list((RUN / "samples").iterdir())) == 3

    def test_what_is_switched_off_is_off(self) -> None:
        switches = [f"--trainer.enable_{name}=false" for name in ("progress_bar", "checkpointing")]
        cli = TrainingCLI("fit", [*TINY, *switches], RunRecord())
        assert not any(isinstance(callback, RunProgressBar) for callback in cli.trainer.callbacks)
        assert cli.trainer.checkpoint_callbacks == []

    def test_a_trial_run_leaves_nothing(self, tmp_path: Path) -> None:
        fit("--trainer.fast_dev_run", "true")
        assert list(tmp_path.iterdir()) == []

    def test_a_run_that_never_begins_leaves_no_directory(self, capsys: pytest.CaptureFixture[str]) -> None:
        told = refused(capsys, "fit", *TINY, "--data.batch_size", "5000")
        assert "batch_size 5000 is larger than" in told.splitlines()[-1]
        assert not Path("runs").exists()

    def test_a_run_that_never_begins_leaves_other_runs_alone(self, capsys: pytest.CaptureFixture[str]) -> None:
        other = RUN.with_name("version_7")
        other.mkdir(parents=True)
        refused(capsys, "fit", *TINY, "--data.batch_size", "5000")
        assert [*RUN.parent.iterdir()] == [other]


class TestContinue:
    def test_last_continues_in_the_same_directory(self, capsys: pytest.CaptureFixture[str]) -> None:
        fit(steps=2)
        fit("--ckpt_path", "last", steps=4)
        assert f"Continuing {RUN}." in capsys.readouterr().out
        assert step_of(LAST) == 4
        with open(RUN / "metrics.csv") as file:
            assert [row["step"] for row in csv.DictReader(file)] == ["1", "2", "3", "4"]
        assert not RUN.with_name("version_1").exists()
        assert yaml.safe_load((RUN / "config.yaml").read_text())["trainer"]["max_steps"] == 2
        resumed = yaml.safe_load((RUN / "config_from_step_00000002.yaml").read_text())
        assert resumed["trainer"]["max_steps"] == 4

    def test_the_same_config_is_not_written_twice(self) -> None:
        fit(steps=2)
        before = (RUN / "config.yaml").stat().st_mtime_ns
        fit("--ckpt_path", "last", steps=2)
        assert (RUN / "config.yaml").stat().st_mtime_ns == before
        assert [path.name for path in RUN.glob("config*")] == ["config.yaml"]

    @pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
    def test_a_run_that_is_told_to_stop_can_be_continued(
        self, sent: signal.Signals, code: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def stop(self: SampleGrid, trainer: Trainer, *_: Any) -> None:
            if trainer.global_step == 2:
                os.kill(os.getpid(), sent)

        before = signal.getsignal(signal.SIGINT)
        with monkeypatch.context() as patch:
            patch.setattr(SampleGrid, "on_train_batch_end", stop)
            try:
                ended: Any = fit(steps=50)
            except SystemExit as exit:
                ended = exit.code
            finally:
                signal.signal(signal.SIGINT, before)  # Lightning leaves it ignored.
        assert ended == code
        assert f"Run directory: {RUN}" in capsys.readouterr().out
        assert step_of(LAST) == 2
        fit("--ckpt_path", "last", steps=4)
        assert step_of(LAST) == 4

    def test_last_of_nothing_starts_from_scratch(self, capsys: pytest.CaptureFixture[str]) -> None:
        fit("--ckpt_path", "last")
        assert "There is no run in runs/dcgan_digits to continue: starting from scratch." in capsys.readouterr().out
        assert step_of(LAST) == 2

    def test_a_run_killed_before_it_saved_starts_again_in_its_directory(self) -> None:
        fit(steps=1)
        fit(steps=1)
        newest = RUN.with_name("version_1")
        (newest / "checkpoints" / "last.ckpt").unlink()
        fit("--ckpt_path", "last", steps=2)
        assert (step_of(LAST), step_of(newest / "checkpoints" / "last.ckpt")) == (1, 2)
        assert not RUN.with_name("version_2").exists()

    def test_a_path_starts_a_run_of_its_own(self) -> None:
        fit(steps=2)
        fit("--ckpt_path", str(LAST), steps=3)
        assert (step_of(LAST), step_of(RUN.with_name("version_1") / "checkpoints" / "last.ckpt")) == (2, 3)

    def test_arguments_count_more_than_those_in_the_checkpoint(self) -> None:
        fit("--model.r1_weight", "0.1")
        fit("--ckpt_path", "last", "--model.r1_weight", "0.7", steps=3)
        assert torch.load(LAST, weights_only=True)["hyper_parameters"]["r1_weight"] == 0.7


class TestOtherCommands:
    def test_predict_writes_images(self, capsys: pytest.CaptureFixture[str]) -> None:
        fit()
        assert main(["predict", *TINY, "--data.test_size", "3", "--ckpt_path", "last"]) == 0
        folder = Path("runs/dcgan_digits/predict_0/predictions")
        assert sorted(path.name for path in folder.iterdir()) == [f"00000_00{i}.png" for i in range(3)]
        assert str(folder) in capsys.readouterr().out

    @pytest.mark.parametrize("command", ["validate", "test"])
    def test_evaluation_leaves_the_run_as_it_is(self, command: str) -> None:
        fit()
        before = {path: path.read_bytes() for path in RUN.rglob("*") if path.is_file()}
        assert main([command, *TINY, "--ckpt_path", "last"]) == 0
        assert {path: path.read_bytes() for path in RUN.rglob("*") if path.is_file()} == before

    def test_the_config_of_a_run_applies_to_it(self, capsys: pytest.CaptureFixture[str]) -> None:
        fit("--fast=none")
        config = ("--config", str(RUN / "config.yaml"))
        assert main(["validate", *config, "--ckpt_path", "last"]) == 0
        assert "validate has no option fast: it is of fit." in refused(capsys, "validate", *config, "--fast")

    @pytest.mark.parametrize("command", ["validate", "test"])
    def test_nothing_to_measure_is_said(self, command: str, capsys: pytest.CaptureFixture[str]) -> None:
        said = f"There is nothing for {command} to measure: add --trainer.callbacks+=GenerativeMetrics, or "
        assert main([command, *TINY]) == 0
        assert said in capsys.readouterr().out
        extra = ["--trainer.callbacks+=GenerativeMetrics", "--trainer.callbacks.extractor=pixels"]
        assert main([command, *TINY, *extra, "--trainer.callbacks.num_samples=20"]) == 0
        assert "nothing for" not in capsys.readouterr().out

    @pytest.mark.parametrize("command", ["validate", "test", "predict"])
    def test_the_last_of_nothing_is_a_mistake(self, command: str, capsys: pytest.CaptureFixture[str]) -> None:
        told = refused(capsys, command, *TINY, "--ckpt_path", "last")
        assert "There is no checkpoint in runs/dcgan_digits" in told.splitlines()[-1]


def test_a_step_is_a_generator_update_whatever_the_variant() -> None:
    cli = TrainingCLI("fit", [*TINY, "--model", "WGAN", "--trainer.max_steps", "2", "--name", "w"], RunRecord())
    cli.run()
    assert isinstance(cli.model, WGAN)
    assert step_of(Path("runs/w/version_0/checkpoints/last.ckpt")) == 2
