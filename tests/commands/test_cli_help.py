"""What the command line says of itself, and what it costs to ask it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer

import gan_lightning
from gan_lightning.cli import COMMANDS, main
from gan_lightning.optimizers import DCGANAdam


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


class TestFrontDoor:
    @pytest.mark.parametrize(
        "arguments",
        [
            ["--help"],
            [],
            ["generate", "--help"],
            ["translate", "--help"],
            ["shards", "--help"],
            ["zip", "--help"],
            ["--version"],
            ["nonsense"],
        ],
    )
    def test_it_imports_nothing_heavy(self, arguments: list[str]) -> None:
        code = (
            "import sys\nfrom gan_lightning.cli import main\n"
            f"try:\n    main({arguments})\nexcept SystemExit:\n    pass\n"
            "sys.exit(str({'torch', 'lightning', 'numpy', 'PIL', 'tqdm', 'jsonargparse'} & set(sys.modules) or ''))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.stderr.strip().splitlines()[-1:] in (
            [],
            [f"gan-lightning: there is no command 'nonsense': choose from {', '.join(COMMANDS)}."],
        )

    def test_help_lists_every_command(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["--help"]) == 0
        told = capsys.readouterr().out
        for name, (_, what) in COMMANDS.items():
            assert re.search(rf"^  {name} {{2,}}{re.escape(what)}$", told, re.MULTILINE)

    def test_an_unknown_command(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["train"]) == 2
        assert "there is no command 'train'" in capsys.readouterr().err

    def test_version(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["--version"]) == 0
        assert capsys.readouterr().out.strip() == gan_lightning.__version__

    def test_python_m(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "gan_lightning", "--help"], capture_output=True, text=True, check=True
        )
        assert done.stdout.startswith("usage: gan-lightning COMMAND")

    @pytest.mark.parametrize("command", COMMANDS)
    def test_every_command_has_help(self, command: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit, match="0"):
            main([command, "--help"])
        assert capsys.readouterr().out.startswith(f"usage: gan-lightning {command} ")

    def test_help_is_about_our_classes(self, capsys: pytest.CaptureFixture[str]) -> None:
        LightningOptimizer(DCGANAdam([torch.zeros(1, requires_grad=True)]))  # makes a class that cannot be imported
        with pytest.raises(SystemExit, match="0"):
            main(["fit", "--model.help", "WGANGP"])
        told = capsys.readouterr().out
        assert "Weight of the gradient penalty, lambda in the paper." in told
        assert told.startswith("usage: gan-lightning fit --model WGANGP [--model.OPTION VALUE ...]")
        assert "Gulrajani et al., Improved Training of Wasserstein GANs, NeurIPS 2017, arXiv 1704.00028" in told
        assert "``" not in told
        told = " ".join(told.split())
        generators, discriminators = re.findall(r"one of: ([\w, ]*Generator|[\w, ]*Discriminator)\)", told)[:2]
        assert {"ConvGenerator", "MLPGenerator", "ResNetGenerator"} <= set(generators.split(", "))
        assert {"ConvDiscriminator", "MLPDiscriminator", "ResNetDiscriminator"} <= set(discriminators.split(", "))
        assert not {"ConvAutoencoder", "ClassifyingDiscriminator"} & set(discriminators.split(", "))
        optimizers = re.search(r"one of: ([\w, ]*DCGANAdam, [\w, ]*)", told)
        assert optimizers is not None
        assert {"WGANGPAdam", "WGANRMSprop", "Adam", "SGD"} <= set(optimizers[1].split(", "))
        assert "one of those of --model.generator_optimizer)" in told

    @pytest.mark.parametrize(
        ("key", "has", "lacks"),
        [
            ("model", ["DCGAN", "WGANGP"], ["AdversarialModule", "ImageGame"]),
            ("data", ["DigitsDataModule", "ImageFolderDataModule"], ["ImageDataModule", "LightningDataModule"]),
        ],
    )
    def test_help_without_a_class_lists_the_classes(
        self, key: str, has: list[str], lacks: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit, match="0"):
            main(["fit", f"--{key}.help"])
        named = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
        assert {*has} <= {*named}
        assert not {*lacks} & {*named}

    def test_the_help_of_the_trainer_is_true_here(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit, match="0"):
            main(["fit", "--help"])
        told = " ".join(capsys.readouterr().out.split())
        for wrong in [
            "``",
            ":class:",
            ":paramref:",
            "getcwd",
            "TensorBoardLogger if",
            "accumulate_grad",
            "gradient_clip",
        ]:
            assert wrong not in told
        for internal in ["RunRecord", "DummyLogger", "SaveConfigCallback", "AdversarialModule,", "ImageGame"]:
            assert internal not in told
        assert "Folder that holds the runs." in told
        # What null means there; the parser writes a union in several ways.
        assert re.search(r"Default: 1\.0\. \(type: [^)]*null[^)]*\)", told)
