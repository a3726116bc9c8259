"""Every shipped config is read and runs a step, on stand-ins for the data that must be downloaded."""

import functools
import inspect
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import datamodules
import gan_lightning.variants
from datamodules import CIFAR10DataModule, MNISTDataModule
from datamodules.base import SplitDataModule
from datamodules.components.torchvision_base import TorchvisionDataModule
from gan_lightning.cli import main
from gan_lightning.commands.run_names import run_name, stem
from gan_lightning.commands.run_summary import RunRecord
from gan_lightning.commands.training_cli import TrainingCLI
from gan_lightning.games.base import AdversarialModule
from tests.helpers.games import VARIANTS, argument_of
from tests.helpers.stand_ins import STAND_INS, class_folders, vgg19

CONFIGS = Path(__file__).parents[2] / "configs"
GAMES = sorted(CONFIGS.glob("*.yaml"))
PIECES = sorted((CONFIGS / "trainer").glob("*.yaml"))
BOTH = {"GAN", "MinimaxGAN", "DCGAN", "LSGAN", "WGAN", "WGANGP"}
"""The first variants have a config for grey images and one for colours; others need not."""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "disabled")


@pytest.fixture(autouse=True)
def _noise_in_the_place_of_downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    """5,400 random images of ten classes: 5,000 are held out, and 400 are left to train on."""

    def open_(self: TorchvisionDataModule, train: bool) -> Any:
        n = 5400 if train else 10
        random = np.random.default_rng(0)
        if self.dataset == "CIFAR10":
            return SimpleNamespace(
                data=random.integers(0, 256, (n, 32, 32, 3), np.uint8), targets=[i % 10 for i in range(n)]
            )
        return SimpleNamespace(
            data=torch.from_numpy(random.integers(0, 256, (n, 28, 28), np.uint8)),
            targets=torch.arange(n) % 10,
        )

    monkeypatch.setattr(TorchvisionDataModule, "_open", open_)


@functools.cache  # eighty files, for each variant
def _class_path(path: Path, key: str) -> str:
    return yaml.safe_load(path.read_text())[key]["class_path"].rpartition(".")[2]


SHORT = ["--trainer.fast_dev_run", "1", "--trainer.accelerator", "cpu", "--trainer.enable_model_summary", "false"]


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.__name__)
def test_every_variant_has_a_config(variant: type[AdversarialModule]) -> None:
    shipped = [
        path.stem for path in GAMES if path.stem != "quickstart" and _class_path(path, "model") == variant.__name__
    ]
    assert shipped, f"{variant.__name__} has no config: write configs/{stem(variant)}_<dataset>.yaml"
    if variant.__name__ in BOTH:
        for data in (MNISTDataModule, CIFAR10DataModule):
            name = run_name(variant, data)
            assert name in shipped, f"configs/{name}.yaml is missing"


def test_the_first_variants_are_still_there() -> None:
    assert {variant.__name__ for variant in VARIANTS} >= BOTH


FIRST = {_class_path(path, "model"): path for path in reversed(GAMES)}
"""A config of each variant; the others run among the slow tests."""


@pytest.mark.parametrize(
    "path",
    [path if path in FIRST.values() else pytest.param(path, marks=pytest.mark.slow) for path in GAMES],
    ids=lambda path: path.stem,
)
def test_a_config_runs(path: Path, tmp_path: Path) -> None:
    data = getattr(datamodules, _class_path(path, "data"))
    found = STAND_INS[data](tmp_path / "data") if data in STAND_INS else {}
    narrow = []
    if path.stem in ("r3gan_cifar10", "r3gan_ffhq_64", "r3gan_ffhq_256"):  # 41 million weights and more; as many layers
        narrow = ["--model.generator.width=96", "--model.discriminator.width=96"]
    if path.stem == "big_gan_imagenet128":  # 158 million weights, of classes that a plain folder has not
        found = class_folders(tmp_path / "classes")
        narrow = ["--model.generator.width=4", "--model.discriminator.width=4"]
    arguments = [f"--data.{name}={value}" for name, value in {"batch_size": 2, **found}.items()]
    if argument_of(getattr(gan_lightning.variants, _class_path(path, "model")), "vgg_weights"):
        vgg19(tmp_path / "vgg19.pth")
        arguments.append(f"--model.vgg_weights={tmp_path / 'vgg19.pth'}")
    cli = TrainingCLI("fit", ["--config", str(path), *SHORT, *arguments, *narrow], RunRecord())
    cli.run()
    assert cli.trainer.global_step == 1


@pytest.mark.parametrize("data", STAND_INS, ids=lambda data: data.__name__)
def test_a_stand_in_is_what_its_data_module_reads(data: type[SplitDataModule], tmp_path: Path) -> None:
    workers = {"num_workers": 0} if "num_workers" in inspect.signature(data).parameters else {}
    module = data(**{**STAND_INS[data](tmp_path), "batch_size": 4, **workers})
    assert len(list(module.train_dataloader())) >= 10
    for loader in (module.val_dataloader(), module.test_dataloader()):
        assert list(loader)


@pytest.mark.parametrize("path", [*GAMES, *PIECES], ids=lambda path: path.stem)
def test_a_config_says_how_to_use_it(path: Path) -> None:
    assert f"--config {path.relative_to(CONFIGS).with_suffix('')}" in path.read_text().replace("\n", " ")


@pytest.mark.parametrize("path", [path for path in GAMES if path.stem != "quickstart"], ids=lambda path: path.stem)
def test_the_name_of_a_config_tells_what_it_is(path: Path) -> None:
    model = getattr(gan_lightning.variants, _class_path(path, "model"))
    data = getattr(datamodules, _class_path(path, "data"))
    # Data in folders have a name of their own, which the config gives to the run.
    name = yaml.safe_load(path.read_text()).get("name") or run_name(model, data)
    assert name.startswith(f"{stem(model)}_")
    assert path.stem == name, f"configs/{path.name} should be configs/{name}.yaml"


@pytest.mark.parametrize("path", PIECES, ids=lambda path: path.stem)
def test_a_trainer_piece_joins_a_config(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = CONFIGS / "quickstart.yaml"
    with pytest.raises(SystemExit, match="0"):
        main(["fit", "--config", str(base), "--config", str(path), "--print_config"])
    joined = yaml.safe_load(capsys.readouterr().out)["trainer"]
    assert joined["max_steps"] == yaml.safe_load(base.read_text())["trainer"]["max_steps"]
    piece = yaml.safe_load(path.read_text())["trainer"]
    before = yaml.safe_load(base.read_text())["trainer"]["callbacks"]
    added = joined["callbacks"][len(before) :]
    assert [each["class_path"].rpartition(".")[2] for each in added] == [
        each["class_path"] for each in piece.pop("callbacks+", [])
    ]
    for key, value in piece.items():
        if key == "logger+":
            assert joined["logger"][0]["class_path"].endswith(value[0]["class_path"])
        else:
            assert joined[key] == value


@pytest.mark.parametrize(("piece", "package"), [("wandb", "wandb"), ("tensorboard", "tensorboard")])
def test_a_logger_piece_logs_beside_the_run(piece: str, package: str) -> None:
    pytest.importorskip(package)
    configs = [CONFIGS / "dcgan_mnist.yaml", CONFIGS / "trainer" / f"{piece}.yaml"]
    given = [argument for path in configs for argument in ("--config", str(path))]
    small = ["--data.batch_size=4", "--model.generator.width=4", "--model.discriminator.width=4"]
    main(["fit", *given, *small, "--trainer.accelerator=cpu", "--trainer.max_steps=2", "--trainer.limit_val_batches=0"])
    run = Path("runs/dcgan_mnist/version_0")
    assert (run / "checkpoints" / "last.ckpt").exists()
    assert (run / "samples" / "step_00000002.png").exists()
    if piece == "tensorboard":
        assert list((run / "tensorboard").glob("events.out.tfevents.*"))
    assert [path.name for path in Path("runs").iterdir()] == ["dcgan_mnist"]


@pytest.mark.parametrize("piece", ["wandb", "tensorboard"])
def test_a_logger_piece_writes_into_the_directory_of_the_run(piece: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same without the packages: a stand-in takes what they would be given."""
    (logger,) = yaml.safe_load((CONFIGS / "trainer" / f"{piece}.yaml").read_text())["trainer"]["logger+"]
    given = {"save_dir": logger["init_args"]["save_dir"], "name": "beside"}
    extra = {"trainer": {"logger+": [{"class_path": "CSVLogger", "init_args": given}]}}
    Path("extra.yaml").write_text(yaml.safe_dump(extra))
    arguments = ["--config", str(CONFIGS / "dcgan_mnist.yaml"), "--config", "extra.yaml", *SHORT[2:]]
    cli = TrainingCLI("fit", [*arguments, "--trainer.default_root_dir=elsewhere"], RunRecord())
    assert cli.trainer.loggers[1].save_dir == "elsewhere/dcgan_mnist/version_0"
