"""Which images ``evaluate`` compares: sizes, channels and splits that nobody named, and sets that are not whole."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gan_lightning.cli import main
from gan_lightning.inference.checkpoint import load
from gan_lightning.variants import DCGAN
from gan_lightning.visualization.image_sets import begin_set
from gan_lightning.visualization.images import to_uint8
from tests.helpers.games import play, run_directory, small
from tests.metrics.tools import images, write_folder


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Of a model of grey images of 16 x 16."""
    play(small(DCGAN), 1, tmp_path)
    return run_directory(tmp_path) / "checkpoints" / "last.ckpt"


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Images in colour, of other sizes than the model's and than each other's."""
    folder = write_folder(tmp_path / "photographs", list(images(40, 1, side=20)))
    for number, image in enumerate(images(40, 2, side=24)):
        Image.fromarray(image[:, :18].permute(1, 2, 0).numpy()).save(folder / f"wide_{number}.bmp")
    return folder


def evaluated(tmp_path: Path, *options: object) -> float:
    file = tmp_path / "scores.json"
    arguments = ["--extractor", "pixels", "--json", str(file), *map(str, options)]
    assert main(["evaluate", *arguments]) == 0
    (fid,) = json.loads(file.read_text()).values()
    return fid


def refused(capsys: pytest.CaptureFixture[str], *options: object) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", "--extractor", "pixels", *map(str, options)])
    assert ended.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


def a_folder_module(root: Path, **arguments: object) -> list[str]:
    chosen = {"root": root, "val_size": 0, "num_workers": 0, **arguments}
    given = [text for name, value in chosen.items() for text in (f"--data.{name}", str(value))]
    return ["--data", "ImageFolderDataModule", *given]


@pytest.mark.filterwarnings("ignore:Images of")
def test_the_checkpoint_says_how_real_images_are_read(tmp_path, checkpoint, photographs, capsys):
    ours = ("--ckpt", checkpoint, "--num_samples", 300)
    named = evaluated(tmp_path, *ours, *a_folder_module(photographs, image_size=16, channels=1))
    assert "read with" not in capsys.readouterr().err
    assert evaluated(tmp_path, *ours, *a_folder_module(photographs)) == named
    said = capsys.readouterr().err
    assert "is read with --data.image_size 16 --data.channels 1, since the checkpoint makes them so" in said
    assert f"300 samples of {checkpoint}, 16 x 16 grey, are compared with 80 real images of the split train" in said
    assert evaluated(tmp_path, *ours, "--reference", photographs) == pytest.approx(named, rel=1e-9)
    # The samples themselves, written out, against a data module whose default is 64 pixels in colour.
    samples = write_folder(tmp_path / "samples", list(to_uint8(load(checkpoint).sample(300))))
    assert evaluated(tmp_path, "--samples", samples, *a_folder_module(photographs, channels=1)) == named
    assert "--data.image_size 16, since those in" in capsys.readouterr().err


def test_a_size_that_the_user_names_counts_and_a_difference_is_said(tmp_path, checkpoint, photographs, capsys):
    sentence = "the samples are 16 x 16 grey and the real images 8 x 8 RGB: the numbers measure that difference"
    data = a_folder_module(photographs, image_size=8, channels=3)
    with pytest.raises(SystemExit):  # the pixels of such images cannot be compared; Inception's features can
        evaluated(tmp_path, "--ckpt", checkpoint, "--num_samples", 30, *data)
    assert sentence in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore:Images of", "ignore:FID from")
def test_folders_of_other_sizes_are_compared_at_the_one_that_is_named(tmp_path, photographs, capsys):
    small_ones = write_folder(tmp_path / "small", list(images(40, 3, side=6)))
    assert "have different sizes: 0000.png has 20 x 20" in refused(
        capsys, "--samples", photographs, "--reference", photographs
    )
    assert "such as --image_size 6" in refused(capsys, "--samples", small_ones, "--reference", photographs)
    assert evaluated(tmp_path, "--samples", small_ones, "--reference", photographs, "--image_size", 4) > 0.01
    few = ("--num_samples", 60, "--num_real", 10, "--image_size", 4)
    evaluated(tmp_path, "--samples", small_ones, "--reference", photographs, *few)
    said = capsys.readouterr().err
    assert "40, all that there are of the 60 asked for, samples of" in said
    assert "compared with 10 real images" in said


@pytest.mark.filterwarnings("ignore:FID from")
def test_a_split_that_another_stands_in_for_is_named(tmp_path, capsys):
    folder = write_folder(tmp_path / "a", list(images(40, 1, side=4)))
    data = a_folder_module(folder, val_size=20)
    evaluated(tmp_path, "--samples", folder, *data, "--split", "test")
    said = capsys.readouterr().err
    assert "20 real images of the split val (test is empty)" in said


def test_pictures_with_and_without_an_alpha_channel_are_the_same(tmp_path):
    shown = [image.permute(1, 2, 0).numpy() for image in images(200, 1, side=3)]
    clear = [np.where(image[:, :, :1] > 128, 255, 0).astype(np.uint8) for image in shown]
    for name in ("with", "without"):
        (tmp_path / name).mkdir()
    for i, (image, alpha) in enumerate(zip(shown, clear, strict=True)):
        Image.fromarray(np.dstack([image, alpha])).save(tmp_path / "with" / f"{i}.png")
        Image.fromarray(np.where(alpha > 0, image, 255).astype(np.uint8)).save(tmp_path / "without" / f"{i}.png")
    assert evaluated(tmp_path, "--samples", tmp_path / "with", "--reference", tmp_path / "without") < 1e-6


def test_a_folder_differs_from_itself_in_no_way_of_reading_it(tmp_path, capsys):
    folder = write_folder(tmp_path / "a", list(images(100, 1, side=4)))
    deep = images(20, 2, side=4, channels=1).numpy().astype(np.uint16) * 257
    for i, image in enumerate(deep):
        Image.fromarray(image[0]).save(folder / f"deep_{i}.tif")
    clear = images(20, 3, side=4, channels=4).permute(0, 2, 3, 1).numpy()
    for i, image in enumerate(clear):
        Image.fromarray(image).save(folder / f"clear_{i}.webp", lossless=True, exact=True)
    pytest.importorskip("litdata")
    shards = tmp_path / "shards"
    made = ["--input", folder, "--out", shards, "--image_size", 4, "--val_size", 0, "--num_workers", 0]
    assert main(["shards", *map(str, made)]) == 0
    cached = a_folder_module(folder, cache=tmp_path / "images")
    ways = [("--reference", folder), a_folder_module(folder), cached, cached]
    ways += [a_folder_module(folder, in_memory="false", num_workers=workers) for workers in (0, 2)]
    ways.append(["--data", "ShardsDataModule", "--data.folder", str(shards), "--data.num_workers", "0"])
    for way in ways:
        assert evaluated(tmp_path, "--samples", folder, *way) < 1e-5
    assert "140 real images" in capsys.readouterr().err


def test_a_set_that_was_cut_off_is_not_taken_for_a_whole_one(tmp_path, capsys):
    whole = write_folder(tmp_path / "whole", list(images(40, 1, side=3)))
    part = tmp_path / "part"
    part.mkdir()
    begin_set(part, "generate", 50, {})
    (part / "deeper").mkdir()
    for image in write_folder(tmp_path / "made", list(images(12, 2, side=3))).iterdir():
        image.rename(part / "deeper" / image.name)
    for place in (part, part / "deeper", tmp_path):
        for options in (("--samples", place, "--reference", whole), ("--samples", whole, "--reference", place)):
            if place != tmp_path or "--samples" in options:
                said = refused(capsys, *options)
                assert f"{part} is not complete: generate, which writes 50 images" in said.replace("deeper/..", "")
    assert "12 are in" in refused(capsys, "--samples", part, "--reference", whole)
    (part / ".incomplete.json").unlink()
    assert evaluated(tmp_path, "--samples", part, "--reference", whole) > 0


def test_images_that_are_none_are_named(tmp_path, capsys):
    whole = write_folder(tmp_path / "whole", list(images(40, 1, side=3)))
    for name, content, why in (("9.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),):
        (whole / name).write_bytes(content)
        said = refused(capsys, "--samples", whole, "--reference", whole)
        assert f"{whole / name} cannot be read as an image: {why}" in said
    Image.new("1", (9_500, 9_500)).save(whole / "9.png")
    assert "9.png cannot be read as an image: 9500 x 9500 pixels, more than 89 million" in refused(
        capsys, "--samples", whole, "--reference", whole
    )


@pytest.mark.filterwarnings("ignore:FID from")
def test_a_device_that_is_not_there_is_refused_for_folders_too(tmp_path, capsys, monkeypatch):
    folder = write_folder(tmp_path / "a", list(images(40, 1, side=3)))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "torch finds no GPU" in refused(capsys, "--samples", folder, "--reference", folder, "--device", "cuda")
