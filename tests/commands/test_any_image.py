"""Images that are not square, of any channels and bits, from the files of a user to the files that she is given."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.io import ImageReadMode, read_image

from gan_lightning.cli import main
from gan_lightning.inference import load
from tests.helpers.command_line import refused

SMALL = {"generator.width": 2, "discriminator.width": 2}


def fit(folder: Path, model: str, data: str, settings: dict[str, object], **networks: object) -> Path:
    """Train for two steps; the run's directory."""
    arguments = {
        "data.batch_size": 4,
        "data.num_workers": 0,
        **{f"data.{name}": value for name, value in settings.items()},
        **{f"model.{name}": value for name, value in {**SMALL, **networks}.items()},
        "trainer.max_steps": 2,
        "trainer.accelerator": "cpu",
        "trainer.enable_progress_bar": False,
        "trainer.log_every_n_steps": 1,
        "trainer.default_root_dir": folder / "runs",
    }
    given = [text for name, value in arguments.items() for text in (f"--{name}", str(value))]
    assert main(["fit", "--model", model, "--data", data, *given]) == 0
    (last,) = (folder / "runs").rglob("last.ckpt")
    return last.parents[1]


def images(folder: Path, depth: int, kind: str, count: int = 12) -> Path:
    """Disks of several sizes: arrays, or PNG files with transparency."""
    folder.mkdir(parents=True)
    y, x = np.mgrid[:24, :40]
    for i in range(count):
        disk = ((y - 12) ** 2 + (x - 20) ** 2 < (2 + i) ** 2).astype(np.float32)
        if kind == "npy":
            np.save(folder / f"{i:02d}.npy", np.stack([disk * (c + 1) / depth for c in range(depth)], 2))
        else:
            Image.fromarray(np.dstack([disk * 200, disk * 90, disk * 20, disk * 255]).astype(np.uint8)).save(
                folder / f"{i:02d}.png"
            )
    return folder


def test_arrays_of_16_bits_from_training_to_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    folder = images(tmp_path / "arrays", 2, "npy")
    settings = {"root": folder, "image_size": "[16, 32]", "channels": 2, "bits": 16}
    run = fit(tmp_path, "DCGAN", "ImageFolderDataModule", settings)
    ckpt = str(run / "checkpoints" / "last.ckpt")
    # Both channels of a sample side by side, 8 x 8 samples.
    with Image.open(run / "samples" / "step_00000002.png") as picture:
        assert picture.mode == "L"
        # 16 cells of 32 pixels and their gaps in a row, 8 of 16 in a column
        assert picture.width * (8 * 17 + 1) == picture.height * (16 * 33 + 1)
    out = tmp_path / "samples"
    assert main(["generate", "--ckpt", ckpt, "--n", "3", "--bits", "16", "--out", str(out), "--device", "cpu"]) == 0
    arrays = [np.load(file) for file in sorted(out.iterdir())]
    assert [(array.dtype, array.shape) for array in arrays] == [(np.uint16, (16, 32, 2))] * 3
    expected = (load(ckpt).sample(3).permute(0, 2, 3, 1).double() + 1) * 32767.5
    assert np.abs(np.stack(arrays) - expected.numpy()).max() <= 1  # up to float32's rounding
    grid = ["generate", "--ckpt", ckpt, "--n", "4", "--grid", "--out", str(tmp_path / "grid"), "--device", "cpu"]
    assert main(grid) == 0
    with Image.open(tmp_path / "grid" / "grid.png") as picture:
        assert (picture.mode, picture.height) == ("L", 2 * 17 + 1)
    way = ["--interpolate", "0", "1", "--frames", "3", "--video", "--out", str(tmp_path / "way"), "--device", "cpu"]
    assert main(["generate", "--ckpt", ckpt, *way]) == 0
    with Image.open(tmp_path / "way" / "interpolation.png") as picture:
        # The channels of a frame are one below the other.
        assert picture.size == (3 * 33 + 1, 2 * 16 + 2)
    scores = tmp_path / "scores.json"
    compared = ["--samples", str(out), "--reference", str(folder), "--image_size", "16", "32", "--json", str(scores)]
    assert main(["evaluate", *compared, "--extractor", "pixels", "--metrics", "kid", "--kid_subset_size", "3"]) == 0
    assert json.loads(scores.read_text()).keys() == {"kid_pixels"}
    assert "32 x 16 of 2 channels, are compared with 12 real images" in capsys.readouterr().err
    png = refused(capsys, "generate", "--ckpt", ckpt, "--format", "png", "--out", str(tmp_path / "other"))
    assert "--format png: a PNG has 1, 3 or 4 channels, and the samples have 2: give npy." in png
    both = refused(capsys, "generate", "--ckpt", ckpt, "--bits", "16", "--grid", "--out", str(tmp_path / "other"))
    assert "--format and --bits are of a file for each sample: leave out --grid, --interpolate, --mix" in both


def test_transparency_from_arrays_to_a_png(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    images(tmp_path / "pairs" / "trainA", 5, "npy")
    images(tmp_path / "pairs" / "trainB", 4, "png")
    settings = {"root": tmp_path / "pairs", "image_size": "[32, 48]", "channels": 4, "condition_channels": 5}
    run = fit(tmp_path, "Pix2Pix", "PairedImageDataModule", settings)
    with Image.open(run / "translations" / "step_00000002.png") as picture:
        assert picture.mode == "RGB"  # five cells of the condition, one of what is made, one of the truth
        assert picture.width % (7 * 49 + 1) == 0
    ckpt = str(run / "checkpoints" / "last.ckpt")
    # Multiples of 2^4, which these networks take.
    given = tmp_path / "given"
    given.mkdir()
    np.save(given / "a.npy", np.random.default_rng(0).integers(0, 256, (32, 64, 5), np.uint8))
    for bits in ("8", "16"):
        out = tmp_path / bits
        options = ["--input", str(given), "--out", str(out), "--bits", bits, "--device", "cpu"]
        assert main(["translate", "--ckpt", ckpt, *options]) == 0
        image = read_image(str(out / "a.png"), ImageReadMode.UNCHANGED)
        assert (image.dtype, tuple(image.shape)) == (torch.uint8 if bits == "8" else torch.uint16, (4, 32, 64))


def test_inception_wants_rgb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    """The sentence of a network that has learnt from RGB, before any image is made."""
    monkeypatch.chdir(tmp_path)
    folder = images(tmp_path / "emoji", 4, "png")
    settings = {"root": folder, "image_size": 16, "channels": 4}
    run = fit(tmp_path, "DCGAN", "ImageFolderDataModule", settings)

    class Network(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return (images.flatten(1).float(),)

    monkeypatch.setattr("gan_lightning.metrics.features._with_weights", lambda *_: Network())
    data = ["--data", "ImageFolderDataModule", "--data.root", str(folder)]
    told = refused(capsys, "evaluate", "--ckpt", str(run / "checkpoints" / "last.ckpt"), *data)
    assert told.splitlines()[-1].endswith(
        "cannot look at images of 4 x 16 x 16 (channels, height, width): inception-v3-compat has learnt from RGB, and "
        "an image has 4 channels: choose another extractor, classifier where the data has labels, or pixels, or leave "
        "these metrics out."
    )


def test_shards_of_any_image(tmp_path: Path) -> None:
    pytest.importorskip("litdata")
    folder, out = images(tmp_path / "arrays", 5, "npy"), tmp_path / "shards"
    size = ["--image_size", "16", "24", "--channels", "5", "--bits", "16", "--num_workers", "0"]
    assert main(["shards", "--input", str(folder), "--out", str(out), *size]) == 0
    index = json.loads((out / "shards.json").read_text())
    assert (index["image_shape"], index["bits"]) == ([5, 16, 24], 16)
