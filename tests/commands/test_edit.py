"""``directions`` and ``edit``, from files to files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from gan_lightning.commands.attributes import read_attribute
from gan_lightning.inference.edit import KeptLatents, read_direction, write_latents
from gan_lightning.variants import DCGAN, CycleGAN, StyleGAN2
from tests.helpers.command_line import run
from tests.helpers.games import save_checkpoint, small, vivid


class Bright(nn.Module):
    """Logits of images that are brighter on the left, N x C x H x W to N."""

    def forward(self, images: Tensor) -> Tensor:
        left, right = images.chunk(2, dim=3)
        return (left - right).mean((1, 2, 3))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints, directions of both, and kept latents in two sub-folders, z[0] > 0 in "high"."""
    folder = tmp_path_factory.mktemp("edit")
    for variant, name in ((DCGAN, "dcgan"), (StyleGAN2, "style")):
        save_checkpoint(vivid(variant), folder / f"{name}.ckpt")
        out = folder / "directions" / name
        assert run("directions", "--ckpt", folder / f"{name}.ckpt", "--method", "sefa", "--n", 2, "--out", out) == 0
    for number in range(12):
        place = folder / "latents" / ("high" if number % 3 else "low") / f"{number}.npz"
        place.parent.mkdir(parents=True, exist_ok=True)
        latent = torch.randn(1, 4, generator=torch.Generator().manual_seed(number)) / 10
        latent[0, 0] = 1.0 if number % 3 else -1.0
        write_latents(place, KeptLatents("z", latent))
    return folder


def found(folder: Path, out: Path, *more: object) -> int:
    return run("directions", "--ckpt", folder / "dcgan.ckpt", "--out", out, *more)


def edited(folder: Path, out: Path, *more: object, name: str = "dcgan") -> int:
    common = ("--ckpt", folder / f"{name}.ckpt", "--directions", folder / "directions" / name)
    return run("edit", *common, "--out", out, *more)


def pixels(file: Path) -> np.ndarray:
    return np.asarray(Image.open(file))


class TestEdit:
    @pytest.mark.parametrize("name", ["dcgan", "style"])
    def test_strength_0_is_generate_and_others_are_not(self, folder: Path, tmp_path: Path, name: str) -> None:
        assert run("generate", "--ckpt", folder / f"{name}.ckpt", "--n", 3, "--out", tmp_path / "plain") == 0
        assert edited(folder, tmp_path / "still", "--direction", "sefa_00=0", "--n", 3, name=name) == 0
        assert edited(folder, tmp_path / "moved", "--direction", "sefa_00=2", "--n", 3, name=name) == 0
        for number in range(3):
            plain, still, moved = (tmp_path / each / f"{number:05d}.png" for each in ("plain", "still", "moved"))
            assert plain.read_bytes() == still.read_bytes()
            assert not np.array_equal(pixels(plain), pixels(moved))

    def test_a_strip_has_the_edits_in_its_columns(self, folder: Path, tmp_path: Path) -> None:
        assert edited(folder, tmp_path / "one", "--direction", "sefa_01=-1.5", "sefa_00=1", "--n", 2) == 0
        strip = ("--direction", "sefa_01", "sefa_00=1", "--strip", -1.5, 1.5, 3, "--n", 2, "--scale", 2)
        assert edited(folder, tmp_path / "strip", *strip) == 0
        assert [file.name for file in (tmp_path / "strip").iterdir()] == ["sefa_01.png"]
        picture = pixels(tmp_path / "strip" / "sefa_01.png")
        # Two rows of three cells of 32 pixels, gaps of 2, at the bottom right of the names.
        cells = picture[-(2 * 34 + 2) :, -(3 * 34 + 2) :]
        for row in range(2):
            cell = cells[2 + 34 * row : 34 * (row + 1), 2:34]
            assert np.array_equal(cell[::2, ::2], pixels(tmp_path / "one" / f"{row:05d}.png"))

    def test_kept_latents(self, folder: Path, tmp_path: Path) -> None:
        kept = ("--latents", folder / "latents")
        assert run("generate", "--ckpt", folder / "dcgan.ckpt", *kept, "--out", tmp_path / "plain") == 0
        assert edited(folder, tmp_path / "still", "--direction", "sefa_00=0", *kept) == 0
        assert len([*(tmp_path / "still").iterdir()]) == 12
        for file in (tmp_path / "plain").iterdir():
            assert file.read_bytes() == (tmp_path / "still" / file.name).read_bytes()

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            (["--direction", "smile=1"], "There is no direction 'smile' in the folder"),
            (["--direction", "sefa_00=much"], "no direction and a finite strength, such as smile=2"),
            (["--direction", "sefa_00"], "has no strength: give sefa_00=2, or --strip -3 3 7"),
            (["--direction", "sefa_00=1", "--strip", "-1", "1", "3"], "--strip needs a direction without a strength"),
            (["--direction", "sefa_00", "--strip", "-1", "1", "2.5"], "how many, at least 2"),
            (["--direction", "none.npz=1"], "there is no file none.npz"),
            (["--direction", "STYLE/sefa_00.npz=1"], "The direction sefa_00 is of another generator"),
            (["--direction", "sefa_00=1", "--labels", "1"], "DCGAN has no classes"),
            (["--direction", "sefa_00=1", "--latents", "LATENTS", "--n", "3"], "--n does not go with --latents"),
        ],
    )
    def test_one_sentence(self, folder: Path, tmp_path: Path, capsys: Any, options: list[str], sentence: str) -> None:
        places = {"STYLE": str(folder / "directions" / "style"), "LATENTS": str(folder / "latents")}
        for short, place in places.items():
            options = [option.replace(short, place) for option in options]
        assert edited(folder, tmp_path / "out", *options) == 2
        told = capsys.readouterr().err
        assert sentence in told
        assert told.count("\n") == 1
        assert not (tmp_path / "out").exists()


class TestDirections:
    def test_folders_of_latents(self, folder: Path, tmp_path: Path, capsys: Any) -> None:
        kept = ("--latents", folder / "latents", "--attribute", "high")
        assert found(folder, tmp_path / "means", "--method", "means", *kept) == 0
        direction = read_direction(tmp_path / "means" / "high.npz")
        assert direction.vector[0] == pytest.approx(2)
        assert direction.unit == "differences of means"
        assert "8 images with it and 4 without" in capsys.readouterr().out
        more = ("--name", "rest", "--orthogonal_to", tmp_path / "means" / "high.npz")
        assert found(folder, tmp_path / "plane", "--method", "hyperplane", *kept, *more, "--seed", 1) == 0
        assert "accuracy 1.000 on held-out images" in capsys.readouterr().out
        rest = read_direction(tmp_path / "plane" / "rest.npz").vector
        assert abs(float(rest @ direction.vector)) < 1e-5

    def test_a_table_of_samples_and_a_classifier(self, folder: Path, tmp_path: Path) -> None:
        model: Any = vivid(DCGAN)
        latents = model.indexed_latents(0, 4, 0)
        table = tmp_path / "mine.csv"
        table.write_text("image,round,other\n00000.png,1,0\n00001.png,0,0\n00003.png,1,1\n")
        given = ("--method", "means", "--labels_from", table, "--attribute", "round", "--samples", 4)
        assert found(folder, tmp_path / "table", *given) == 0
        wanted = (latents[0] + latents[3]) / 2 - latents[1]
        torch.testing.assert_close(read_direction(tmp_path / "table" / "round.npz").vector, wanted)
        given = ("--method", "means", "--labels_from", f"{__name__}.Bright", "--name", "bright", "--samples", 40)
        assert found(folder, tmp_path / "bright", *given) == 0
        bright = Bright()(model.sample(40)) > 0
        latents = model.indexed_latents(0, 40, 0)
        wanted = latents[bright].mean(0) - latents[~bright].mean(0)
        torch.testing.assert_close(read_direction(tmp_path / "bright" / "bright.npz").vector, wanted)

    def test_of_layers(self, folder: Path, tmp_path: Path) -> None:
        common = ("directions", "--ckpt", folder / "style.ckpt", "--method", "ganspace", "--samples", 50, "--n", 2)
        assert run(*common, "--layers", "1:3", "--out", tmp_path / "layers") == 0
        assert run(*common, "--out", tmp_path / "all") == 0
        layers, every = (read_direction(tmp_path / each / "ganspace_01.npz") for each in ("layers", "all"))
        assert (layers.space, every.space) == ("w+", "w")
        assert torch.equal(layers.vector[1:3], every.vector.expand(2, -1))
        assert not layers.vector[[0, *range(3, len(layers.vector))]].any()

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            (["sefa", "--attribute", "x"], "--attribute does not go with --method sefa"),
            (["sefa", "--n", "5"], "n is 5: this generator has 1 to 4 directions of the kind"),
            (["sefa", "--space", "w"], "DCGAN has no styles"),
            (["sefa", "--layers", "0:1"], "has no styles of layers in z"),
            (["means"], "There are no labels"),
            (["means", "--latents", "LATENTS", "--attribute", "blue"], "the folders are high, low"),
            (["means", "--labels_from", "none.csv", "--attribute", "x"], "There is no file none.csv"),
            (["means", "--labels_from", "mine.no.Net"], "--name is missing"),
            (["means", "--labels_from", "mine.no.Net", "--name", "x"], "There is no network 'mine.no.Net'"),
            (["hyperplane", "--latents", "LATENTS/high", "--attribute", "x"], "the folders are none"),
        ],
    )
    def test_one_sentence(self, folder: Path, tmp_path: Path, capsys: Any, options: list[str], sentence: str) -> None:
        options = [option.replace("LATENTS", str(folder / "latents")) for option in options]
        assert found(folder, tmp_path / "out", "--samples", 5, "--method", *options) == 2
        told = capsys.readouterr().err
        assert sentence in told
        assert not (tmp_path / "out").exists()

    def test_a_model_without_latents(self, tmp_path: Path, capsys: Any) -> None:
        save_checkpoint(small(CycleGAN), tmp_path / "cycle.ckpt")
        assert run("directions", "--ckpt", tmp_path / "cycle.ckpt", "--method", "sefa", "--out", tmp_path / "out") == 2
        assert "CycleGAN makes no samples from latents" in capsys.readouterr().err


class TestTables:
    def test_both_forms(self, tmp_path: Path) -> None:
        celeba, kaggle = tmp_path / "list.txt", tmp_path / "list.csv"
        celeba.write_text("2\nMale Smiling\n000001.jpg  1 -1\n000002.jpg -1  1\n")
        kaggle.write_text("image_id,Male,Smiling\n000001.jpg,1,-1\n000002.jpg,-1,1\n")
        for file in (celeba, kaggle):
            assert read_attribute(file, "Smiling") == {"000001": False, "000002": True}
            with pytest.raises(ValueError, match="its attributes are Male, Smiling"):
                read_attribute(file, "Tall")

    @pytest.mark.parametrize("line", ["000001.jpg,2,1", "000001.jpg,1", "000001.jpg,1,1,1"])
    def test_damaged_lines_are_named(self, tmp_path: Path, line: str) -> None:
        file = tmp_path / "list.csv"
        file.write_text(f"image,Male,Tall\n000002.jpg,0,1\n{line}\n")
        with pytest.raises(ValueError, match="Line 3 of"):
            read_attribute(file, "Male")
