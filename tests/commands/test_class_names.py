"""Classes are asked for by the names that the training data has for them."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from datamodules import CIFAR10DataModule, ImageFolderDataModule, LSUNDataModule, MNISTDataModule, ShardsDataModule
from gan_lightning import inference
from gan_lightning.cli import main
from gan_lightning.variants import ConditionalGAN, StarGAN
from tests.helpers.command_line import refused
from tests.helpers.games import small

FIT = [
    *("fit", "--trainer.accelerator", "cpu", "--trainer.max_steps", "1", "--trainer.limit_val_batches", "0"),
    *("--trainer.enable_progress_bar", "false", "--data", "ImageFolderDataModule", "--data.image_size", "16"),
    *("--data.num_workers", "0", "--data.batch_size", "2", "--data.val_size", "0"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for label, name in enumerate(("bird", "cat", "3")):
        (tmp_path / "images" / name).mkdir(parents=True)
        for i in range(2):
            Image.new("RGB", (16, 16), (label * 80, i * 90, 0)).save(tmp_path / "images" / name / f"{i}.png")
    return tmp_path / "images"


def checkpoint(folder: Path, tmp_path: Path, *arguments: str) -> Path:
    main([*FIT, "--data.root", str(folder), "--trainer.default_root_dir", str(tmp_path / "runs"), *arguments])
    return next((tmp_path / "runs").rglob("last.ckpt"))


def test_generate_by_name(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ckpt = checkpoint(folder, tmp_path, "--model", "ConditionalGAN")
    recorded = torch.load(ckpt, weights_only=True)["hyper_parameters"]
    assert recorded["class_names"] == ["3", "bird", "cat"]
    command = ["generate", "--ckpt", str(ckpt), "--n", "3"]
    main([*command, "--labels", "cat", "3", "bird", "--out", str(tmp_path / "named")])
    model = inference.load(ckpt)
    (expected,) = inference.generate(model, 3, labels=[2, 0, 1])
    assert torch.equal(expected, next(inference.generate(model, 3, labels=["cat", "3", "bird"])))
    main([*command, "--labels", "2", "0", "1", "--out", str(tmp_path / "numbered")])
    for name in ("00000.png", "00001.png", "00002.png"):
        assert (tmp_path / "named" / name).read_bytes() == (tmp_path / "numbered" / name).read_bytes()
    told = refused(capsys, *command, "--labels", "dog", "--out", str(tmp_path / "none"))
    assert "There is no label dog: this ConditionalGAN has 0 to 2: 3, bird, cat." in told


def test_stargan_by_name(folder: Path, tmp_path: Path) -> None:
    small_networks = ["--model.generator.width", "2", "--model.generator.n_blocks", "1", "--model.n_critic", "1"]
    ckpt = checkpoint(folder, tmp_path, "--model", "StarGAN", *small_networks, "--model.discriminator.width", "2")
    assert inference.load(ckpt).attributes == ("3", "bird", "cat")
    image = folder / "bird" / "0.png"
    main(
        ["translate", "--ckpt", str(ckpt), "--input", str(image), "--out", str(tmp_path / "out"), "--attributes", "cat"]
    )
    assert (tmp_path / "out" / "0.png").is_file()


def test_a_checkpoint_without_names(tmp_path: Path) -> None:
    model = small(ConditionalGAN, num_classes=3)
    assert inference.check_labels(model, ["2", 1]) == [2, 1]
    for label in ("cat", "3", "-1", -1, 3, "1.0"):
        with pytest.raises(ValueError, match=rf"^There is no label {label}: this ConditionalGAN has 0 to 2\.$"):
            inference.check_labels(model, [label])
    assert small(StarGAN, attributes=None, num_classes=2).attributes == ("0", "1")


@pytest.mark.parametrize("names", [["a"], ["a", "a"], "ab", ["a", "b", "c"]])
def test_names_that_are_not_those_of_the_classes(names: list[str] | str) -> None:
    for variant in (ConditionalGAN, StarGAN):
        with pytest.raises(ValueError, match=r"^class_names is .*: it must be a list(, each| of 2 different names)"):
            small(variant, num_classes=2, class_names=names, **({"attributes": None} if variant is StarGAN else {}))


def test_what_the_data_modules_tell(folder: Path, tmp_path: Path) -> None:
    assert CIFAR10DataModule("nowhere").class_names[3] == "cat"
    assert LSUNDataModule("nowhere", ["b", "a"]).class_names == ["b", "a"]
    assert MNISTDataModule("nowhere").class_names is LSUNDataModule("nowhere", "a").class_names is None
    data = ImageFolderDataModule(str(folder), image_size=16, num_workers=0)
    assert data.class_names == ["3", "bird", "cat"]
    assert ImageFolderDataModule(str(folder / "cat")).class_names is None
    pytest.importorskip("litdata")
    from datamodules.components.shards.format import write_shards

    write_shards(data, tmp_path / "shards")
    assert ShardsDataModule(str(tmp_path / "shards")).class_names == ["3", "bird", "cat"]
