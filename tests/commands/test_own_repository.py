"""A variant, a network and a data module in a repository of one's own, by the command line."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gan_lightning import cli
from gan_lightning.arguments import recipes
from gan_lightning.cli import main
from tests.helpers.command_line import refused

PACKAGE = """
import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor, nn
from torch.utils.data import DataLoader

from gan_lightning import GameBatch, ImageGame, Terms
from gan_lightning.losses import least_squares_discriminator, least_squares_generator


class Network(nn.Module):
    def __init__(self, image_shape: tuple[int, int, int], latent_dim: int, width: int = 4) -> None:
        super().__init__()
        self.image_shape = image_shape
        channels, height, rest = image_shape
        self.layers = nn.Sequential(nn.Linear(latent_dim, width), nn.Linear(width, channels * height * rest), nn.Tanh())

    def forward(self, latent: Tensor) -> Tensor:
        return self.layers(latent).view(-1, *self.image_shape)


class MyGAN(ImageGame):
    def discriminator_loss(self, batch: GameBatch) -> Terms:
        return least_squares_discriminator(self.discriminator(batch.real), self.discriminator(batch.fake))

    def generator_loss(self, batch: GameBatch) -> Terms:
        return least_squares_generator(self.discriminator(batch.fake))


class SilentData(LightningDataModule):
    def train_dataloader(self) -> DataLoader:
        return DataLoader(torch.randint(0, 256, (8, 1, 16, 16), dtype=torch.uint8), batch_size=4)


class MyData(SilentData):
    image_shape = (1, 16, 16)


class FlatData(SilentData):
    image_shape = (16, 16)


class WordyData(MyData):
    num_classes = "ten"
"""
SHORT = ["--trainer.max_steps", "1", "--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false"]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package in the folder that one stands in, which is on no path of Python's; its name."""
    name = f"my_package_{tmp_path.name[-1]}_{abs(hash(tmp_path)) % 10**6}"
    (tmp_path / f"{name}.py").write_text(PACKAGE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place])
    monkeypatch.setattr(recipes, "_OPEN", {*recipes._OPEN})
    yield name
    sys.modules.pop(name, None)


def test_a_run_in_ones_own_repository(package: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = ["--model", f"{package}.MyGAN", "--data", f"{package}.MyData", "--model.generator", f"{package}.Network"]
    assert main(["fit", *own, *SHORT, "--name", "mine", "--model.generator.width", "2"]) == 0
    assert main(["fit", *own, *SHORT, "--name", "mine", "--model.generator.width", "2", "--ckpt_path", "last"]) == 0
    last = "runs/mine/version_0/checkpoints/last.ckpt"
    generate = ["generate", "--ckpt", last, "--n", "2", "--device", "cpu", "--out"]
    assert main([*generate, "imported"]) == 0  # It is imported in this process.
    del sys.modules[package]
    told = refused(capsys, *generate, "samples")
    assert f"{package}.MyGAN is in a package that has not been imported" in told
    assert f"give --import {package} on the command line" in told
    assert package not in sys.modules
    assert main([*generate, "samples", "--import", package]) == 0
    assert sorted(file.name for file in Path("samples").iterdir()) == ["00000.png", "00001.png"]


@pytest.mark.parametrize("command", ["generate", "translate", "evaluate"])
@pytest.mark.parametrize("name", ["no_such_package", ".", ""])
def test_a_package_that_is_not_there(command: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    needed = {"generate": ["--out", "o"], "translate": ["--input", ".", "--out", "o"], "evaluate": []}[command]
    told = refused(capsys, command, "--ckpt", "last.ckpt", *needed, "--import", name)
    assert told.startswith(f"gan-lightning {command}: --import {name}: ")
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("SilentData", "SilentData does not say what shape its images have: give the class an attribute `image_shape`"),
        ("FlatData", "FlatData.image_shape is (16, 16): it must be (channels, height, width)"),
        ("WordyData", "WordyData.num_classes is 'ten': it must be a whole number from 1 up, or None."),
    ],
)
def test_a_data_module_that_does_not_say_what_it_has(
    data: str, says: str, package: str, capsys: pytest.CaptureFixture[str]
) -> None:
    own = ["--model", f"{package}.MyGAN", "--data", f"{package}.{data}"]
    told = refused(capsys, "fit", *own, *SHORT)
    assert says in told.splitlines()[-1]
    assert "Traceback" not in told
    if data == "SilentData":
        assert main(["fit", *own, *SHORT, "--model.image_shape", "[1,16,16]", "--name", "given"]) == 0


def test_another_package_called_datamodules_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "datamodules").mkdir()
    (tmp_path / "datamodules" / "__init__.py").touch()
    told = refused(capsys, "fit", "--model", "DCGAN", "--data", "datamodules.faces.Faces")
    assert f"{tmp_path / 'datamodules'} is hidden by GAN Lightning's package of that name" in told
    # Ahead of ours, as with `python -m gan_lightning` in that folder.
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "datamodules"]:
        monkeypatch.delitem(sys.modules, name)
    assert cli.main(["fit"]) == 2
    assert f"{tmp_path / 'datamodules' / '__init__.py'}, and not GAN Lightning's" in capsys.readouterr().err
