"""Standing statistics against means and variances worked batch by batch."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from gan_lightning.games.randomness import fold
from gan_lightning.inference import set_standing_statistics
from gan_lightning.inference.standing_statistics import _STREAM
from gan_lightning.variants import DCGAN, GAN, BigGAN
from tests.helpers.games import small


class TwoNorms(nn.Module):
    """Linear, BatchNorm, linear, BatchNorm: the second one's input depends on how the first one normalises."""

    def __init__(self, image_shape: tuple[int, int, int], latent_dim: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(latent_dim, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 64), nn.BatchNorm1d(64), nn.Tanh()
        )

    def forward(self, latent: Tensor) -> Tensor:
        return self.layers(latent).view(-1, 1, 8, 8)


def model_of_two() -> Any:
    torch.manual_seed(0)
    return DCGAN((1, 8, 8), 4, generator=TwoNorms)


def by_hand(model: Any, n_batches: int, size: int, seed: int, truncation: float | None) -> list[tuple[Tensor, Tensor]]:
    layers = model.averaged_generator.layers
    latents = model.truncated_latents(model.indexed_latents(0, n_batches * size, fold(seed, _STREAM)), truncation)
    means: list[list[Tensor]] = [[], []]
    variances: list[list[Tensor]] = [[], []]
    with torch.no_grad():
        for batch in latents.split(size):
            x = batch
            for number, place in enumerate((0, 3)):
                x = layers[place](x)
                means[number].append(x.mean(0))
                variances[number].append(x.var(0))
                x = ((x - x.mean(0)) / (x.var(0, correction=0) + 1e-5).sqrt()).relu()
    return [(torch.stack(means[i]).mean(0), torch.stack(variances[i]).mean(0)) for i in (0, 1)]


@pytest.mark.parametrize("truncation", [None, 0.5])
def test_by_hand(truncation: float | None) -> None:
    model = model_of_two()
    norms = [part for part in model.averaged_generator.modules() if isinstance(part, nn.BatchNorm1d)]
    expected = by_hand(model, 3, 7, 2, truncation)
    set_standing_statistics(model, 3, 7, seed=2, truncation=truncation)
    for norm, (mean, variance) in zip(norms, expected, strict=True):
        assert_close(norm.running_mean, mean)
        assert_close(norm.running_var, variance)
        assert norm.momentum == 0.1
    # Samples take them, and do not change them.
    before = [norm.running_mean.clone() for norm in norms]
    one = model.sample(1)
    assert_close(model.sample(5)[:1], one)
    for norm, mean in zip(norms, before, strict=True):
        assert torch.equal(norm.running_mean, mean)


def test_the_rest_of_the_network_is_as_it_was() -> None:
    """Spectral normalisation's vectors, weights and modes; and a second call sets the same."""
    model: Any = small(BigGAN)
    generator = model.averaged_generator
    modes = [part.training for part in generator.modules()]
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    states = []
    for _ in range(2):
        set_standing_statistics(model, 2, 8)
        states.append({name: value.clone() for name, value in generator.state_dict().items()})
    for name, value in before.items():
        assert torch.equal(states[0][name], states[1][name]), name
        assert torch.equal(states[0][name], value) is not any(part in name for part in ("running", "tracked")), name
    assert modes == [part.training for part in generator.modules()]
    assert not any(part._forward_pre_hooks for part in generator.modules() if isinstance(part, nn.BatchNorm2d))


def test_truncated_samples_have_statistics_of_their_own() -> None:
    """Without them a truncated batch would be normalised by the variance of another distribution."""
    model = model_of_two()
    set_standing_statistics(model, 16, 64)
    first = model.averaged_generator.layers[1]
    variance = first.running_var.clone()
    set_standing_statistics(model, 16, 64, truncation=0.5)
    # The first layer is linear: its variance falls as that of the latents, by a factor of 0.0806 (SciPy's truncnorm).
    # Standard error of a ratio of two variances of 1024 normal numbers: at most 2 / sqrt(1024); six of them.
    assert (first.running_var / variance / 0.0806 - 1).abs().max() < 6 * 2 / 1024**0.5


def test_what_cannot_be_done_is_refused() -> None:
    with pytest.raises(ValueError, match="GAN's generator has no BatchNorm, so it has no statistics to replace"):
        set_standing_statistics(small(GAN))
    with pytest.raises(ValueError, match="n_batches is 0"):
        set_standing_statistics(small(DCGAN), 0)
    with pytest.raises(ValueError, match="batch_size is 1"):
        set_standing_statistics(small(DCGAN), 2, 1)
