"""``edit`` with brushes, from files to files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gan_lightning.inference.edit import (
    Dab,
    KeptLatents,
    Line,
    Warp,
    contextual_strokes,
    paint,
    read_latents,
    transfer_by_mask,
    write_latents,
)
from gan_lightning.variants import IAN, ConditionalGAN, StyleGAN2
from gan_lightning.visualization.images import to_uint8, write_png
from tests.helpers.command_line import run
from tests.helpers.games import save_checkpoint, vivid

SHORT = ("--invert_steps", 0, "--brush_steps", 3)


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    return {"ian": vivid(IAN), "classes": vivid(ConditionalGAN), "style": vivid(StyleGAN2)}


@pytest.fixture(scope="module")
def folder(models: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints, two photographs of their size and a large one, and kept latents of two classes."""
    folder = tmp_path_factory.mktemp("painting")
    for name, model in models.items():
        save_checkpoint(model, folder / f"{name}.ckpt")
    rng = np.random.default_rng(0)
    for name, shape in (("small/a", (1, 16, 16)), ("small/deep/b", (1, 16, 16)), ("large", (1, 40, 60))):
        place = folder / f"{name}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        write_png(place, torch.from_numpy(rng.integers(0, 256, shape, np.uint8)))
    for number in range(2):
        latent = torch.randn(1, 4, generator=torch.Generator().manual_seed(number))
        (folder / "latents").mkdir(exist_ok=True)
        write_latents(folder / "latents" / f"{number}.npz", KeptLatents("z", latent, labels=torch.tensor([number])))
    return folder


def edited(folder: Path, out: Path, *more: object, name: str = "ian") -> int:
    return run("edit", "--ckpt", folder / f"{name}.ckpt", "--out", out, *more)


def pixels(file: Path) -> np.ndarray:
    return np.asarray(Image.open(file))


class TestPhotographs:
    @pytest.mark.parametrize("keep", ["mask", "flow"])
    def test_without_a_stroke_they_stay_to_the_bit(self, folder: Path, tmp_path: Path, keep: str) -> None:
        still = ("--invert_steps", 0, "--brush_steps", 0, "--paint", "3,3,1,#ffffff", "--keep_photo", keep)
        assert edited(folder, tmp_path / "small", "--input", folder / "small", *still) == 0
        for name in ("a", "deep/b"):
            before, after = pixels(folder / "small" / f"{name}.png"), pixels(tmp_path / "small" / f"{name}.png")
            assert np.array_equal(before, after)
        # Of a large one the middle, in its own size.
        assert edited(folder, tmp_path / "large", "--input", folder / "large.png", "--resize", *still) == 0
        assert np.array_equal(pixels(tmp_path / "large" / "large.png"), pixels(folder / "large.png")[:, 10:50])

    def test_the_edit_is_blended_in(self, folder: Path, models: dict[str, Any], tmp_path: Path) -> None:
        brush = ("--paint", "3,4,2,#ffffff", "--smoothness", 0, "--input", folder / "small" / "a.png")
        assert edited(folder, tmp_path / "out", *brush, *SHORT, "--way") == 0
        model = models["ian"]
        photograph = torch.from_numpy(pixels(folder / "small" / "a.png").copy())[None]
        latent = model.encode(photograph[None])
        painted = paint(model, KeptLatents("z", latent), [Dab(3, 4, 2, (255, 255, 255))], steps=3, smoothness=0)
        wanted = transfer_by_mask(model.scaled(photograph), painted.before[0], painted.images[0])
        # A checkpoint's generator computes in another order, and rounds otherwise.
        assert np.abs(pixels(tmp_path / "out" / "a.png").astype(int) - to_uint8(wanted)[0].numpy()).max() <= 1
        kept = read_latents(tmp_path / "out" / "a.npz")
        assert torch.allclose(kept.latents, painted.kept.latents, atol=1e-3)
        with Image.open(tmp_path / "out" / "a.gif") as way:
            assert way.n_frames == 7  # type: ignore[attr-defined]
        assert edited(folder, tmp_path / "plain", *brush, *SHORT, "--keep_photo", "no") == 0
        plain = pixels(tmp_path / "plain" / "a.png").astype(int)
        assert np.abs(plain - to_uint8(painted.images[0])[0].numpy()).max() <= 1


class TestLatents:
    def test_all_brushes_on_images_of_classes(self, folder: Path, models: dict[str, Any], tmp_path: Path) -> None:
        given = ("--latents", folder / "latents", *SHORT[2:])
        brushes = ("--paint", "3,4,2,#ffffff", "9,9,0,#000000", "--sketch", "1,1,9,4", "--warp", "8,8,2,-3,1")
        assert edited(folder, tmp_path / "out", *given, *brushes, "--scale", 2, name="classes") == 0
        assert edited(folder, tmp_path / "other", *given, *brushes, "--labels", 5, name="classes") == 0
        asked: list[Any] = [Dab(3, 4, 2, (255,) * 3), Dab(9, 9, 0, (0, 0, 0)), Line(1, 1, 9, 4), Warp(8, 8, 2, -3, 1)]
        for number in range(2):
            start = read_latents(folder / "latents" / f"{number}.npz")
            painted = paint(models["classes"], start, asked, steps=3)
            found = read_latents(tmp_path / "out" / f"{number}.npz")
            assert torch.allclose(found.latents, painted.kept.latents, atol=1e-3)
            assert found.labels is not None
            assert found.labels.tolist() == [number]
            assert pixels(tmp_path / "out" / f"{number}.png").shape == (32, 32)
            other = read_latents(tmp_path / "other" / f"{number}.npz")
            assert other.labels is not None
            assert other.labels.tolist() == [5]

    def test_the_contextual_brush(self, folder: Path, models: dict[str, Any], tmp_path: Path) -> None:
        given = ("--latents", folder / "latents" / "0.npz", "--brush", "contextual", "--paint", "3,4,2,#ffffff")
        assert edited(folder, tmp_path / "out", *given, name="classes") == 0
        start = read_latents(folder / "latents" / "0.npz")
        painted = contextual_strokes(models["classes"], start, [Dab(3, 4, 2, (255, 255, 255))])
        assert torch.allclose(read_latents(tmp_path / "out" / "0.npz").latents, painted.kept.latents, atol=1e-2)

    @pytest.mark.parametrize(("more", "space"), [((), "w"), (("--space", "w+"), "w+"), (("--space", "z"), "z")])
    def test_styles(self, folder: Path, tmp_path: Path, more: tuple[str, ...], space: str) -> None:
        photo = ("--input", folder / "small" / "a.png", "--paint", "3,4,2,#ffffff", "--invert_steps", 2)
        assert edited(folder, tmp_path / "out", *photo, "--brush_steps", 2, *more, name="style") == 0
        assert read_latents(tmp_path / "out" / "a.npz").space == space


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "Nothing is edited: give --direction, or what is painted"),
        (["--paint", "3,4,2,#ffffff"], "need an image: give --latents, or a photograph as --input"),
        (["--input", "PHOTOS"], "--input is painted on: give --paint, --sketch or --warp"),
        (
            ["--paint", "3,4,#ffffff"],
            "'3,4,#ffffff' is no dab, column, row in pixels from the upper left corner",
        ),
        (["--paint", "3,4,2,#fffff"], "is no dab"),
        (["--sketch", "3,4,2"], "'3,4,2' is no line, column and row of its start"),
        (["--warp", "3,4,2,1"], "'3,4,2,1' is no warp"),
        (["--input", "PHOTOS", "--paint", "16,4,2,#ffffff"], "The dab 16,4,2,#ffffff reaches 16,4, outside the image"),
        (["--input", "PHOTOS", "--latents", "LATENTS", "--paint", "3,4,2,#ffffff"], "give one of them"),
        (
            ["--input", "LARGE", "--paint", "3,4,2,#ffffff"],
            "60 x 40 pixels, and the model makes 16 x 16",
        ),
        (["--input", "PHOTOS", "--paint", "3,4,2,#ffffff", "--direction", "a=1"], "do not go with brushes"),
        (["--input", "PHOTOS", "--paint", "3,4,2,#ffffff", "--n", "3"], "--n is of samples"),
        (["--input", "PHOTOS", "--sketch", "3,4,2,1", "--brush", "contextual"], "paints colours alone"),
        (
            ["--input", "PHOTOS", "--paint", "3,4,2,#ffffff", "--labels", "1", "2", "3"],
            "--labels has 3: give one",
        ),
        (["--input", "PHOTOS", "--paint", "3,4,2,#ffffff", "--smoothness", "-1"], "smoothness is -1"),
    ],
)
def test_one_sentence(folder: Path, tmp_path: Path, capsys: Any, options: list[str], sentence: str) -> None:
    places = {"PHOTOS": folder / "small", "LATENTS": folder / "latents", "LARGE": folder / "large.png"}
    given = [str(places.get(option, option)) for option in options]
    assert edited(folder, tmp_path / "out", *given, "--invert_steps", 0) == 2
    told = capsys.readouterr().err
    assert sentence in told
    assert told.count("\n") == 1
    assert not (tmp_path / "out").exists()
