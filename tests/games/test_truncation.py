"""Truncated latents: their distribution against SciPy's, and that every game of latents makes samples of them."""

from typing import Any

import pytest
import torch
from scipy import stats
from torch.testing import assert_close

from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.image import ImageGame
from gan_lightning.games.randomness import indexed_normal, truncated_normal
from gan_lightning.games.style import StyleGame
from gan_lightning.variants import DCGAN, CoGAN, ConditionalGAN, InfoGAN
from tests.helpers.games import VARIANTS, small, vivid

# Games of styles truncate these, and not latents: tests/inference/test_styles.py.
GAMES = [variant for variant in VARIANTS if issubclass(variant, ImageGame) and not issubclass(variant, StyleGame)]


@pytest.mark.parametrize("limit", [1e-3, 0.2, 0.5, 1.0, 2.0, 6.0])
def test_the_distribution_is_scipys(limit: float) -> None:
    """Kolmogorov and Smirnov's distance; one of 20,000 exceeds 2.2 / sqrt(n) once in 10,000 samples."""
    numbers = truncated_normal(indexed_normal(0, 2000, 10, seed=3), limit).flatten()
    assert numbers.abs().max() <= limit
    distance = stats.kstest(numbers.double().numpy(), stats.truncnorm(-limit, limit).cdf).statistic
    assert distance < 2.2 / 20000**0.5


def test_it_is_that_of_numbers_drawn_again() -> None:
    """Against the trick as the paper states it, in two samples."""
    torch.manual_seed(0)
    drawn = torch.randn(20000)
    while (outside := drawn.abs() > 0.7).any():
        drawn[outside] = torch.randn(int(outside.sum()))
    mapped = truncated_normal(torch.randn(20000), 0.7)
    assert stats.ks_2samp(drawn.numpy(), mapped.numpy()).statistic < 2.2 * (2 / 20000) ** 0.5


def test_each_number_stays_in_its_place() -> None:
    normal = indexed_normal(0, 4, 100, seed=0)
    for limit in (0.3, 2.0):
        truncated = truncated_normal(normal, limit)
        assert torch.equal(truncated.argsort(), normal.argsort())
        assert torch.equal(truncated.sign(), normal.sign())
        assert_close(truncated_normal(normal[2:], limit), truncated[2:], rtol=0, atol=0)
    assert_close(truncated_normal(normal, 9.0), normal, rtol=1e-5, atol=1e-6)
    assert torch.equal(truncated_normal(torch.tensor([9.0, -9.0]), 0.5), torch.tensor([0.5, -0.5]))


@pytest.mark.parametrize("variant", GAMES, ids=lambda variant: variant.__name__)
def test_every_game_makes_truncated_samples(variant: type[AdversarialModule]) -> None:
    model: Any = small(variant)
    seen: list[Any] = []
    render = model.render

    def watching(*inputs: Any, **options: Any) -> Any:
        seen.append(inputs[0])
        return render(*inputs, **options)

    model.render = watching
    images = model.sample(3, seed=1, start=2, truncation=0.25)
    plain = model.sample(3, seed=1, start=2)
    assert images.shape == plain.shape
    truncated, latents = seen
    assert_close(truncated[:, : model.latent_dim], truncated_normal(latents[:, : model.latent_dim], 0.25))
    assert latents[:, : model.latent_dim].abs().max() > 0.25


@pytest.mark.parametrize("variant", [DCGAN, ConditionalGAN, InfoGAN, CoGAN])
def test_a_way_begins_and_ends_at_truncated_samples(variant: type[AdversarialModule]) -> None:
    model = vivid(variant)
    way = model.interpolate_between(1, 3, [0.0, 1.0], seed=4, truncation=0.5)
    samples = model.sample(4, seed=4, truncation=0.5)
    assert_close(way, samples[[1, 3]], rtol=1e-4, atol=1e-5)
    assert (way - model.sample(4, seed=4)[[1, 3]]).abs().max() > 1e-3


def test_codes_are_not_truncated() -> None:
    model: Any = small(InfoGAN)
    latents = model.indexed_latents(0, 50, 0)
    for kept, code in zip(
        model.parts(model.truncated_latents(latents, 0.1))[1:], model.parts(latents)[1:], strict=True
    ):
        assert torch.equal(kept, code)


@pytest.mark.parametrize("truncation", [0.0, -1.0, float("nan"), float("inf")])
def test_a_number_out_of_range_is_refused(truncation: float) -> None:
    with pytest.raises(ValueError, match=r"truncation is .*: it must be a number greater than 0, such as 0.5"):
        small(DCGAN).sample(1, truncation=truncation)  # type: ignore[operator]
