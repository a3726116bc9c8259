"""Pictures of an image beside its translations: strips of strengths, every class, the way back."""

from pathlib import Path
from typing import Any

import pytest
import torch

from gan_lightning import inference
from gan_lightning.cli import main
from gan_lightning.variants import CycleGAN, Pix2Pix, StarGAN
from gan_lightning.visualization.images import to_uint8
from tests.commands.test_translate import photograph, pixels
from tests.helpers.games import save_checkpoint, small, vivid

FACES = ["Black_Hair", "Blond_Hair", "Male"]
HEIGHT, WIDTH = 24, 40


@pytest.fixture(scope="module")
def star_gan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(vivid(StarGAN, attributes=FACES), tmp_path_factory.mktemp("star_gan") / "last.ckpt")


@pytest.fixture(scope="module")
def cycle_gan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = vivid(CycleGAN, domain_names=["horses", "zebras"])
    return save_checkpoint(model, tmp_path_factory.mktemp("cycle_gan") / "last.ckpt")


def columns(place: Path, *options: object) -> list[torch.Tensor]:
    """The images in the picture that a command writes, H x W, without the names above them."""
    file = photograph(place / "in.png", WIDTH, HEIGHT, "L")
    arguments = ["--input", file, "--out", place / "out", *options]
    assert main(["translate", *map(str, arguments), "--device", "cpu"]) == 0
    picture = pixels(place / "out" / "in.png")[0]
    assert picture.shape[0] > HEIGHT + 2 + 9  # gaps of a pixel, and names above
    shown = picture[-HEIGHT - 1 : -1, 1:].unflatten(1, (-1, WIDTH + 1))[..., :-1].unbind(1)
    assert torch.equal(shown[0], pixels(file)[0])
    return [*shown[1:]]


def translated(checkpoint: Path, place: Path, *arguments: Any, **named: Any) -> torch.Tensor:
    file = photograph(place / "in.png", WIDTH, HEIGHT, "L")
    game: Any = inference.load(checkpoint)
    image = pixels(file)[None].float() / 127.5 - 1
    return game.translate(image, *arguments, **named)


def test_a_strip_from_the_own_attributes_to_those_asked_for_and_back(star_gan: Path, tmp_path: Path) -> None:
    asked = {"Blond_Hair": True, "Male": False}
    shown = columns(tmp_path, "--ckpt", star_gan, "--attributes", "Blond_Hair", "Male=0", "--strip", 0, 2, 3, "--back")
    expected = [translated(star_gan, tmp_path, None, asked, strength=strength) for strength in (0.0, 1.0, 2.0)]
    game: Any = inference.load(star_gan)
    given = pixels(tmp_path / "in.png")[None].float() / 127.5 - 1
    expected.append(game.translate_back(expected[-1], given))
    for made, image in zip(shown, expected, strict=True):
        assert torch.equal(made, to_uint8(image)[0, 0])
    assert not torch.equal(shown[0], shown[1])


def test_every_class(star_gan: Path, tmp_path: Path) -> None:
    shown = columns(tmp_path, "--ckpt", star_gan, "--every_class")
    edits: list[dict[str, bool]] = [{"Black_Hair": True}, {"Blond_Hair": True}, {"Male": True}, {"Male": False}]
    for made, edit in zip(shown, edits, strict=True):
        assert torch.equal(made, to_uint8(translated(star_gan, tmp_path, None, edit))[0, 0])


def test_the_way_to_a_domain_by_its_name_and_back(cycle_gan: Path, tmp_path: Path) -> None:
    made, back = columns(tmp_path, "--ckpt", cycle_gan, "--domain", "horses", "--back")
    there = translated(cycle_gan, tmp_path, "BtoA")
    game: Any = inference.load(cycle_gan)
    assert torch.equal(made, to_uint8(there)[0, 0])
    assert torch.equal(back, to_uint8(game.translate(there, "AtoB"))[0, 0])
    assert not torch.equal(made, back)


def test_a_domain_alone_is_a_plain_translation(star_gan: Path, tmp_path: Path) -> None:
    file = photograph(tmp_path / "a.png", WIDTH, HEIGHT, "L")
    command = ["translate", "--ckpt", star_gan, "--input", file, "--out", tmp_path / "out", "--domain", "Male"]
    assert main([*map(str, command), "--device", "cpu"]) == 0
    expected = inference.translate(inference.load(star_gan), file, attributes={"Male": True})
    assert torch.equal(pixels(tmp_path / "out" / "a.png"), to_uint8(expected))


@pytest.mark.parametrize(
    ("game", "options", "message"),
    [
        ("star", ["--domain", "Bald"], "StarGAN has no domain 'Bald': choose Black_Hair, Blond_Hair, Male."),
        ("star", ["--domain", "Male", "--attributes", "Male"], "--domain and --attributes both say"),
        ("star", ["--strip", "0", "1", "3"], "--strip goes from an image's own attributes to those asked for"),
        ("star", ["--domain", "Male", "--strip", "0", "1", "1"], "how many, at least 2"),
        ("star", ["--every_class", "--back"], "--every_class has a column for each class: leave out"),
        ("star", ["--scale", "2"], "--scale is of pictures"),
        ("star", ["--every_class", "--bits", "16"], "--bits 16 is of a translation alone"),
        ("cycle", ["--domain", "cats"], "CycleGAN has no domain 'cats': choose horses, zebras."),
        ("cycle", ["--strip", "0", "1", "3"], "--strip: CycleGAN has no attributes and no classes"),
        ("cycle", ["--every_class"], "--every_class: CycleGAN has no classes and no attributes."),
        ("pix", ["--back"], "--back: Pix2Pix has no translation back."),
        ("pix", ["--domain", "A"], "Pix2Pix has no domain 'A': it translates one way only."),
    ],
)
def test_what_a_model_does_not_show(
    game: str,
    options: list[str],
    message: str,
    star_gan: Path,
    cycle_gan: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pix = save_checkpoint(small(Pix2Pix), tmp_path / "pix.ckpt")
    file = photograph(tmp_path / "a.png")
    checkpoint = {"star": star_gan, "cycle": cycle_gan, "pix": pix}[game]
    command = ["translate", "--ckpt", checkpoint, "--input", file, "--out", tmp_path / "out", *options]
    with pytest.raises(SystemExit, match="2"):
        main([*map(str, command), "--device", "cpu"])
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (tmp_path / "out").exists()
