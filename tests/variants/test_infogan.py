"""What is special to InfoGAN: the codes, and that reading them teaches both G and Q."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from gan_lightning.games.batch import GameBatch
from gan_lightning.networks import InfoGANDiscriminator, InfoGANGenerator
from gan_lightning.variants import InfoGAN
from tests.helpers.games import small
from tests.helpers.parameters import n_parameters, without_memory

INFORMATION = ("category", "continuous")


def exchange(model: Any, n: int = 64) -> GameBatch:
    batch = model.draw_latents(model.prepare_batch(torch.zeros(n, 1, 16, 16)))
    return GameBatch(batch.real, None, batch.latent, model.generate_fakes(batch))


@pytest.fixture
def model() -> Any:
    return small(InfoGAN)


@pytest.mark.parametrize("term", INFORMATION)
def test_information_teaches_the_generator(model: Any, term: str) -> None:
    model.generator_loss(exchange(model))[term].backward()
    assert all(weight.grad.abs().sum() > 0 for name, weight in model.generator.named_parameters() if "weight" in name)


@pytest.mark.parametrize("term", INFORMATION)
def test_information_teaches_q_and_the_trunk_and_not_the_judge(model: Any, term: str) -> None:
    model.discriminator_loss(exchange(model).detached())[term].backward()
    network = model.discriminator
    for part in (network.q, network.trunk):
        assert any(weight.grad.abs().sum() > 0 for weight in part.parameters())
    assert all(weight.grad is None or not weight.grad.any() for weight in network.judge.parameters())
    assert all(weight.grad is None for weight in model.generator.parameters())


def test_q_moves_with_the_discriminator(model: Any) -> None:
    (discriminator, generator), _ = model.configure_optimizers()
    moved = {id(weight) for group in discriminator.param_groups for weight in group["params"]}
    assert all(id(weight) in moved for weight in model.discriminator.q.parameters())
    assert discriminator.param_groups[0]["lr"] == 2e-4
    assert generator.param_groups[0]["lr"] == 1e-3
    assert generator.param_groups[0]["betas"] == (0.5, 0.999)


class Reads(nn.Module):
    """A discriminator whose Q says the same of every image."""

    def __init__(self, category: Tensor, mean: Tensor, log_variance: float = 3.0) -> None:
        super().__init__()
        self.said = (torch.zeros(len(mean)), category, mean, torch.full_like(mean, log_variance))

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return self.said


def test_the_codes_to_be_read_are_those_the_images_were_made_from(model: Any) -> None:
    """A Q that knows the codes loses nothing but the constant; one that knows nothing loses the entropy."""
    batch = exchange(model)
    _, category, continuous = batch.latent.split([4, 10, 2], dim=1)
    model.discriminator = Reads(1000 * category, continuous)
    for terms in (model.discriminator_loss(batch), model.generator_loss(batch)):
        assert terms["category"].item() == pytest.approx(0, abs=1e-6)
        assert terms["continuous"].item() == pytest.approx(math.log(2 * math.pi))  # two codes, variance 1
    model.discriminator = Reads(torch.zeros_like(category), continuous + 2)
    terms = model.generator_loss(batch)
    assert terms["category"].item() == pytest.approx(math.log(10))  # H(c) = 2.30
    assert terms["continuous"].item() == pytest.approx(math.log(2 * math.pi) + 4, rel=1e-5)
    model.learned_variance = True
    expected = math.log(2 * math.pi) + 3 + 4 * math.exp(-3)
    assert model.generator_loss(batch)["continuous"].item() == pytest.approx(expected, rel=1e-5)
    model.information_weight = 0.5
    assert model.generator_loss(batch)["category"].item() == pytest.approx(math.log(10) / 2)


def test_codes_are_drawn_uniformly(model: Any) -> None:
    drawn = exchange(model, 4000).latent
    sampled = model.indexed_latents(0, 4000, seed=1)
    for latent in (drawn, sampled):
        noise, category, continuous = latent.split([4, 10, 2], dim=1)
        assert noise.std().item() == pytest.approx(1, abs=0.05)
        assert_close(category.sum(dim=1), torch.ones(4000))
        assert category.mean(dim=0).numpy() == pytest.approx(np.full(10, 0.1), abs=0.02)
        assert continuous.abs().max() <= 1
        assert continuous.std(dim=0).numpy() == pytest.approx(np.full(2, 1 / math.sqrt(3)), abs=0.02)
    assert_close(model.indexed_latents(250, 300, seed=1), sampled[250:300])


def test_a_picture_sweeps_one_code_along_a_row_and_the_category_down_the_rows(model: Any) -> None:
    seen: list[Tensor] = []
    model.ema.module.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    images, columns = model.sample_table(64)
    assert columns == 6
    assert images.shape == (60, 1, 16, 16)
    noise, category, continuous = torch.cat(seen).split([4, 10, 2], dim=1)
    assert len(torch.unique(noise, dim=0)) == 1
    assert category.argmax(dim=1).tolist() == [row for row in range(10) for _ in range(6)]
    assert_close(continuous[:6, 0], torch.linspace(-2, 2, 6))
    assert_close(continuous[54:, 0], continuous[:6, 0])
    assert not continuous[:, 1].any()
    model.traverse(code=1, columns=3, limit=1)
    assert_close(seen[-1][:3, 14:], torch.tensor([[0.0, -1], [0, 0], [0, 1]]))


def test_the_networks_are_the_authors() -> None:
    with without_memory():
        model = InfoGAN()
    q = n_parameters(model.discriminator.q)
    assert n_parameters(model.generator) == 6_652_481
    assert q == 133_262
    assert n_parameters(model.discriminator) - q == 6_559_169


@pytest.mark.parametrize("network", [InfoGANGenerator, InfoGANDiscriminator])
def test_sides_that_do_not_fit_are_refused(network: Any) -> None:
    with pytest.raises(ValueError, match=f"{network.__name__} works on images whose sides are multiples of 4, not 30"):
        network((1, 30, 32))
