"""``compose``, from checkpoints to pictures."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gan_lightning.inference.edit import kept_samples, write_latents
from gan_lightning.variants import DCGAN, StyleGAN2
from gan_lightning.visualization.images import to_uint8
from tests.helpers.command_line import run
from tests.helpers.games import save_checkpoint, small, vivid


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two checkpoints of styles, one of none, and kept latents."""
    folder = tmp_path_factory.mktemp("compose")
    model: Any = vivid(StyleGAN2)
    save_checkpoint(model, folder / "style.ckpt")
    save_checkpoint(small(StyleGAN2), folder / "other.ckpt")
    save_checkpoint(small(DCGAN), folder / "dcgan.ckpt")
    for name, kept in zip("ab", kept_samples(model, [0, 1]), strict=True):
        write_latents(folder / f"{name}.npz", kept)
    return folder


def composed(folder: Path, out: Path, mode: str, *more: object, name: str = "style") -> int:
    return run("compose", mode, "--ckpt", folder / f"{name}.ckpt", "--out", out, *more)


def pixels(file: Path) -> np.ndarray:
    return np.asarray(Image.open(file)).astype(int)


def test_every_mode(folder: Path, tmp_path: Path) -> None:
    plain = [to_uint8(vivid(StyleGAN2).sample(2)[number, 0]).numpy().astype(int) for number in (0, 1)]
    given = ("--samples", 0, 1)
    assert composed(folder, tmp_path / "blend", "blend", *given, "--axis", "vertical", "--scale", 2) == 0
    assert pixels(tmp_path / "blend" / "00000.png").shape == (32, 32)
    half = np.zeros((16, 16), np.uint8)
    half[:, 8:] = 255
    Image.fromarray(half).save(tmp_path / "half.png")
    assert composed(folder, tmp_path / "map", "blend", *given, "--map", tmp_path / "half.png") == 0
    shown = pixels(tmp_path / "map" / "00000.png")
    assert np.abs(shown[:, 0] - plain[0][:, 0]).max() < np.abs(shown[:, 0] - plain[1][:, 0]).max()
    assert np.abs(shown[:, -1] - plain[1][:, -1]).max() < np.abs(shown[:, -1] - plain[0][:, -1]).max()
    # Where it is all black it is the first image.
    Image.fromarray(half * 0).save(tmp_path / "black.png")
    assert composed(folder, tmp_path / "first", "blend", *given, "--map", tmp_path / "black.png") == 0
    assert np.abs(pixels(tmp_path / "first" / "00000.png") - plain[0]).max() <= 1
    # A transfer of the whole image in all layers is the second one; `generate` makes both in one batch.
    box = ("--box", 0, 0, 16, 16, "--softness", 0)
    assert composed(folder, tmp_path / "transfer", "transfer", *given, *box, "--layers", "0:6") == 0
    assert np.abs(pixels(tmp_path / "transfer" / "00000.png") - plain[1]).max() <= 1
    assert composed(folder, tmp_path / "patch", "patch", *given, "--box", 0, 0, 8, 8, "--to", 8, 8, "--level", 1) == 0
    change = np.abs(pixels(tmp_path / "patch" / "00000.png") - plain[0])
    assert change[8:, 8:].max() > 10
    assert change[:2, :2].max() <= 1
    latents = ("--latents", folder / "a.npz", folder / "b.npz")
    assert composed(folder, tmp_path / "wide", "panorama", *latents, "--overlap", 0.25) == 0
    assert pixels(tmp_path / "wide" / "panorama.png").shape == (16, 28)
    assert composed(folder, tmp_path / "extend", "extend", *latents, "--axis", "vertical") == 0
    assert pixels(tmp_path / "extend" / "00001.png").shape == (32, 16)
    strip = ("--ckpt2", folder / "other.ckpt", "--weights", 0, 1)
    assert composed(folder, tmp_path / "between", "between", *given, *strip) == 0
    first = pixels(tmp_path / "between" / "00001.png")
    assert first.shape == (16, 32)
    assert np.abs(first[:, :16] - plain[1]).max() <= 1
    assert np.abs(first[:, 16:] - plain[1]).max() > 5
    # Of another box nothing goes on there.
    assert composed(folder, tmp_path / "patch", "patch", *given, "--box", 0, 0, 9, 8) == 2


@pytest.mark.parametrize(
    ("mode", "more", "sentence"),
    [
        ("blend", ["--samples", "0"], "blend: give at least two images"),
        ("blend", ["--samples", "0", "1", "--map", "dcgan.ckpt"], "cannot be read: not an image"),
        ("blend", ["--samples", "0", "1", "--map", "none.png"], "--map none.png cannot be read"),
        ("blend", ["--samples", "0", "1", "--map", "none.png", "--axis", "vertical"], "give one of them"),
        ("blend", [], "either --samples, or --latents"),
        ("blend", ["--samples", "0", "1", "--box", "0", "0", "4", "4"], "--box goes only with transfer and patch"),
        ("transfer", ["--samples", "0", "1"], "transfer: give the part of the image, --box"),
        ("between", ["--samples", "0"], "--ckpt2"),
        ("panorama", ["--samples", "0", "--overlap", "0.7"], "overlap is 0.7"),
        ("extend", ["--samples", "0", "--level", "2"], "level is 2"),
        ("extend", ["--latents", "none", "--truncation", "0.5"], "--truncation does not go with --latents"),
        ("extend", ["--samples", "0", "--ckpt", "dcgan.ckpt"], "DCGAN has no styles"),
    ],
)
def test_a_mistake_is_one_sentence(
    mode: str, more: list[str], sentence: str, folder: Path, tmp_path: Path, capsys: Any
) -> None:
    more = [str(folder / word) if word == "dcgan.ckpt" else word for word in more]
    assert composed(folder, tmp_path / "out", mode, *more) == 2
    assert sentence in capsys.readouterr().err.strip().splitlines()[-1]
    assert not (tmp_path / "out").exists()
