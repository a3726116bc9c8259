"""Pictures of an image beside its translations: strips of strengths, every class, the way back."""

from pathlib import Path
from typing import Any

import pytest
import torch

from gan_lightning import inference
from gan_lightning.cli import main
from gan_lightning.variants import SRGAN, Colorization, CycleGAN, Pix2Pix, StarGAN
from gan_lightning.visualization.images import enlarge, to_uint8
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


def test_a_strip_towards_the_weights_of_another_checkpoint(cycle_gan: Path, tmp_path: Path) -> None:
    # The weights of small games are all the same.
    aim = small(CycleGAN)
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in aim.parameters():
            weight.add_(torch.randn_like(weight))
    other = save_checkpoint(aim, tmp_path / "other.ckpt")
    command = ["--ckpt", cycle_gan, "--direction", "BtoA", "--towards", other, "--strip", 0, 1, 3]
    shown = columns(tmp_path, *command, "--back")
    # Half-way by hand: the mean of both networks' weights.
    between, end = (inference.load(checkpoint) for checkpoint in (cycle_gan, other))
    with torch.no_grad():
        for weight, last in zip(between.parameters(), end.parameters(), strict=True):
            weight.copy_((weight + last) / 2)
    half = save_checkpoint(between, tmp_path / "half.ckpt")
    expected = [translated(checkpoint, tmp_path, "BtoA") for checkpoint in (cycle_gan, half, other)]
    expected.append(translated(other, tmp_path, "BtoA"))
    game: Any = end
    expected[-1] = game.translate(expected[-1], "AtoB")
    for made, image in zip(shown, expected, strict=True):
        # A level of rounding in the weights' mean.
        assert (made.int() - to_uint8(image)[0, 0].int()).abs().max() <= 1
    assert not torch.equal(shown[0], shown[1])


def test_a_path_of_weights_ends_where_it_began(cycle_gan: Path, tmp_path: Path) -> None:
    model = inference.load(cycle_gan)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with inference.WeightPath(model, small(CycleGAN)).at(0.3):
        assert any(not torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_beside_larger_results_the_image_is_as_large(tmp_path: Path) -> None:
    game: Any = small(SRGAN)
    model, scale = save_checkpoint(game, tmp_path / "sr.ckpt"), game.scale
    file = photograph(tmp_path / "a.png", 20, 12, "L")
    command = ["translate", "--ckpt", model, "--input", file, "--out", tmp_path / "out", "--towards", model]
    assert main([*map(str, command), "--strip", "0", "1", "2", "--device", "cpu"]) == 0
    shown = pixels(tmp_path / "out" / "a.png")[0, -12 * scale - 1 : -1, 1 : 1 + 20 * scale]
    assert torch.equal(shown, enlarge(pixels(file)[0], scale))


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
        ("cycle", ["--towards", "{star}"], "--towards goes with --strip"),
        ("cycle", ["--towards", "{star}", "--strip", "0", "1", "3"], "CycleGAN and StarGAN, have not the same weights"),
        ("color", ["--hints", "1,1,#d22f27", "--strip", "0", "1", "2"], "--hints and --reference are of a translation"),
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
    pix, color = (
        save_checkpoint(small(variant), tmp_path / f"{variant.__name__}.ckpt") for variant in (Pix2Pix, Colorization)
    )
    file = photograph(tmp_path / "a.png")
    checkpoint = {"star": star_gan, "cycle": cycle_gan, "pix": pix, "color": color}[game]
    named = [option.format(star=star_gan) for option in options]
    command = ["translate", "--ckpt", checkpoint, "--input", file, "--out", tmp_path / "out", *named]
    with pytest.raises(SystemExit, match="2"):
        main([*map(str, command), "--device", "cpu"])
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (tmp_path / "out").exists()
