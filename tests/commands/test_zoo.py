"""The zoo: models in the package, by name."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks import zoo as maker
from datamodules import ToyDataModule
from gan_lightning.cli import main
from gan_lightning.games.translation import TranslationGame
from gan_lightning.inference import CheckpointError, from_pretrained, read_checkpoint, save_pretrained, zoo
from gan_lightning.metrics.mode_coverage import mode_coverage
from gan_lightning.variants import ConditionalGAN, Pix2Pix
from tests.helpers.games import save_checkpoint, small

CARD: dict[str, Any] = {
    "about": "digits, by class",
    "command": "gan-lightning fit --config conditional_gan_mnist",
    "data": "MNIST",
    "licence": "CC BY-SA 3.0",
    "scores": {"fid": 12.345678},
    "measured_by": "gan-lightning evaluate",
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A zoo of two models in a folder of its own."""
    monkeypatch.setattr(zoo, "HOME", tmp_path / "zoo")
    save_pretrained(small(ConditionalGAN, num_classes=10), zoo.HOME / "conditional_gan_mnist", card=CARD)
    save_pretrained(small(Pix2Pix), zoo.HOME / "pix2pix_facades")
    return zoo.HOME


def test_models_are_listed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["zoo"]) == 0
    title, first, second, total = capsys.readouterr().out.splitlines()
    size = sum(part.stat().st_size for part in (home / "conditional_gan_mnist").iterdir())
    wanted = f"conditional_gan_mnist ConditionalGAN 0 {size / 1e6:.2f} fid 12.35 digits, by class"
    assert first.split() == wanted.split()
    assert second.split()[:2] == ["pix2pix_facades", "Pix2Pix"]
    assert total.startswith("2 models, ")
    assert title.index("scores") == first.index("fid")


def test_one_is_told_whole(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("conditional_gan_mnist", "zoo:conditional_gan_mnist"):
        assert main(["zoo", name]) == 0
        told = capsys.readouterr().out
        for text in (CARD["about"], CARD["command"], CARD["data"], CARD["licence"], "fid 12.35", "zoo:conditional"):
            assert text in told


def test_commands_take_its_models(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "sevens"
    model = ["--ckpt", "zoo:conditional_gan_mnist"]
    assert main(["generate", *model, "--labels", "7", "--n", "2", "--out", str(out)]) == 0
    game: Any = from_pretrained("zoo:conditional_gan_mnist")
    made = ((game.sample(2, labels=[7])[1, 0] + 1) * 127.5).round().numpy()
    (_, second) = sorted(out.glob("*.png"))
    assert abs(np.asarray(Image.open(second)).astype(float) - made).max() <= 1
    photo = tmp_path / "photo.png"
    Image.new("L", (16, 16), 99).save(photo)
    model = ["--ckpt", "zoo:pix2pix_facades"]
    assert main(["translate", *model, "--input", str(photo), "--out", str(tmp_path / "made")]) == 0


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("conditional_gan_mnst", "did you mean zoo:conditional_gan_mnist"),
        ("../secret", "lists them"),
        ("", "lists them"),
    ],
)
def test_an_unknown_name_is_one_sentence(
    home: Path, name: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_pretrained(small(Pix2Pix), home.parent / "secret")
    with pytest.raises(SystemExit) as end:
        main(["generate", "--ckpt", f"zoo:{name}", "--out", str(tmp_path / "new")])
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1


def test_training_does_not_go_on_from_one(home: Path) -> None:
    with pytest.raises(CheckpointError, match="--init_from"):
        read_checkpoint("zoo:pix2pix_facades")


def test_the_maker(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = save_checkpoint(small(ConditionalGAN, num_classes=10), tmp_path / "last.ckpt")
    words = ["--about", "digits", "--command", "fit", "--data", "MNIST", "--licence", "free", "--scores", "fid=3.5"]
    maker.main(["new_one", "--ckpt", str(checkpoint), *words])
    (made,) = [model for model in zoo.models() if model.name == "new_one"]
    assert (made.about, made.licence, made.scores) == ("digits", "free", {"fid": 3.5})
    monkeypatch.setattr(maker, "LARGEST", 100)
    with pytest.raises(SystemExit, match="more than"):
        maker.main(["new_one", "--ckpt", str(checkpoint), *words])


def test_the_shipped_models() -> None:
    """Each makes images of its own range, says where it comes from, and all together are small."""
    models = zoo.models()
    assert len(models) >= 8
    assert sum(model.size for model in models) <= maker.LARGEST
    for model in models:
        assert all((model.about, model.command, model.data, model.licence, model.scores)), model.name
        game: Any = from_pretrained(f"zoo:{model.name}")
        images = (
            game.translate(torch.zeros(1, game.given_channels, 32, 32))
            if isinstance(game, TranslationGame)
            else game.sample(2)
        )
        assert torch.isfinite(images).all(), model.name
        assert float(images.std()) > 0.01, model.name


def test_the_ring_covers_its_modes() -> None:
    game: Any = from_pretrained("zoo:wgan_gp_ring")
    data = ToyDataModule("ring")
    modes, share = mode_coverage(game.sample(2000, seed=3), data.centres, data.std)
    (recorded,) = [model.scores for model in zoo.models() if model.name == "wgan_gp_ring"]
    assert modes == recorded["modes"] == 8
    assert share == pytest.approx(recorded["high_quality"], abs=0.04)  # of 2,000 samples a deviation is 0.008
