"""``gan-lightning evaluate``."""

import json
from pathlib import Path

import pytest
import torch

from datamodules import DigitsDataModule
from gan_lightning.cli import main
from gan_lightning.inference.checkpoint import load
from gan_lightning.metrics import frechet_distance, moments
from gan_lightning.variants import DCGAN
from gan_lightning.visualization.images import to_uint8
from tests.helpers.games import play, run_directory, small
from tests.metrics.tools import images, write_folder


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def fid_of(samples: torch.Tensor, real: torch.Tensor) -> float:
    return frechet_distance(*moments(samples.flatten(1) / 255), *moments(real.flatten(1) / 255))


def test_two_folders(tmp_path, capsys):
    sets = [images(100, seed, side=3) for seed in (1, 2)]
    samples, real = (str(write_folder(tmp_path / str(number), list(shown))) for number, shown in enumerate(sets))
    file = tmp_path / "new" / "scores.json"
    names = ["fid", "kid", "precision", "recall"]
    options = ["--metrics", *names, "--extractor", "pixels", "--json", str(file)]
    assert main(["evaluate", "--samples", samples, "--reference", real, *options]) == 0
    scores = json.loads(file.read_text())
    reported_name = [f"{name}_pixels" for name in names]
    assert list(scores) == reported_name
    assert scores["fid_pixels"] == pytest.approx(fid_of(*sets), rel=1e-6)
    printed, progress = capsys.readouterr()
    assert [line.split()[0] for line in printed.splitlines()] == reported_name
    assert "Samples" in progress
    assert "100%" in progress


def test_a_checkpoint_against_a_data_module(tmp_path):
    play(small(DCGAN), 2, tmp_path)
    checkpoint = run_directory(tmp_path) / "checkpoints" / "last.ckpt"
    file = tmp_path / "scores.json"
    data = ["--data", "DigitsDataModule", "--data.image_size", "16", "--split", "test"]
    extra = ["--extractor", "pixels", "--num_samples", "300", "--json", str(file)]
    assert main(["evaluate", "--ckpt", str(checkpoint), *data, *extra]) == 0
    digits = DigitsDataModule(image_size=16)
    test = digits.splits.test
    [real] = test.image_batches([torch.arange(len(test))])
    expected = fid_of(to_uint8(load(checkpoint).sample(300)), real)
    assert json.loads(file.read_text()) == {"fid_pixels": pytest.approx(expected, rel=1e-6)}

    # Its samples, written out, are the same grey images.
    write_folder(tmp_path / "samples", list(to_uint8(load(checkpoint).sample(300))))
    assert main(["evaluate", "--samples", str(tmp_path / "samples"), *data, *extra]) == 0
    assert json.loads(file.read_text()) == {"fid_pixels": pytest.approx(expected, rel=1e-6)}


def test_pixels_of_images_that_are_too_large_are_refused_before_any_is_looked_at(tmp_path, capsys):
    """64 x 64 in colour: 12,288 features, and covariances of 1.2 GB."""
    folder = str(write_folder(tmp_path / "images", images(8, 1, side=64)))
    files = ["evaluate", "--samples", folder, "--reference", folder, "--extractor", "pixels", "--json"]
    with pytest.raises(SystemExit, match="2"):
        main([*files, str(tmp_path / "fid.json")])
    said = capsys.readouterr().err
    assert "FID of 12288 features takes covariances of 12288 x 12288 numbers, 1.2 GB each" in said
    assert "Real images" not in said
    # What takes no covariance is measured.
    names = ["kid", "precision", "recall"]
    assert main([*files, str(tmp_path / "kid.json"), "--metrics", *names]) == 0
    scores = json.loads((tmp_path / "kid.json").read_text())
    assert list(scores) == [f"{name}_pixels" for name in names]
    assert scores["precision_pixels"] == 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--samples", "{a}"], "either --data or --reference"),
        (["--samples", "{a}", "--reference", "{b}", "--data", "DigitsDataModule"], "either --data or --reference"),
        (["--samples", "{a}", "--reference", "nowhere", "--extractor", "pixels"], "no images"),
        (["--samples", "{a}", "--reference", "{b}", "--weights_path", "nowhere"], "weights_path names nowhere"),
        (["--samples", "{a}", "--reference", "{b}", "--metrics", "fud"], "no metric 'fud'"),
        (
            ["--samples", "{a}", "--reference", "{b}", "--metrics", "fid", "recall", "--weights_path", "{a}/0000.png"],
            "take two extractors, inception and vgg16: name the file of each, inception=FILE vgg16=FILE",
        ),
        (["--samples", "{a}", "--reference", "{b}", "--weights_path", "inception=nowhere"], "weights_path names nowh"),
        (
            ["--samples", "{a}", "--reference", "{b}", "--weights_path", "x", "y"],
            "--weights_path x y: give one file, or",
        ),
        (
            ["--samples", "{a}", "--reference", "{b}", "--extractor", "pixels"],
            "3 x 3 RGB and the real images 4 x 4 RGB: name the size",
        ),
        (["--samples", "{a}", "--reference", "{b}", "--split", "val"], "--split is of the images of --data"),
        (["--samples", "{a}", "--reference", "{b}", "--seed", "1"], "--seed chooses the samples of --ckpt"),
        (["--samples", "{a}", "--reference", "{b}", "--fast"], "no option --fast"),
        (["--samples", "{a}", "--data", "DigitsDataModule", "--n_samples", "9"], "there is no option --n_samples"),
        (["--samples", "{a}", "--data", "DigitsDataModule", "--data.rot", "9"], "has no option rot"),
        (["--ckpt", "nowhere", "--reference", "{b}"], "no checkpoint nowhere"),
    ],
)
def test_mistakes_are_told_in_a_sentence(tmp_path, capsys, options, sentence):
    folders = {
        name: write_folder(tmp_path / name, list(images(40, 1, side=side))) for name, side in [("a", 3), ("b", 4)]
    }
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", *(option.format(**folders) for option in options)])
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err.splitlines()[-1]
