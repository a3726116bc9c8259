"""``--truncation`` and ``--standing_statistics`` of generate and evaluate, and the sweep's table, file and picture."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules import DigitsDataModule
from gan_lightning import inference
from gan_lightning.cli import main
from gan_lightning.metrics import frechet_distance, moments
from gan_lightning.metrics.evaluator import Evaluator
from gan_lightning.variants import DCGAN, GAN, CycleGAN
from gan_lightning.visualization.curves import Curve, plot_curves
from gan_lightning.visualization.images import to_uint8
from tests.helpers.command_line import refused
from tests.helpers.games import save_checkpoint, small, vivid


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return save_checkpoint(vivid(DCGAN), tmp_path / "dcgan.ckpt")


def generated(checkpoint: Path, out: Path, *arguments: str) -> np.ndarray:
    asked = ["generate", "--ckpt", str(checkpoint), "--out", str(out), "--device", "cpu", "--n", "5", "--seed", "3"]
    assert main([*asked, *arguments]) == 0
    return np.stack([np.asarray(Image.open(file)) for file in sorted(out.glob("0*.png"))]).astype(int)


def test_generate(checkpoint: Path, tmp_path: Path) -> None:
    written = generated(checkpoint, tmp_path / "out", "--truncation", "0.3", "--batch_size", "2")
    model: Any = inference.load(checkpoint)
    np.testing.assert_allclose(written, to_uint8(model.sample(5, seed=3, truncation=0.3))[:, 0].numpy(), atol=1)
    assert np.abs(written - to_uint8(model.sample(5, seed=3))[:, 0].numpy()).max() > 10

    written = generated(checkpoint, tmp_path / "more", "--truncation", "0.3", "--standing_statistics", "4")
    inference.set_standing_statistics(model, 4, seed=3, truncation=0.3)
    np.testing.assert_allclose(written, to_uint8(model.sample(5, seed=3, truncation=0.3))[:, 0].numpy(), atol=1)
    main(
        [
            "generate",
            "--ckpt",
            str(checkpoint),
            "--out",
            str(tmp_path / "way"),
            "--interpolate",
            "0",
            "1",
            "--truncation",
            "2",
        ]
    )
    assert (tmp_path / "way" / "interpolation.png").exists()


def test_a_sweep(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    described = []
    describe = Evaluator.describe
    monkeypatch.setattr(Evaluator, "describe", lambda *given, **named: described.append(1) or describe(*given, **named))
    data = ["--data", "DigitsDataModule", "--data.image_size", "16", "--split", "test", "--extractor", "pixels"]
    files = ["--json", str(tmp_path / "sweep.json"), "--plot", str(tmp_path / "new" / "sweep.png")]
    asked = ["--metrics", "fid", "precision", "recall", "--num_samples", "300", "--truncation", "0.5,1", "none"]
    assert main(["evaluate", "--ckpt", str(checkpoint), *data, *files, *asked]) == 0
    # The real images are described once, whatever the number of truncations.
    assert len(described) == 1

    rows = json.loads((tmp_path / "sweep.json").read_text())
    assert [row["truncation"] for row in rows] == [0.5, 1, None]
    model: Any = inference.load(checkpoint)
    test = DigitsDataModule(image_size=16).splits.test
    [real] = test.image_batches([torch.arange(len(test))])
    for row in rows:
        samples = to_uint8(model.sample(300, truncation=row["truncation"]))
        expected = frechet_distance(*moments(samples.flatten(1) / 255), *moments(real.flatten(1) / 255))
        assert row["fid_pixels"] == pytest.approx(expected, rel=1e-4)
    assert len({row["fid_pixels"] for row in rows}) == 3

    header, *table = capsys.readouterr().out.splitlines()
    assert header.split() == ["truncation", "fid_pixels", "precision_pixels", "recall_pixels"]
    assert [line.split()[0] for line in table] == ["0.5", "1", "none"]
    for line, row in zip(table, rows, strict=True):
        assert float(line.split()[1]) == pytest.approx(row["fid_pixels"], rel=1e-5)
    with Image.open(tmp_path / "new" / "sweep.png") as picture:
        assert picture.size == (800, 400)


def test_one_truncation_is_reported_as_ever(checkpoint: Path, tmp_path: Path) -> None:
    data = ["--data", "DigitsDataModule", "--data.image_size", "16", "--split", "test", "--extractor", "pixels"]
    found = []
    for number, extra in enumerate([["--truncation", "0.5"], ["--truncation", "0.5", "--standing_statistics"], []]):
        file = tmp_path / f"{number}.json"
        assert (
            main(["evaluate", "--ckpt", str(checkpoint), *data, "--num_samples", "300", "--json", str(file), *extra])
            == 0
        )
        found.append(json.loads(file.read_text())["fid_pixels"])
    assert len(set(found)) == 3


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--samples", "x", "--truncation", "1"], "--truncation changes how samples are made: it goes with --ckpt"),
        (["--samples", "x", "--standing_statistics"], "--standing_statistics changes how samples are made"),
        (["--ckpt", "CKPT", "--truncation", "1", "--plot", "a.png"], "--plot shows the metrics at several truncations"),
        (["--ckpt", "CKPT", "--truncation", "0.5,x"], "'0.5,x': give numbers greater than 0, or none"),
        (["--ckpt", "CKPT", "--truncation", "0"], "truncation is 0: it must be a number greater than 0"),
        (["--ckpt", "CKPT", "--standing_statistics", "0"], "0 is less than 1"),
    ],
)
def test_evaluate_refuses(
    checkpoint: Path, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(checkpoint) if text == "CKPT" else text for text in arguments]
    said = refused(capsys, "evaluate", *given, "--data", "DigitsDataModule", "--extractor", "pixels")
    assert sentence in said
    assert "Real images" not in said  # none has been read


def test_generate_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gan = save_checkpoint(small(GAN), tmp_path / "gan.ckpt")
    out = ["--out", str(tmp_path / "out")]
    assert "'x' is no number" in refused(capsys, "generate", "--ckpt", str(gan), *out, "--truncation", "x")
    assert "must be a number greater than 0" in refused(
        capsys, "generate", "--ckpt", str(gan), *out, "--truncation", "-1"
    )
    assert "has no BatchNorm" in refused(capsys, "generate", "--ckpt", str(gan), *out, "--standing_statistics")
    assert not (tmp_path / "out").exists()
    with pytest.raises(ValueError, match="CycleGAN makes no samples of latents, so they cannot be truncated"):
        inference.check_truncation(small(CycleGAN), 0.5)


def test_a_curve_is_plotted_where_its_points_are() -> None:
    """A rising line runs from the bottom left to the top right; a point that is not a number is left out."""
    points = [(0.0, 1.0), (1.0, 2.0), (float("nan"), 3.0)]
    picture = plot_curves([Curve("x", "y", points, ["a", "b", "c"])])
    assert picture.shape == (3, 400, 400)
    blue = (picture == torch.tensor([31, 78, 158])[:, None, None]).all(0).nonzero()
    (top, bottom), (left, right) = (blue[:, axis].aminmax() for axis in (0, 1))
    on_left, on_right = blue[blue[:, 1] == left], blue[blue[:, 1] == right]
    assert on_left[:, 0].max() > bottom - 8
    assert on_right[:, 0].min() < top + 8
    assert right - left > 200
    assert bottom - top > 200
    assert plot_curves([Curve("x", "y", [(float("inf"), 1.0)], ["a"])] * 2).shape == (3, 400, 800)
    plot_curves([Curve("x", "y", [(1.0, 1.0)], ["alone"])])
