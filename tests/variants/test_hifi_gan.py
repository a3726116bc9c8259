"""HiFi-GAN: the networks' sizes, the losses worked by hand, the late start, and lengths."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from gan_lightning.games.batch import GameBatch
from gan_lightning.networks import HiFiGANDiscriminator, HiFiGANGenerator
from gan_lightning.variants import HiFiGAN
from tests.helpers.games import metrics_file, play, small

V1: dict[str, Any] = {
    "rates": (8, 8, 2, 2),
    "kernels": (16, 16, 4, 4),
    "block_kernels": (3, 7, 11),
    "dilations": 3 * ((1, 3, 5),),
    "paired": True,
}


def n_weights(network: nn.Module) -> int:
    """Without the gains of weight norm, as the papers count."""
    return sum(weight.numel() for name, weight in network.named_parameters() if not name.endswith("weight.original0"))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    # Counted from the authors' configs: V1, V2 and V3.
    [({"width": 512, **V1}, 13_926_017), ({"width": 128, **V1}, 925_985), ({}, 1_462_273)],
)
def test_generators_are_those_of_the_paper(arguments: dict[str, Any], expected: int) -> None:
    with torch.device("meta"):
        generator = HiFiGANGenerator(**arguments)
        assert n_weights(generator) == expected
        assert tuple(generator(torch.empty(2, 80, 5)).shape) == (2, 1, 5 * 256)


def test_discriminators_are_those_of_the_paper() -> None:
    with torch.device("meta"):
        parts = HiFiGANDiscriminator().parts
    sizes = [n_weights(part) for part in parts]
    # 41.09 and 29.61 million.
    assert sum(sizes[:5]) == pytest.approx(41.09e6, abs=5e3)
    assert sum(sizes[5:]) == pytest.approx(29.61e6, abs=5e3)
    kinds = [type(part.last.parametrizations["weight"][0]).__name__ for part in parts[5:]]  # type: ignore[union-attr, index]
    assert kinds == ["_SpectralNorm", "_WeightNorm", "_WeightNorm"]


def test_maps_of_any_length() -> None:
    outputs, maps = HiFiGANDiscriminator(4)(torch.randn(2, 1, 250))
    assert len(outputs) == len(maps) == 8
    assert [len(each) for each in maps] == [6] * 5 + [8] * 3
    # 250 samples in columns of 11 are 23 rows; strides of 3, four times: 1 row.
    assert tuple(maps[4][-1].shape) == (2, 1, 1, 11)
    assert torch.equal(outputs[4], maps[4][-1].flatten(1))


def test_the_generator_step_by_step() -> None:
    """The mean of the blocks and not their sum, and a slope of 0.01 before the last layer alone."""
    torch.manual_seed(0)
    arguments: Any = {"rates": (2,), "kernels": (4,), "block_kernels": (3, 5), "dilations": ((1, 3), (2, 1))}
    network: Any = HiFiGANGenerator(6, 4, **arguments, paired=True)
    mels = torch.randn(2, 6, 7)
    x = F.conv1d(mels, network.first.weight, network.first.bias, padding=3)
    up = network.upsamplings[0]
    x = F.conv_transpose1d(F.leaky_relu(x, 0.1), up.weight, up.bias, stride=2, padding=1)
    outputs = []
    for block, size, dilations in zip(network.blocks[0], (3, 5), ((1, 3), (2, 1)), strict=True):
        y = x
        for branch, dilation in zip(block.branches, dilations, strict=True):
            _, dilated, _, plain = branch
            z = F.conv1d(
                F.leaky_relu(y, 0.1), dilated.weight, dilated.bias, padding=dilation * (size // 2), dilation=dilation
            )
            y = y + F.conv1d(F.leaky_relu(z, 0.1), plain.weight, plain.bias, padding=size // 2)
        outputs.append(y)
    x = F.leaky_relu((outputs[0] + outputs[1]) / 2, 0.01)
    expected = F.conv1d(x, network.last.weight, network.last.bias, padding=3).tanh()
    assert_close(network(mels), expected)


class Told(nn.Module):
    """Two discriminators of two maps each, whose values are multiples of a sound's first sample."""

    def forward(self, sounds: torch.Tensor) -> Any:
        first = sounds[:, :, :1]
        maps = [[3 * first, first], [first.repeat(1, 1, 5), 2 * first]]
        return [each[-1].flatten(1) for each in maps], maps


def test_the_losses_worked_by_hand() -> None:
    model: Any = small(HiFiGAN, mel_weight=10.0)
    model.discriminator = Told()
    real, fake = torch.full((2, 1, 256), 1.0), torch.full((2, 1, 256), 0.5)
    batch = GameBatch(real, fake=fake)
    terms = {name: float(term) for name, term in model.discriminator_loss(batch).items()}
    # Outputs 1 and 2 on real sounds, 0.5 and 1 on fakes.
    assert terms == pytest.approx({"real": 0 + 1, "fake": 0.25 + 1})
    terms = {name: float(term) for name, term in model.generator_loss(batch).items()}
    assert terms["adversarial"] == pytest.approx(0.25 + 0)
    # Means, not sums, of a map of five; both outputs among the maps.
    assert terms["features"] == pytest.approx(2 * (1.5 + 0.5 + 0.5 + 1))
    expected = 10 * (model.loss_mel(real) - model.loss_mel(fake)).abs().mean()
    assert terms["mel"] == pytest.approx(float(expected))
    # Half as loud is log 2 lower in every band that is not silent.
    noise = torch.randn(2, 1, 256)
    assert float(model.mel_distance(noise, noise / 2)) == pytest.approx(0.6931, abs=1e-3)


def test_the_two_spectrograms_end_at_different_frequencies() -> None:
    model: Any = small(HiFiGAN)
    assert float(model.given_mel.filters[:, 13:].abs().max()) == 0  # 3 kHz is bin 12 of 16
    assert float(model.loss_mel.filters[:, 14:].max()) > 0


def test_before_the_start_there_are_no_discriminators(tmp_path: Path) -> None:
    model = small(HiFiGAN, adversarial_start=2)
    before = [weight.clone() for weight in model.discriminator.parameters()]
    play(model, 2, tmp_path / "early", batch_size=8)
    assert all(torch.equal(*pair) for pair in zip(before, model.discriminator.parameters(), strict=True))
    assert "train/generator/adversarial" not in metrics_file(tmp_path / "early").splitlines()[0]
    play(small(HiFiGAN, adversarial_start=2), 3, tmp_path / "late", batch_size=8)
    assert "train/generator/adversarial" in metrics_file(tmp_path / "late").splitlines()[0]


def test_lengths(tmp_path: Path) -> None:
    model: Any = small(HiFiGAN)
    assert tuple(model.resynthesised(torch.randn(2, 1, 8 * 37)).shape) == (2, 1, 8 * 37)
    for n_samples in (252, 24):
        with pytest.raises(ValueError, match=rf"^n_samples is {n_samples}: it must be a multiple of .* hop, 8 samples"):
            small(HiFiGAN, n_samples=n_samples)
    with pytest.raises(ValueError, match=r"^kernels is \[7, 4\]"):
        HiFiGANGenerator(8, 8, [4, 2], [7, 4], [3], [[1]])


def test_validation_logs_the_distance_of_spectrograms(tmp_path: Path) -> None:
    play(small(HiFiGAN), 1, tmp_path, batch_size=100, check_val_every_n_epoch=None, val_check_interval=1)
    assert "val/mel_distance" in metrics_file(tmp_path).splitlines()[0]
