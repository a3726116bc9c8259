"""Mistakes of the user are told in one sentence; mistakes in the code keep their traceback."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from gan_lightning.cli import main
from gan_lightning.variants import DCGAN
from tests.command_line import LAST, TINY, fit, printed_config, refused


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


class Buggy(DCGAN):
    """Breaks in the middle of training."""

    def generator_loss(self, batch: Any) -> Any:
        raise ValueError("a bug")


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
            (["--config", "nowhere.yaml"], "File does not exist"),
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
            (["--model", "lsgan"], "There is no model lsgan: choose from ACGAN, ConditionalGAN,"),
            (["--model.help", "HingeGAN"], "There is no model HingeGAN: choose from ACGAN, ConditionalGAN,"),
            (
                ["--model", "nope.GAN"],
                "There is no model nope.GAN (No module named 'nope'): choose from ACGAN,",
            ),
            (["--data", "Digits"], "There is no data module Digits: choose from CIFAR10DataModule,"),
            (
                ["--model.generator", "Conv"],
                "There is no generator Conv: choose from ConditionalMLPGenerator, ConvGenerator,",
            ),
            (["--trainer.callbacks", "Foo"], "There is no callback Foo: choose from GenerativeMetrics,"),
            (["--model.lr", "3"], "DCGAN has no option lr: it has latent_dim, generator,"),
            (
                ["--model.generator.widht", "3"],
                "ConvGenerator has no option widht: it has num_classes, width, batch_norm, n_extra_layers.",
            ),
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
                {"model": {"class_path": "DCGAN", "init_args": {"generator": {"class_path": "Conv"}}}},
                "There is no generator Conv: choose from ConditionalMLPGenerator, ConvGenerator,",
            ),
            ({"trainer": {"gradient_clip_val": 0.5}}, "give --model.gradient_clip_norm instead."),
            ({"modle": 3}, "fit has no option modle: it has config, name,"),
        ],
    )
    def test_the_same_in_a_config(self, config: dict[str, Any], says: str, capsys: pytest.CaptureFixture[str]) -> None:
        Path("c.yaml").write_text(yaml.safe_dump(config))
        told = refused(capsys, "fit", *TINY, "--config", "c.yaml")
        assert says in told
        assert len(told.splitlines()) == 1

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
        assert told.startswith("gan-lightning evaluate: There is no data module Digits: choose from CIFAR10DataModule,")

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (["--data.image_size", "12"], "a power of two from 8 up, not 12 x 12"),
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
            fit("--model", "tests.test_cli_mistakes.Buggy")

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
