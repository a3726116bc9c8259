"""``gan-lightning generate`` with codes, and on the way from one sample to another."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from gan_lightning import inference
from gan_lightning.cli import main
from gan_lightning.commands import from_checkpoint
from gan_lightning.commands.code_options import parse_codes
from gan_lightning.commands.from_checkpoint import load_sampler
from gan_lightning.games.base import AdversarialModule
from gan_lightning.networks.stylegan2 import ModulatedConv2d
from gan_lightning.variants import DCGAN, CoGAN, ConditionalGAN, InfoGAN, StyleGAN2
from gan_lightning.visualization.images import enlarge, grid, to_uint8
from tests.helpers.command_line import refused
from tests.helpers.games import save_checkpoint, vivid


def saved(variant: type[AdversarialModule], folder: Path) -> Path:
    """The checkpoint of a small game that was never trained."""
    return save_checkpoint(vivid(variant), folder / f"{variant.__name__}.ckpt")


def generate(checkpoint: Path, out: Path, *arguments: object) -> list[str]:
    """The names of the files that are written."""
    assert (
        main(["generate", "--ckpt", str(checkpoint), "--out", str(out), "--device", "cpu", *map(str, arguments)]) == 0
    )
    return sorted(file.name for file in out.iterdir())


def pixels(file: Path) -> np.ndarray:
    with Image.open(file) as image:
        return np.asarray(image)


def strip(images: torch.Tensor) -> np.ndarray:
    return grid(to_uint8(images), columns=len(images))[0].numpy()


class TestCodes:
    def test_values_in_turn_and_a_range_over_all_samples(self, tmp_path: Path) -> None:
        checkpoint = saved(InfoGAN, tmp_path)
        given = ["--codes", "category=3,7", "continuous0=-2:2", "--n", 5, "--batch_size", 2, "--seed", 4]
        names = generate(checkpoint, tmp_path / "out", *given)
        model = inference.load(checkpoint)
        images = model.sample(5, seed=4, codes={"category": [3, 7], "continuous0": [-2, -1, 0, 1, 2]})
        expected = to_uint8(images)[:, 0].numpy()
        written = np.stack([pixels(tmp_path / "out" / name) for name in names]).astype(int)
        np.testing.assert_allclose(written, expected, atol=1)
        assert np.abs(written - to_uint8(model.sample(5, seed=4))[:, 0].numpy()).max() > 50

    def test_what_is_written(self) -> None:
        assert parse_codes([], 4) == {}
        codes = parse_codes(["category=3", "a=-1.5,2e-1", "b=1:0"], 3)
        assert codes == {"category": [3], "a": [-1.5, 0.2], "b": [1, 0.5, 0]}
        assert parse_codes(["a=-2:2"], 1) == {"a": [-2]}

    @pytest.mark.parametrize("text", ["3", "category", "a=", "a=x", "a=1,", "a=1:", "a=1:2:3", "a=inf", "a=0:nan"])
    def test_what_is_no_code(self, text: str) -> None:
        with pytest.raises(ValueError, match=f"^--codes: {text} gives no code a finite value: write category=3"):
            parse_codes([text], 4)

    def test_a_code_is_given_once(self) -> None:
        with pytest.raises(ValueError, match="category is given twice; several values in turn are category=0,1,2"):
            parse_codes(["category=1", "category=2"], 4)

    @pytest.mark.parametrize(
        ("variant", "code", "told"),
        [
            (InfoGAN, "digit=3", "There is no code 'digit': this InfoGAN has category, continuous0, continuous1."),
            (InfoGAN, "category=10", "There is no category 10"),
            (InfoGAN, "continuous0=1e39", "it must be a finite number"),
            (InfoGAN, "continuous0=inf", "continuous0=inf gives no code a finite value"),
            (DCGAN, "category=3", "DCGAN knows no codes, so its samples cannot be chosen by them."),
            (ConditionalGAN, "category=3", "ConditionalGAN knows no codes"),
        ],
    )
    def test_codes_that_there_are_not(
        self, variant: Any, code: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        checkpoint, out = saved(variant, tmp_path), tmp_path / "out"
        (line,) = refused(
            capsys, "generate", "--ckpt", str(checkpoint), "--out", str(out), "--codes", code
        ).splitlines()
        assert told in line
        assert not out.exists()


class TestDomains:
    def test_samples_and_ways_of_either_domain(self, tmp_path: Path) -> None:
        checkpoint = saved(CoGAN, tmp_path)
        model = inference.load(checkpoint)
        for domain, options in {"A": [], "B": ["--domain", "B"]}.items():
            out = tmp_path / domain
            generate(checkpoint, out / "grid", "--n", 4, "--grid", *options)
            expected = grid(to_uint8(model.sample(4, domain=domain)))[0].numpy()
            assert np.array_equal(pixels(out / "grid" / "grid.png"), expected)
            generate(checkpoint, out / "way", "--interpolate", 0, 1, "--frames", 2, *options)
            expected = strip(model.sample(2, domain=domain)).astype(int)
            assert np.abs(pixels(out / "way" / "interpolation.png") - expected).max() <= 1

    @pytest.mark.parametrize(
        ("variant", "told"),
        [
            (CoGAN, "CoGAN has no domain 'C': choose A or B."),
            (DCGAN, "DCGAN makes images of one domain, so its samples cannot be chosen by it."),
        ],
    )
    def test_domains_that_there_are_not(
        self, variant: Any, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        checkpoint, out = saved(variant, tmp_path), tmp_path / "out"
        assert told in refused(capsys, "generate", "--ckpt", str(checkpoint), "--out", str(out), "--domain", "C")
        assert not out.exists()


class TestInterpolate:
    @pytest.mark.parametrize("variant", [DCGAN, ConditionalGAN, InfoGAN])
    def test_the_way_begins_and_ends_with_the_samples(self, variant: Any) -> None:
        model = vivid(variant)
        batches = list(inference.interpolate(model, 5, 2, frames=5, seed=3, batch_size=2))
        assert [len(batch) for batch in batches] == [2, 2, 1]
        frames, samples = torch.cat(batches), model.sample(6, seed=3)
        torch.testing.assert_close(frames[[0, -1]], samples[[5, 2]], rtol=1e-4, atol=1e-5)
        assert all((one - next).abs().max() > 0.01 for one, next in pairwise(frames))

    def test_a_strip(self, tmp_path: Path) -> None:
        checkpoint = saved(DCGAN, tmp_path)
        out = tmp_path / "out"
        assert generate(checkpoint, out, "--interpolate", 5, 2, "--frames", 7, "--seed", 3) == ["interpolation.png"]
        expected = torch.cat([*inference.interpolate(inference.load(checkpoint), 5, 2, 7, seed=3)])
        assert np.array_equal(pixels(out / "interpolation.png"), strip(expected))

    @pytest.mark.parametrize("variant", [ConditionalGAN, InfoGAN])
    def test_a_way_through_several_samples(self, variant: Any) -> None:
        model = vivid(variant)
        chosen: Any = {"labels": [3, 8, 1]} if variant is ConditionalGAN else {"codes": {"category": [3, 8, 1]}}
        frames = torch.cat([*inference.traverse(model, [5, 2, 5], frames=4, seed=3, batch_size=2, **chosen)])
        legs = []
        for (name, values), ends in zip(list(chosen.items()) * 2, ((0, 1), (1, 2)), strict=True):
            part = {"category": [values["category"][i] for i in ends]} if name == "codes" else [values[i] for i in ends]
            way = [(5, 2), (2, 5)][ends[0]]
            legs.append(torch.cat([*inference.interpolate(model, *way, frames=4, seed=3, **{name: part})]))
        # The sample in the middle is one image, and not the last of one leg and the first of the next.
        torch.testing.assert_close(frames, torch.cat([legs[0], legs[1][1:]]), rtol=1e-4, atol=1e-5)

    def test_several_ways_are_rows_of_one_picture_and_one_video(self, tmp_path: Path) -> None:
        checkpoint, out = saved(DCGAN, tmp_path), tmp_path / "out"
        given = ["--interpolate", 5, 2, 0, "--interpolate", 1, 3, 1, "--frames", 3, "--video", "--scale", 2]
        generate(checkpoint, out, *given)
        model = inference.load(checkpoint)
        rows = [torch.cat([*inference.traverse(model, way, 3)]) for way in ([5, 2, 0], [1, 3, 1])]
        expected = enlarge(to_uint8(torch.cat(rows)), 2)
        picture = pixels(out / "interpolation.png")
        # The names of the rows are on its left.
        assert np.array_equal(picture[:, -(5 * 34 + 2) :], grid(expected, 5, 2)[0].numpy())
        assert picture.shape[1] > 5 * 34 + 2
        with Image.open(out / "interpolation.gif") as video:
            assert video.n_frames == 5
            video.seek(3)
            assert np.array_equal(np.asarray(video.convert("L")), expected[[3, 8], 0].flatten(0, 1).numpy())

    def test_a_folder_that_cannot_be_made(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "notes.txt").write_text("Dear diary")
        with pytest.raises(SystemExit, match="2"):
            generate(saved(DCGAN, tmp_path), tmp_path / "notes.txt" / "out", "--interpolate", 0, 1)
        assert "cannot be written into (Not a directory): give another --out." in capsys.readouterr().err

    def test_a_video(self, tmp_path: Path) -> None:
        checkpoint, out = saved(DCGAN, tmp_path), tmp_path / "out"
        given = ["--interpolate", 0, 1, "--frames", 4, "--video"]
        assert generate(checkpoint, out, *given) == ["interpolation.gif", "interpolation.png"]
        cells = pixels(out / "interpolation.png")[1:17, 1:].reshape(16, 4, 17)[:, :, :16]
        with Image.open(out / "interpolation.gif") as video:
            assert (video.n_frames, video.info["loop"]) == (4, 0)
            durations = []
            for i in range(4):
                video.seek(i)
                durations.append(video.info["duration"])
                assert np.array_equal(np.asarray(video.convert("L")), cells[:, i])
        assert durations == [500, 50, 50, 500]

    @pytest.mark.parametrize(
        ("variant", "options", "chosen"),
        [
            (ConditionalGAN, ["--labels", 3, 8], {"labels": [3, 8]}),
            (ConditionalGAN, ["--labels", 3], {"labels": [3]}),
            (
                InfoGAN,
                ["--codes", "continuous0=-2:2", "category=1,4"],
                {"codes": {"continuous0": [-2, 2], "category": [1, 4]}},
            ),
        ],
    )
    def test_ends_of_ones_choice(self, variant: Any, options: list[Any], chosen: Any, tmp_path: Path) -> None:
        checkpoint, out = saved(variant, tmp_path), tmp_path / "out"
        generate(checkpoint, out, "--interpolate", 0, 1, *options)
        expected = inference.load(checkpoint).interpolate_between(0, 1, [i / 15 for i in range(16)], **chosen)
        assert np.array_equal(pixels(out / "interpolation.png"), strip(expected))

    def test_a_link_to_nothing_is_no_folder(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        link = tmp_path / "link"
        link.symlink_to("nothing")
        told = refused(capsys, "generate", "--ckpt", "a.ckpt", "--out", str(link))
        assert f"{link} is a link to nothing: give --out another folder" in told

    def test_nothing_is_overwritten(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        checkpoint, out = saved(DCGAN, tmp_path), tmp_path / "out"
        generate(checkpoint, out, "--interpolate", 0, 1)
        before = (out / "interpolation.png").read_bytes()
        given = ["generate", "--ckpt", str(checkpoint), "--out", str(out), "--interpolate", "0", "2", "--video"]
        assert "exists and is not an empty folder" in refused(capsys, *given)
        assert [(file.name, file.read_bytes()) for file in out.iterdir()] == [("interpolation.png", before)]

    def test_a_game_that_knows_no_way(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.delattr("gan_lightning.games.image.ImageGame.interpolate_between")
        given = ["--ckpt", str(saved(DCGAN, tmp_path)), "--out", str(tmp_path / "out"), "--interpolate", "0", "1"]
        assert "DCGAN cannot interpolate" in refused(capsys, "generate", *given)

    def test_a_bug_on_the_way_keeps_its_traceback(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def buggy(*_: Any, **__: Any) -> None:
            raise ValueError("a bug")

        monkeypatch.setattr(DCGAN, "interpolate_between", buggy)
        with pytest.raises(ValueError, match="a bug"):
            generate(saved(DCGAN, tmp_path), tmp_path / "out", "--interpolate", 0, 1)

    @pytest.mark.parametrize(
        ("options", "told"),
        [
            (["--interpolate", "0", "1", "--n", "64"], "--n does not go with --interpolate"),
            (["--interpolate", "0", "1", "--grid"], "--grid does not go with --interpolate"),
            (["--frames", "16"], "--frames goes only with --interpolate"),
            (["--video"], "--video goes only with --interpolate"),
            (["--interpolate", "0", "1", "--frames", "1"], "at least 2 frames, not 1"),
            (["--interpolate", "0", "1", "--frames", "0"], "--frames: 0 is less than 1"),
            (["--interpolate", "3", "-1"], "There is no sample -1"),
            (
                ["--interpolate", "0", "1", "--labels", "1", "2", "3"],
                "labels takes one value or two, for the samples",
            ),
            (["--interpolate", "0", "1", "2", "--labels", "1", "2"], "labels takes one value or 3, for the samples"),
            (["--interpolate", "0"], "A way leads from one sample to another, so it takes two or more, not 1."),
            (["--interpolate", "0", "1", "--interpolate", "0", "1", "2"], "give each as many samples"),
            (["--interpolate", "0", "1", "--labels", "10"], "There is no label 10"),
        ],
    )
    def test_options_that_make_no_sense(
        self, options: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        checkpoint, out = saved(ConditionalGAN, tmp_path), tmp_path / "out"
        (line,) = refused(capsys, "generate", "--ckpt", str(checkpoint), "--out", str(out), *options).splitlines()
        assert told in line
        assert not out.exists()

    def test_three_values_of_a_code_have_no_ends(self) -> None:
        with pytest.raises(ValueError, match="category takes one value or two, for the samples on the way, not 3"):
            inference.interpolate(vivid(InfoGAN), 0, 1, codes={"category": [1, 2, 3]})


def test_samples_on_a_cpu_are_made_channels_last_and_differ_by_rounding(tmp_path: Path) -> None:
    checkpoint = saved(DCGAN, tmp_path)
    plain, fast = (load(checkpoint, "cpu") for load in (inference.load, load_sampler))
    kernels = [weight for weight in fast.averaged_generator.parameters() if weight.ndim == 4]
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in kernels)
    # tanh has slope 1 at most, and a sum of 16 x 16 products in another order is off by 256 units in the last place.
    assert (plain.sample(8) - fast.sample(8)).abs().max() < 256 * torch.finfo(torch.float32).eps  # type: ignore[operator]


class Viewing(nn.Module):
    """A generator of the user's own whose memory must be contiguous."""

    def __init__(self, latent_dim: int = 4) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Unflatten(1, (latent_dim, 1, 1)), nn.ConvTranspose2d(latent_dim, 3, 8))

    def forward(self, latent: Tensor) -> Tensor:
        x = self.layers(latent)
        return x.view(len(x), -1).view(x.shape).tanh()


@pytest.mark.parametrize("own", [True, False])
def test_memory_is_channels_last_where_the_layers_are_known(own: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    model: Any = vivid(DCGAN)
    if own:
        model.generator, model.ema = Viewing(), None
    monkeypatch.setattr(from_checkpoint, "load_model", lambda *_: model)
    generator = from_checkpoint.load_sampler(Path("any.ckpt"), "cpu").averaged_generator
    weights = [weight for weight in generator.parameters() if weight.ndim == 4]
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in weights) != own
    generator(torch.randn(2, 4 if own else model.latent_dim))


@pytest.mark.parametrize("wide", [True, False])
def test_a_wide_network_of_modulated_convolutions_keeps_its_kernels_instead(
    wide: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(from_checkpoint, "load_model", lambda *_: vivid(StyleGAN2))
    monkeypatch.setattr(from_checkpoint, "_MANY_CHANNELS", 1 if wide else 10**6)
    generator = from_checkpoint.load_sampler(Path("any.ckpt"), "cpu").averaged_generator
    parts = [part for part in generator.modules() if isinstance(part, ModulatedConv2d)]
    assert [part.keeps_kernels for part in parts] == [wide] * len(parts)
    assert all(part.weight.is_contiguous() == wide for part in parts)
