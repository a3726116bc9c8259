"""What is special to SNGAN and its projection: the hinge, the normalised discriminator, the class."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from gan_lightning.games.batch import GameBatch
from gan_lightning.networks import PyramidDiscriminator, PyramidGenerator
from gan_lightning.variants import SAGAN, SNGAN, ProjectionGAN
from tests.helpers.games import play, small

GAMES = [SNGAN, ProjectionGAN, SAGAN]


def count(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def vectors(network: nn.Module) -> dict[str, torch.Tensor]:
    """The stored vectors of spectral normalisation."""
    return {name: value.clone() for name, value in network.named_buffers() if name.endswith(("._u", "._v"))}


class Constant(nn.Module):
    """Says the mean pixel of an image."""

    def forward(self, images: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        return images.flatten(1).mean(1)


@pytest.mark.parametrize("variant", GAMES)
def test_the_hinge_has_margins_for_the_discriminator_only(variant: Any) -> None:
    model = small(variant)
    model.discriminator = Constant()
    ones = torch.ones(4, 1, 16, 16)
    batch = GameBatch(3 * ones, torch.arange(4), fake=(-3 * ones).requires_grad_())
    assert sum(model.discriminator_loss(batch).values()).item() == 0  # both beyond the margin
    assert model.generator_loss(batch)["adversarial"].item() == 3
    wrong = GameBatch(-3 * ones, torch.arange(4), fake=2 * ones)
    assert sum(model.discriminator_loss(wrong).values()).item() == 4 + 3


def test_the_papers_are_the_defaults() -> None:
    sngan, projection = SNGAN(), ProjectionGAN()
    assert (count(sngan.generator), count(sngan.discriminator)) == (4_276_739, 1_053_824)
    assert (count(projection.generator), count(projection.discriminator)) == (4_304_387, 1_055_104)
    for model in (sngan, projection):
        assert model.n_critic == 5
        for optimizer in model.configure_optimizers()[0]:
            assert optimizer.param_groups[0]["lr"] == 2e-4
            assert optimizer.param_groups[0]["betas"] == (0.0, 0.9)


@pytest.mark.parametrize("variant", [SNGAN, ProjectionGAN])
def test_only_the_discriminator_is_normalised(variant: Any) -> None:
    model = small(variant)
    assert not vectors(model.generator)
    weights = [name for name, weight in model.discriminator.named_parameters() if weight.ndim > 1]
    assert weights
    assert all(name.endswith("parametrizations.weight.original") for name in weights)


@pytest.mark.parametrize("variant", GAMES)
def test_vectors_advance_in_training_and_not_in_sampling(variant: Any, tmp_path: Path) -> None:
    model = small(variant)
    before = vectors(model.discriminator)
    assert before
    play(model, 1, tmp_path)
    after = vectors(model.discriminator)
    assert any(not torch.equal(before[name], after[name]) for name in before)
    everything = vectors(model)
    model.eval()
    model.sample(4)
    model.discriminator(torch.randn(4, 1, 16, 16), torch.arange(4))
    assert all(torch.equal(value, everything[name]) for name, value in vectors(model).items())


def test_larger_images_have_networks_too() -> None:
    networks: dict[str, Any] = {"generator": PyramidGenerator, "discriminator": PyramidDiscriminator}
    model = SNGAN((3, 64, 64), **networks)
    assert model.sample(1).shape == (1, 3, 64, 64)
    blocks = [block for block in model.discriminator.blocks if hasattr(block, "residual")]
    assert [block.shortcut.out_channels for block in blocks] == [64, 128, 256, 512, 1024]
    assert [block.residual[1].out_channels for block in blocks] == [64, 64, 128, 256, 512]
