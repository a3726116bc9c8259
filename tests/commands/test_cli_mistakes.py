"""Mistakes of the user are told in one sentence; mistakes in the code keep their traceback."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
import yaml
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from gan_lightning.cli import main
from gan_lightning.commands.trainer_options import check_monitors
from gan_lightning.trainer.batch_checks import check_labels
from gan_lightning.variants import DCGAN, SRGAN
from tests.helpers.command_line import LAST, TINY, fit, printed_config, refused

SCHEDULE = ["--model.generator_scheduler"]
RAMP = ["--model.r1_weight=LinearSchedule", "--model.r1_weight.start=0", "--model.r1_weight.end=1"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


class Buggy(DCGAN):
    """Breaks in the middle of training."""

    def generator_loss(self, batch: Any) -> Any:
        raise ValueError("a bug")


class Unheard(DCGAN):
    """Its discriminator's loss reports no accuracy."""

    def discriminator_loss(self, batch: Any) -> Any:
        return {"adversarial": (self.discriminator(batch.fake) - self.discriminator(batch.real)).mean()}


class Late(DCGAN):
    """Images that are refused, but not in the first step."""

    def prepare_batch(self, raw: Any) -> Any:
        if self.game_step == 2:
            check_labels(torch.tensor([3]), 2)
        return super().prepare_batch(raw)


class Logs(Callback):
    """Of the user's own: it may log anything."""

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        pl_module.log("mine", 1.0)


class TestPlaces:
    @pytest.mark.parametrize("name", ["../elsewhere", "a/b", ""])
    def test_a_name_is_one_folder(self, name: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert "it must be the name of one folder" in refused(capsys, "fit", *TINY, "--name", name)

    def test_a_file_in_the_place_of_the_folder_of_runs(self, capsys: pytest.CaptureFixture[str]) -> None:
        Path("README.md").write_text("not a folder")
        said = refused(capsys, "fit", *TINY, "--trainer.default_root_dir", "README.md")
        assert "README.md" in said
        assert "Traceback" not in said

    def test_what_would_do_nothing_useful_is_said(self, capsys: pytest.CaptureFixture[str]) -> None:
        fit()
        fit("--ckpt_path", "last")
        assert "is at step 2 already: to train on, give a larger --trainer.max_steps than 2" in capsys.readouterr().out
        main(["validate", *TINY])
        assert "No --ckpt_path was given: validate takes the weights" in capsys.readouterr().out


class TestMistakes:
    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (["--config", "nowhere.yaml"], "There is no file and no shipped config nowhere.yaml"),
            (["--trainer.max_steps", "many"], "many"),
        ],
    )
    def test_options_that_make_no_sense(
        self, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert says in refused(capsys, "fit", *TINY, *arguments)

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (["--model", "lsgan"], "There is no model lsgan: choose from ACGAN, ALI,"),
            (["--model.help", "HingeGAN"], "There is no model HingeGAN: choose from ACGAN, ALI,"),
            (
                ["--model", "nope.GAN"],
                "There is no model nope.GAN (No module named 'nope'): choose from ACGAN,",
            ),
            (["--data", "Digits"], "There is no data module Digits: choose from BouncingMNISTDataModule,"),
            (
                ["--model.generator", "Conv"],
                "There is no generator Conv: choose from ALIGenerator, AttnGANGenerator,",
            ),
            (["--trainer.callbacks", "Foo"], "There is no callback Foo: choose from AttentionMaps,"),
            (["--model.regularizers", "[Foo]"], "There is no regularizer Foo: choose from BCR, CR, LeCam,"),
            (
                ["--model.augmentation", "DiffAugment", "--model.augmentation.policy", "[colour]"],
                "it must be a list of any of 'color', 'translation', 'cutout'.",
            ),
            (["--model.lr", "3"], "DCGAN has no option lr: it has latent_dim, generator,"),
            (
                ["--model.generator.widht", "3"],
                "ConvGenerator has no option widht: it has num_classes, width, batch_norm, n_extra_layers.",
            ),
            (["--model", "ImageGame"], "ImageGame does not say what its players minimise: choose from ACGAN,"),
            (["--model.generator_optimizer", "LBFGS"], "generator_optimizer is LBFGS, which asks for the loss several"),
            (
                [*SCHEDULE, "CosineAnnealingLR", f"{SCHEDULE[0]}.T_max", "0"],
                "model.generator_scheduler.T_max is 0: it m",
            ),
            (
                [*SCHEDULE, "StepLR", f"{SCHEDULE[0]}.step_size", "1", f"{SCHEDULE[0]}.gamma", "-1"],
                "model.generator_scheduler.gamma is -1.0: it must be at least 0.",
            ),
            (["--model.generator_optimizer.lr", ".inf"], "model.generator_optimizer.lr is inf: it must be a finite"),
            (["--trainer.precision", "16-true"], "trainer.precision is 16-true, which is for GPUs"),
            (["--trainer.limit_train_batches", "0"], "trainer.limit_train_batches is 0: nothing would be trained"),
            (["--trainer.accumulate_grad_batches", "2"], "give --model.accumulate instead."),
            (["--trainer.gradient_clip_val", "1"], "give --model.gradient_clip_norm instead."),
            (["--model.image_shape", "[1,16,16]"], "model.image_shape is (1, 16, 16), but the data says (1, 8, 8)"),
            (["--model.image_shape", "[3,64,64]"], "model.image_shape is (3, 64, 64), but the data says (1, 8, 8)"),
        ],
    )
    def test_what_a_newcomer_types_is_answered_in_one_sentence(
        self, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (told,) = [line for line in refused(capsys, "fit", *TINY, *arguments).splitlines() if "Seed set" not in line]
        assert told.startswith("gan-lightning fit: ")
        assert says in told

    @pytest.mark.parametrize(
        ("config", "says"),
        [
            ({"model": {"class_path": "HingeGAN"}}, "There is no model HingeGAN: choose from ACGAN,"),
            (
                {
                    "model": {
                        "class_path": "DCGAN",
                        "init_args": {"generator": {"class_path": "ConvGenerator", "width": 8}},
                    }
                },
                "Options of ConvGenerator stand beside its class_path: put them beneath init_args.",
            ),
            (
                {"model": {"class_path": "DCGAN", "init_args": {"generator": {"class_path": "Conv"}}}},
                "There is no generator Conv: choose from ALIGenerator, AttnGANGenerator,",
            ),
            ({"trainer": {"gradient_clip_val": 0.5}}, "give --model.gradient_clip_norm instead."),
            ({"modle": 3}, "fit has no option modle: it has config, name,"),
            ({"mo\x02d\x03l\x04e": 3}, "fit has no option mo\x02d\x03l\x04e: it has config, name,"),
            (
                {"model": {"class_path": "DCGAN", "init_args": {"a'\x03": 3, "generator": {"class_path": "Conv\x03"}}}},
                "There is no generator Conv\x03: choose from ALIGenerator, AttnGANGenerator,",
            ),
            (
                {"model": {"class_path": "DCGAN", "init_args": {"x'\x03": 3}}},
                "DCGAN has no option x'\x03: it has latent",
            ),
        ],
    )
    def test_the_same_in_a_config(self, config: dict[str, Any], says: str, capsys: pytest.CaptureFixture[str]) -> None:
        Path("c.yaml").write_text(yaml.safe_dump(config))
        told = refused(capsys, "fit", *TINY, "--config", "c.yaml")
        assert says in told
        assert len(told.splitlines()) == 1

    @pytest.mark.parametrize(
        "arguments",
        [
            {"generator": {"class_path": "tests.commands.test_cli_mistakes.touch"}},
            {"generator": "tests.commands.test_cli_mistakes.touch"},
            {"generator": {"class_path": "os.getcwd"}},
            {"generator_optimizer": {"class_path": "tests.commands.test_cli_mistakes.touch"}},
            {
                "generator": {
                    "class_path": "VirtualBatchNormGenerator",
                    "init_args": {"generator": {"class_path": "tests.commands.test_cli_mistakes.touch"}},
                }
            },
        ],
        ids=["record", "name", "builtin", "optimizer", "nested"],
    )
    def test_a_function_that_a_config_names_is_called_only_if_it_makes_networks(
        self, arguments: dict[str, Any], capsys: pytest.CaptureFixture[str]
    ) -> None:
        config = {"model": {"class_path": "DCGAN", "init_args": arguments}}
        Path("c.yaml").write_text(yaml.safe_dump(config))
        told = refused(capsys, "fit", *TINY[2:4], "--config", "c.yaml")
        assert "not known to make" in told or "touch: it must be a class" in told
        assert not Path("touched").exists()

    def test_the_same_in_the_environment(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GAN_LIGHTNING_TRAINER__ACCUMULATE_GRAD_BATCHES", "2")
        assert "give --model.accumulate instead." in refused(capsys, "fit", *TINY)

    def test_a_config_may_repeat_the_default_of_what_the_model_does_itself(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        Path("c.yaml").write_text("trainer: {accumulate_grad_batches: 1, gradient_clip_val: null}")
        printed_config(capsys, "fit", *TINY, "--config", "c.yaml")

    def test_evaluate_answers_in_the_same_words(self, capsys: pytest.CaptureFixture[str]) -> None:
        told = refused(capsys, "evaluate", "--samples", ".", "--data", "Digits")
        assert told.startswith(
            "gan-lightning evaluate: There is no data module Digits: choose from BouncingMNISTDataModule,"
        )

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (["--data.image_size", "13"], "multiples of 2 where the shorter one is 13, not 13 x 13"),
            (["--model.n_critic", "0"], "n_critic is 0: it must be at least 1."),
            (["--ckpt_path", "nowhere.ckpt"], "There is no checkpoint nowhere.ckpt."),
            (["--data", "ImageFolderDataModule", "--data.root", "nowhere"], "nowhere"),
        ],
    )
    def test_values_that_make_no_sense_are_told_in_one_sentence(
        self, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        told = refused(capsys, "fit", *TINY, *arguments)
        assert "Traceback" not in told
        assert told.splitlines()[-1].startswith("gan-lightning fit: ")
        assert says in told.splitlines()[-1]

    def test_checkpoints_that_do_not_fit(self, capsys: pytest.CaptureFixture[str]) -> None:
        fit()
        wgan = refused(capsys, "fit", *TINY, "--model", "WGAN", "--ckpt_path", str(LAST))
        assert "holds a gan_lightning.DCGAN, but the model" in wgan.splitlines()[-1]
        wider = refused(capsys, "fit", *TINY, "--model.generator.width", "8", "--ckpt_path", str(LAST))
        assert "was trained with other networks" in wider.splitlines()[-1]
        LAST.write_bytes(LAST.read_bytes()[:1000])
        short = refused(capsys, "fit", *TINY, "--ckpt_path", "last")
        assert "is no complete checkpoint" in short.splitlines()[-1]

    def test_a_bug_keeps_its_traceback(self) -> None:
        with pytest.raises(ValueError, match="a bug"):
            fit("--model", "tests.commands.test_cli_mistakes.Buggy")

    def test_what_the_first_step_refuses_is_told_in_one_sentence(self, capsys: pytest.CaptureFixture[str]) -> None:
        own = ["--model", "tests.commands.test_cli_mistakes.Unheard", "--model.augmentation", "ADA"]
        told = refused(capsys, "fit", *TINY, *own)
        assert "Traceback" not in told
        assert told.splitlines()[-1].startswith("gan-lightning fit: ADA follows the discriminator's accuracy")

    def test_a_later_error_keeps_its_traceback(self) -> None:
        with pytest.raises(ValueError, match="The data has labels up to 3"):
            fit("--model", "tests.commands.test_cli_mistakes.Late", steps=3)

    def test_a_bug_of_another_kind_keeps_its_traceback_at_any_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def configure_optimizers(self: DCGAN) -> None:
            raise TypeError("a bug")

        monkeypatch.setattr(DCGAN, "configure_optimizers", configure_optimizers)
        with pytest.raises(TypeError, match="a bug"):
            fit()

    def test_the_place_of_a_mistake_can_be_seen(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GAN_LIGHTNING_DEBUG", "1")
        with pytest.raises(ValueError, match="n_critic is 0"):
            fit("--model.n_critic", "0")


def callback(name: str, option: str) -> list[str]:
    return [f"--trainer.callbacks+={name}", f"--trainer.callbacks.{option}"]


def test_an_option_before_its_class(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, "fit", "--model=DCGAN", "--data.val_size=0", "--data=DigitsDataModule")
    assert "LightningDataModule has no options: name the class first, and then its val_size." in said


class TestRefusals:
    """Before training starts, in one sentence that names the key, and nothing is left behind."""

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            # Misspelt.
            (["--modle", "DCGAN"], "fit has no option modle: it has config, name,"),
            (["--trainer.max_step", "3"], "fit has no option trainer.max_step: it has config,"),
            (["--data.batch_siz", "3"], "DigitsDataModule has no option batch_siz: it has batch_size,"),
            (callback("SampleGrid", "evry=3"), "SampleGrid has no option evry: it has every_n_steps,"),
            # Of another type.
            (["--model.n_critic", "many"], "model.n_critic is many: it must be a whole number."),
            (["--model.r1_weight", "nan"], "r1_weight is nan: it must be a class or a number: choose from ConstantSch"),
            ([*RAMP, "--model.r1_weight.images=-4"], "images is -4: it must be a whole number, at least 1."),
            (
                [*RAMP, "--model.r1_weight.images=9", "--model.r1_weight.end=-1"],
                "r1_weight is -1.0: it must be at least",
            ),
            (["--model.r1_weight", ".nan"], "r1_weight is nan: it must be at least 0."),
            (["--model.ema_decay", "high"], "model.ema_decay is high: it must be a number or null."),
            (["--model.generator.width", "1.5"], "model.generator.width is 1.5: it must be a whole number."),
            (["--model.generator_optimizer.lr", "x"], "model.generator_optimizer.lr is x: it must be a number."),
            (["--model.generator_optimizer.betas", "[1]"], "betas is [1]: it must be a list of 2 elements."),
            (["--model.generator_scheduler", "StepLR"], "model.generator_scheduler.step_size must be given."),
            (["--trainer.max_steps", "1.5"], "trainer.max_steps is 1.5: it must be a whole number."),
            (["--trainer.precision", "17"], "trainer.precision is 17: it must be one of"),
            (["--seed_everything", "never"], "seed_everything is never: it must be true or false or a whole number."),
            (["--model=LAPGAN", "--model.levels=9"], "model.levels is 9: it must be a list of whole numbers or null."),
            (["--model=LAPGAN", "--model.levels=[a]"], "model.levels has a in it: it must be a list of whole numbers"),
            (["--model=StarGAN", "--model.class_names=7"], "class_names is 7: it must be a list of texts or null."),
            ([*SCHEDULE, "ReduceLROnPlateau"], "ReduceLROnPlateau: it must be a class or null: choose from LinearDec"),
            (["--model.generator=[]"], "model.generator is []: it must be a class: choose from ALIGenerator,"),
            (["--model=null"], "model is null: it must be a class: choose from ACGAN,"),
            (["--trainer=7"], "trainer is 7: it must be a mapping of its options, or a file that holds one."),
            (["--trainer.precision", "x"], "it must be one of 64, 32, 16, 'transformer-engine',"),
            # What another option says.
            (
                ["--model=InfoGAN", "--model.discriminator=ConvDiscriminator"],
                "ConvDiscriminator has no option width in this place, where the model sets it: it has",
            ),
            (["--data", "ToyDataModule"], "and the data has points: take networks of points, such as PointGenerator"),
            # Impossible.
            (["--trainer.accelerator", "tpu"], "trainer.accelerator is tpu"),
            (["--trainer.max_time", "x"], "trainer.max_time is x"),
            (["--trainer.limit_val_batches", "-1"], "trainer.limit_val_batches is -1.0: it must be a whole number of"),
            (["--trainer.overfit_batches", ".inf"], "trainer.overfit_batches is inf: it must be a whole number of"),
            (["--trainer.min_epochs", "-2"], "trainer.min_epochs is -2: it must be at least 0."),
            (["--trainer.default_root_dir", "/dev/null/x"], "version_0 cannot be used: Not a directory."),
            (["--ckpt_path="], "The path of the checkpoint is empty."),
            (["--ckpt_path=."], ". is a folder: give the checkpoint file in it"),
            (["--config="], "--config is empty: give a file, or the name of a shipped config."),
            (["--model.accumulate", "0"], "accumulate is 0: it must be at least 1."),
            (["--model.ema_decay", "1.5"], "ema_decay is 1.5: it must be at least 0 and less than 1"),
            (["--model.latent_dim", "0"], "latent_dim is 0: it must be at least 1."),
            (["--model.gradient_clip_norm", "0"], "gradient_clip_norm is 0.0: it must be greater than 0."),
            (["--model.gradient_clip_norm", ".nan"], "gradient_clip_norm is nan: it must be greater than 0."),
            (["--model.generator.width", "0"], "model.generator.width is 0: it must be at least 1."),
            (callback("EarlyStopping", "monitor=x"), "EarlyStopping.monitor is x, which nothing logs: it begins with"),
            (callback("ModelCheckpoint", "monitor=val/fid"), "ModelCheckpoint.monitor is val/fid, which nothing logs"),
            (["--model.generator.n_extra_layers", "-1"], "n_extra_layers is -1: it must be at least 0."),
            (["--model.generator_optimizer.lr", "-1"], "generator_optimizer cannot be made: Invalid learning rate"),
            (["--model.discriminator_optimizer.betas", "[0.5,1.5]"], "discriminator_optimizer cannot be made: Inval"),
            (["--model.generator_scheduler=StepLR", "--model.generator_scheduler.step_size=0"], "step_size is 0"),
            (["--model=GAN", "--model.discriminator.hidden_dropout=2"], "hidden_dropout is 2.0: it must be at least"),
            (["--model=GAN", "--model.generator.hidden=0"], "hidden is 0: it must be at least 1."),
            (["--model=GAN", "--model.discriminator.pieces=0"], "pieces is 0: it must be at least 1."),
            (["--model=EBGAN", "--model.pulling_away_weight=-1"], "pulling_away_weight is -1.0: it must be at least 0"),
            (["--model=EBGAN", "--model.margin=-1"], "margin is -1.0: it must be at least 0."),
            (["--model=InfoGAN", "--model.n_categories=0"], "n_categories is 0: it must be at least 1."),
            (["--model=ACGAN", "--model.class_weight=-1"], "class_weight is -1.0: it must be at least 0."),
            (["--model=ConditionalGAN", "--model.num_classes=5"], "model.num_classes is 5, but the data says 10"),
            (["--data.batch_size", "0"], "batch_size is 0: it must be at least 1."),
            (["--data.seed", "-1"], "seed is -1: it must be at least 0."),
            (["--seed_everything", "-1"], "seed_everything is -1: it must be at least 0 and less than 2^32."),
            (["--trainer.devices", "-2"], "`devices` selected with `CPUAccelerator` should be an int > 0."),
            (["--trainer.val_check_interval", "0"], "trainer.val_check_interval is 0"),
            (["--trainer.check_val_every_n_epoch", "0"], "trainer.check_val_every_n_epoch is 0: it must be at least 1"),
            (callback("SampleGrid", "every_n_steps=0"), "every_n_steps is 0: it must be a whole number, at least 1."),
            (
                callback("LastCheckpoint", "every_n_steps=0"),
                "every_n_steps is 0: it must be a whole number, at least 1.",
            ),
            (callback("GenerativeMetrics", "metrics=[fidd]"), "There is no metric 'fidd': choose from fid,"),
        ],
    )
    def test_what_cannot_be(self, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
        given = TINY if "--model=" not in arguments[0] else [*TINY[:6], *TINY[12:]]
        (told,) = [line for line in refused(capsys, "fit", *given, *arguments).splitlines() if "Seed set" not in line]
        assert told.startswith("gan-lightning fit: ")
        assert says in told
        assert not Path("runs").exists()


class Asserts(pl.Callback):
    """Raises what a GPU does at a label that is no class."""

    def on_train_batch_end(self, *_: Any) -> None:
        raise RuntimeError("CUDA error: device-side assert triggered\nCUDA kernel errors might be ...")


class TestWhatOnlyTrainingShows:
    def test_a_label_that_a_gpu_stops_at(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert fit(f"--trainer.callbacks+={__name__}.Asserts") == 1
        said = capsys.readouterr().err.splitlines()[-1]
        assert said.startswith("gan-lightning fit: the GPU has stopped at a number that is out of its range, mostly a ")

    def test_networks_that_do_not_fit_into_memory(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert fit("--model.generator.width", "100000000") == 2
        assert "gan-lightning fit: there is not enough memory: take smaller networks" in capsys.readouterr().err
        assert not Path("runs").exists()

    def test_a_metric_that_nobody_logs(self, capsys: pytest.CaptureFixture[str]) -> None:
        stop = ["--trainer.callbacks+=EarlyStopping", "--trainer.callbacks.monitor", "train/x"]
        assert fit(*stop, "--trainer.check_val_every_n_epoch", "1", steps=20) == 1
        said = capsys.readouterr().err
        assert "gan-lightning fit: Early stopping conditioned on metric `train/x` which is not available." in said

    @pytest.mark.parametrize(
        "arguments",
        [
            callback("ModelCheckpoint", "monitor=step"),
            callback("EarlyStopping", "monitor=train/generator/loss"),
            [*callback("EarlyStopping", "monitor=mine"), "--trainer.callbacks+=tests.commands.test_cli_mistakes.Logs"],
        ],
    )
    def test_a_metric_that_somebody_may_log(self, arguments: list[str]) -> None:
        assert fit(*arguments) == 0

    def test_a_game_that_judges_itself_logs_what_it_finds(self) -> None:
        check_monitors(SRGAN.__new__(SRGAN), [ModelCheckpoint(monitor="val/psnr")])

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (["--model.generator_optimizer", "RMSprop"], "generator_optimizer was DCGANAdam and is now RMSprop: a run"),
            ([*SCHEDULE, "StepLR", f"{SCHEDULE[0]}.step_size", "1"], "generator_scheduler was none and is now StepLR"),
        ],
    )
    def test_a_run_cannot_go_on_with_another_kind_of_optimiser(
        self, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        fit("--name", "run")
        more = ["fit", *TINY, "--trainer.max_steps", "4", "--ckpt_path", "runs/run/version_0/checkpoints/last.ckpt"]
        assert says in refused(capsys, *more, *arguments)

    def test_weights_alone_are_no_state_to_train_on(self, capsys: pytest.CaptureFixture[str]) -> None:
        fit("--name", "run")
        state = torch.load("runs/run/version_0/checkpoints/last.ckpt", weights_only=True)
        del state["optimizer_states"]
        torch.save(state, "weights.ckpt")
        assert "weights.ckpt holds weights alone" in refused(capsys, "fit", *TINY, "--ckpt_path", "weights.ckpt")
        assert main(["validate", *TINY, "--ckpt_path", "weights.ckpt"]) == 0


def touch(*_: object):  # type: ignore[no-untyped-def]
    Path("touched").touch()
    return torch.nn.Identity()
