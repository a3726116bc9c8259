"""Pictures of points: that a dot is where its point is, and when they are drawn."""

import math
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from gan_lightning import inference
from gan_lightning.callbacks import InterpolationStrip, SampleGrid, ScatterPlot
from gan_lightning.cli import main
from gan_lightning.networks import PointDiscriminator
from gan_lightning.variants import DCGAN
from gan_lightning.visualization.scatter_plot import Window, plot_scatter
from tests.callbacks.test_coverage import game, play
from tests.helpers.command_line import refused
from tests.helpers.games import assert_same_bits, small
from tests.helpers.games import play as play_digits

SQUARE = Window((1.0, 2.0), 2.0)
WHITE = [255, 255, 255]


def spots(picture: Tensor, bluer: bool) -> Tensor:
    """Where a picture is blue rather than orange, or the other way round."""
    red, _, blue = picture.int()
    return (blue - red > 60) if bluer else (red - blue > 60)


def test_a_dot_is_where_its_point_is() -> None:
    """The window goes from -1 to 3 and from 0 to 4: a quarter of the way is 128 pixels, and y grows upwards."""
    picture = plot_scatter(torch.tensor([[0.0, 3.0]]), SQUARE, real=torch.tensor([[2.0, 0.5]]))
    assert (picture.shape, picture.dtype) == ((3, 512, 512), torch.uint8)
    for bluer, row, column in [(True, 128, 128), (False, 448, 384)]:
        places = spots(picture, bluer).nonzero().double()
        assert 10 < len(places) < 40
        assert (places.mean(dim=0) + 0.5).tolist() == pytest.approx([row, column], abs=0.6)
    assert picture[:, 300, 300].tolist() == WHITE


def test_what_is_outside_lies_on_the_edge_and_what_is_no_number_nowhere() -> None:
    picture = plot_scatter(torch.tensor([[100.0, 2.0], [math.nan, 2.0], [1.0, math.inf]]), SQUARE)
    places = spots(picture, bluer=True).nonzero()
    assert places[:, 1].min() > 507
    assert places[:, 0].float().mean() == pytest.approx(255.5, abs=1)


def test_shades_tell_the_verdict() -> None:
    """Twelve bands, darkest where it says fake: below, if the verdict is y."""
    cells = SQUARE.cells()
    assert cells[0].tolist() == pytest.approx([-1 + 2 / 128, 4 - 2 / 128])
    assert cells[-1].tolist() == pytest.approx([3 - 2 / 128, 0 + 2 / 128])
    column = plot_scatter(torch.empty(0, 2), SQUARE, outputs=cells[:, 1])[:, :, 256].int()
    assert column[:, 0].tolist() == WHITE
    assert len(column.unique(dim=1).T) >= 12
    assert (column.diff() <= 0).all()
    assert column[:, -1].max() < 180
    nothing = plot_scatter(torch.empty(0, 2), SQUARE, outputs=cells[:, 1] * math.nan)
    assert (nothing == 255).all()


def test_a_window_has_room_for_its_points() -> None:
    window = Window.around(torch.tensor([[0.0, 0.0], [2.0, 8.0], [math.nan, 99.0]]), margin=1.5)
    assert window == Window((1.0, 4.0), 6.0)
    assert Window.around(torch.empty(0, 2)) == Window((0.0, 0.0), 1.0)
    assert Window.around(torch.ones(3, 2)).half > 0


def drawn(folder: Path) -> dict[str, np.ndarray]:
    found = sorted((folder / "run" / "version_0" / "samples").iterdir())
    return {path.name: np.asarray(Image.open(path)) for path in found}


def test_pictures_of_a_run(tmp_path: Path) -> None:
    model, _ = play(tmp_path, 3, ScatterPlot(every_n_steps=2, n=50))
    pictures = drawn(tmp_path)
    assert list(pictures) == ["step_00000000.png", "step_00000002.png", "step_00000003.png"]
    last = torch.from_numpy(pictures["step_00000003.png"].copy()).permute(2, 0, 1)
    samples = model.sample(50).flatten(1)
    real = next(iter(model.trainer.datamodule.val_dataloader())).flatten(1)  # type: ignore[attr-defined]
    window = Window.around(real)
    with torch.no_grad():
        verdicts = model.discriminator(window.cells()[..., None, None])
    assert torch.equal(last[:, 1:-1, 1:-1], plot_scatter(samples, window, real, verdicts))
    assert not np.array_equal(*[pictures[f"step_0000000{step}.png"] for step in (0, 3)])


def test_training_does_not_notice(tmp_path: Path) -> None:
    states = []
    for callbacks in ([ScatterPlot(1, n=5)], []):
        model, _ = play(tmp_path, 4, *callbacks)
        states.append((model.state_dict(), torch.get_rng_state()))
    assert_same_bits(*states)


class Pairs(PointDiscriminator):
    """Judges two points together, and will not judge an odd number of them."""

    def forward(self, image: Tensor) -> Tensor:
        return super().forward(image)[::2]


class WithClass(PointDiscriminator):
    def forward(self, image: Tensor) -> Any:
        return super().forward(image), image


class Told(PointDiscriminator):
    def forward(self, image: Tensor, label: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(image)


@pytest.mark.parametrize("kind", [Pairs, WithClass, Told])
def test_a_discriminator_that_cannot_be_asked_is_left_out(kind: type[nn.Module]) -> None:
    plot = ScatterPlot()
    model = game()
    model.discriminator = kind(model.image_shape)
    with pytest.warns(UserWarning, match=f"{kind.__name__} does not give one number to one point"):
        assert plot._discriminator_outputs(model, torch.zeros(16, 2)) is None
    assert not plot.contours  # told once


def test_who_draws_what(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="DCGAN makes images and no points: ScatterPlot makes no picture"):
        play_digits(small(DCGAN), 1, tmp_path, callbacks=[ScatterPlot()])
    for callback in (SampleGrid(), InterpolationStrip()):
        with pytest.warns(UserWarning, match="GAN makes points, which ScatterPlot plots: .* makes no picture"):
            play(tmp_path, 1, callback)
    with pytest.raises(ValueError, match="n is 0"):
        ScatterPlot(n=0)


TOY = ["--model", "GAN", "--model.generator", "PointGenerator", "--model.discriminator", "PointDiscriminator"]
SHORT = ["--model.latent_dim", "4", "--data", "ToyDataModule", "--data.val_size", "20", "--trainer.accelerator", "cpu"]


def test_the_command_line_draws_points_and_writes_them(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    recwarn: pytest.WarningsRecorder,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["fit", *TOY, *SHORT, "--trainer.max_steps", "2", "--trainer.limit_val_batches", "0"]) == 0
    assert not any("makes no picture" in str(warning.message) for warning in recwarn)
    run = Path("runs/gan_toy/version_0")
    assert {path.name for path in run.iterdir() if path.is_dir()} == {"checkpoints", "samples"}
    assert (run / "samples.gif").exists()
    checkpoint = run / "checkpoints" / "last.ckpt"
    generate = ["generate", "--ckpt", str(checkpoint), "--device", "cpu"]
    assert main([*generate, "--out", "out", "--n", "70", "--seed", "3"]) == 0
    assert {path.name for path in Path("out").iterdir()} == {"points.csv", "scatter.png"}
    assert Path("out/points.csv").read_text().splitlines()[0] == "x,y"
    written = torch.from_numpy(np.loadtxt("out/points.csv", np.float32, delimiter=",", skiprows=1))
    model = inference.load(checkpoint)
    torch.testing.assert_close(written, model.sample(70, seed=3).flatten(1), rtol=1e-5, atol=1e-6)
    assert main([*generate, "--out", "way", "--interpolate", "0", "1", "--frames", "5"]) == 0
    assert len(Path("way/points.csv").read_text().splitlines()) == 6
    for flag in (["--grid"], ["--interpolate", "0", "1", "--video"]):
        assert "makes points, which all go into scatter.png" in refused(capsys, *generate, "--out", "no", *flag)
    assert "makes points" in refused(capsys, "predict", *TOY, *SHORT, "--ckpt_path", str(checkpoint))


def test_val_modes_may_be_watched() -> None:
    """The command line knows that ModeCoverage logs under val/."""
    from gan_lightning.callbacks import ModeCoverage
    from gan_lightning.commands.trainer_options import check_monitors

    keeper = pl.callbacks.ModelCheckpoint(monitor="val/modes", mode="max")
    check_monitors(game(), [ModeCoverage(), keeper])
    with pytest.raises(ValueError, match="GenerativeMetrics or ModeCoverage"):
        check_monitors(game(), [keeper])
