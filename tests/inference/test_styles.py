"""Truncated styles, tables of mixed styles and of noise, and the command that writes them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.testing import assert_close

from gan_lightning import inference
from gan_lightning.cli import main
from gan_lightning.networks.layers.styles import Noise
from gan_lightning.variants import DCGAN, StyleGAN, StyleGAN2
from tests.helpers.games import save_checkpoint, small

VARIANTS = [(StyleGAN, {"growth": 2.0}), (StyleGAN2, {}), (StyleGAN2, {"num_classes": 3})]


def noisy(variant: Any, options: dict[str, Any]) -> Any:
    """A small game with strong noise and a mean style, as if it were trained."""
    model = small(variant, **options)
    torch.manual_seed(1)
    with torch.no_grad():
        for part in model.averaged_generator.modules():
            if isinstance(part, Noise):
                part.strength.fill_(0.3)
        model.averaged_generator.mapping.mean_style.normal_(std=0.3)
    return model.eval()


@pytest.mark.parametrize(("variant", "options"), VARIANTS)
def test_truncation_is_of_the_styles(variant: Any, options: dict[str, Any]) -> None:
    model = noisy(variant, options)
    labels = {"labels": [1]} if options.get("num_classes") else {}
    network = model.averaged_generator
    mean = network.mapping.mean_style.expand(1, network.n_styles, -1)
    with torch.no_grad():
        of_the_mean = network.synthesise(mean)
    assert_close(model.sample(2, truncation=0.0, **labels), of_the_mean.expand(2, -1, -1, -1))
    styles = model.indexed_styles(0, 2, 0, labels.get("labels"))
    with torch.no_grad():
        assert_close(model.sample(2, truncation=0.6, **labels), network.synthesise(mean + 0.6 * (styles - mean)))
    # It does not stay.
    with torch.no_grad():
        assert_close(model.sample(2, **labels), network.synthesise(styles))
    with pytest.raises(ValueError, match="truncation is -1: it must be a number from 0"):
        model.sample(1, truncation=-1.0)


@pytest.mark.parametrize(("variant", "options"), VARIANTS)
def test_ways_are_straight_in_the_space_of_styles(variant: Any, options: dict[str, Any]) -> None:
    model = noisy(variant, options)
    labels = {"labels": [2, 0]} if options.get("num_classes") else {}
    ends = [model.indexed_styles(i, i + 1, 5, [label] if labels else None) for i, label in ((4, 2), (1, 0))]
    expected = torch.cat([(1 - way) * ends[0] + way * ends[1] for way in (0, 0.25, 1)])
    with torch.no_grad():
        images = model.averaged_generator.synthesise(expected)
    assert_close(model.interpolate_between(4, 1, [0.0, 0.25, 1.0], seed=5, **labels), images)
    truncated = model.interpolate_between(4, 1, [0.0, 1.0], seed=5, truncation=0.5)
    assert_close(truncated, model.sample(5, seed=5, truncation=0.5)[[4, 1]])
    with pytest.raises(ValueError, match="truncation is -1"):
        model.interpolate_between(0, 1, [0.5], truncation=-1.0)


@pytest.mark.parametrize(("variant", "options"), VARIANTS)
def test_mixing_table(variant: Any, options: dict[str, Any]) -> None:
    model = noisy(variant, options)
    table = inference.mixing_table(model, 2, 1, 3, seed=5).unflatten(0, (3, 3))
    samples = model.sample(4, seed=5)
    assert (table[0, 0] == 1).all()
    assert_close(table[0, 1:], samples[:2])
    assert_close(table[1:, 0], samples[2:])
    styles = model.indexed_styles(0, 4, 5)
    mixed = torch.stack([styles[3, 0], styles[0, 1], styles[0, 2], *styles[3, 3:]])[None]
    with torch.no_grad():
        assert_close(table[2, 1], model.averaged_generator.synthesise(mixed)[0])


@pytest.mark.parametrize(("variant", "options"), VARIANTS)
def test_noise_table(variant: Any, options: dict[str, Any]) -> None:
    model = noisy(variant, options)
    table = inference.noise_table(model, 2, 3, seed=5).unflatten(0, (2, 4))
    # The same latents with other noise, and its deviation, which is largest somewhere.
    assert (table[:, 0] - table[:, 1]).abs().amax((1, 2, 3)).min() > 0.01
    deviation = table[:, :3].std(1)
    assert_close(table[:, 3], 2 * deviation / deviation.max() - 1)
    assert_close(table, inference.noise_table(model, 2, 3, seed=5).unflatten(0, (2, 4)))


def test_noise_is_louder_or_off() -> None:
    model = noisy(StyleGAN2, {})
    with torch.no_grad():
        styles = model.indexed_styles(0, 2, 0)
        silent, double = (model.averaged_generator.synthesise(styles, factor) for factor in (0.0, 2.0))
    inference.scale_noise(model, 2.0)
    assert_close(model.sample(2), double)
    inference.scale_noise(model, 0.0)
    assert_close(model.sample(2), silent)


def test_noise_of_a_table_is_louder_or_off() -> None:
    model = noisy(StyleGAN2, {})
    before, silent = inference.noise_table(model, 1, 2, seed=5), noisy(StyleGAN2, {})
    inference.scale_noise(silent, 0.0)
    assert_close(inference.noise_table(silent, 1, 2, seed=5)[:2], silent.sample(1, seed=5).expand(2, -1, -1, -1))
    inference.scale_noise(model, 3.0)
    assert (inference.noise_table(model, 1, 2, seed=5) - before)[:2].abs().max() > 0.01


def test_tables_that_cannot_be_made() -> None:
    model = noisy(StyleGAN, {"growth": 1.0})
    inference.mixing_table(model, 1, 3, 6)
    with pytest.raises(
        ValueError, match="mix is 4:6: this StyleGAN has grown to level 1 so far, whose images are of the"
    ):
        inference.mixing_table(model, 1, 4, 6)
    with pytest.raises(ValueError, match="columns is 1: it must be a whole number, at least 2"):
        inference.noise_table(model, 1, 1)


class TestCommand:
    @pytest.fixture
    def checkpoint(self, tmp_path: Path) -> Path:
        return save_checkpoint(noisy(StyleGAN2, {"num_classes": 3}), tmp_path / "last.ckpt")

    def run(self, checkpoint: Path, out: Path, *options: str) -> Any:
        assert main(["generate", "--ckpt", str(checkpoint), "--device", "cpu", "--out", str(out), *options]) == 0
        (picture,) = out.glob("*.png")
        return picture.name, np.asarray(Image.open(picture)).shape

    def test_tables(self, checkpoint: Path, tmp_path: Path) -> None:
        mixing = ["--mix", "0:2", "--n", "2", "--truncation", "0.7", "--labels", "1"]
        # 3 x 3 images of 16 pixels, and a pixel between and around them
        assert self.run(checkpoint, tmp_path / "a", *mixing) == ("mixing.png", (52, 52))
        assert self.run(checkpoint, tmp_path / "b", "--vary_noise", "--n", "2") == ("noise.png", (35, 86))

    def test_noise_off(self, checkpoint: Path, tmp_path: Path) -> None:
        pictures = []
        for factor in ("0", "1"):
            self.run(checkpoint, tmp_path / factor, "--n", "1", "--noise", factor)
            pictures.append((tmp_path / factor / "00000.png").read_bytes())
        assert pictures[0] != pictures[1]

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            (["--mix", "3"], "'3' is no range of layers, the first and the one after the last: 3:8"),
            (["--mix", "2:9"], "mix is 2:9: this StyleGAN2 has the layers 0 to 5"),
            (["--mix", "2:2"], "mix is 2:2"),
            (["--mix", "0:2", "--vary_noise"], "--mix and --vary_noise each write a picture of their own"),
            (["--mix", "0:2", "--grid"], "--grid does not go with --mix"),
            (["--mix", "0:2", "--format", "npy"], "--format and --bits are of a file for each sample"),
            (["--vary_noise", "--bits", "16"], "--format and --bits are of a file for each sample"),
            (["--noise", "-1"], "noise is -1: it must be a factor from 0"),
        ],
    )
    def test_mistakes(
        self, options: list[str], says: str, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit, match="2"):
            main(["generate", "--ckpt", str(checkpoint), "--out", str(tmp_path / "out"), *options])
        assert says in capsys.readouterr().err

    def test_games_without_styles(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = save_checkpoint(small(DCGAN), tmp_path / "last.ckpt")
        for option in (["--mix", "0:2"], ["--vary_noise"], ["--noise", "0"]):
            with pytest.raises(SystemExit, match="2"):
                main(["generate", "--ckpt", str(path), "--out", str(tmp_path / "out"), *option])
            assert "DCGAN has no styles: StyleGAN and StyleGAN2 have." in capsys.readouterr().err
