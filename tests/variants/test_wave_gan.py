"""WaveGAN: the networks' tables, the losses, latents, and what is refused."""

from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from gan_lightning.augmentations import DiffAugment
from gan_lightning.games.batch import GameBatch
from gan_lightning.networks import WaveGANDiscriminator, WaveGANGenerator
from gan_lightning.networks.wavegan import strides_of
from gan_lightning.variants import WaveGAN
from tests.helpers.games import play, small


def n_weights(network: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


@pytest.mark.parametrize(
    ("n_samples", "generator", "discriminator"),
    # Counted from the tables of the authors' code.
    [(16384, 19_065_345, 17_427_969), (65536, 73_149_953, 69_875_201)],
)
def test_the_networks_are_those_of_the_paper(n_samples: int, generator: int, discriminator: int) -> None:
    with torch.device("meta"):
        g, d = WaveGANGenerator(n_samples), WaveGANDiscriminator(n_samples)
        assert (n_weights(g), n_weights(d)) == (generator, discriminator)
        sounds = g(torch.empty(3, 100))
        assert tuple(sounds.shape) == (3, 1, n_samples)
        assert tuple(d.eval()(sounds).shape) == (3,)


def test_a_length_that_is_no_power_of_four_ends_in_a_stride_of_two() -> None:
    assert strides_of(32768) == [4, 4, 4, 4, 4, 2]
    assert tuple(WaveGANGenerator(128, 5, 2)(torch.randn(3, 5)).shape) == (3, 1, 128)
    assert tuple(WaveGANDiscriminator(128, 2)(torch.randn(3, 1, 128)).shape) == (3,)
    for length in (16, 32, 96, 16000):
        with pytest.raises(ValueError, match=rf"^n_samples is {length}: WaveGAN's networks make sounds of 64, 128"):
            WaveGANGenerator(length)


def test_four_of_five_layers_are_shuffled() -> None:
    layers = [type(layer).__name__ for layer in WaveGANDiscriminator(16384, 1).layers]
    assert layers == ["Conv1d", "LeakyReLU", "PhaseShuffle"] * 4 + ["Conv1d", "LeakyReLU"]


class Slope(torch.nn.Module):
    """A critic whose gradient by a sound of four samples is 3 at each of them: norm 6."""

    def forward(self, sounds: torch.Tensor) -> torch.Tensor:
        return 3 * sounds.sum((1, 2))


def test_the_losses_worked_by_hand() -> None:
    model = small(WaveGAN, n_samples=64)
    model.discriminator = Slope()
    batch = GameBatch(torch.full((2, 1, 4), 0.5), fake=torch.tensor([[[0.25] * 4], [[-0.25] * 4]]))
    # E D(fake) = 0, E D(real) = 6; ten times (6 - 1)^2.
    assert sum(float(term) for term in model.discriminator_loss(batch).values()) == pytest.approx(-6)
    assert float(model.discriminator_penalty(batch)["gradient_penalty"]) == pytest.approx(250)
    assert sum(float(term) for term in model.generator_loss(batch).values()) == pytest.approx(0)


def test_latents_are_uniform_and_samples_depend_on_their_number_alone() -> None:
    model = small(WaveGAN, latent_dim=50)
    latents = model.draw_latents(GameBatch(torch.zeros(200, 1, 256))).latent
    assert float(latents.min()) < -0.99
    assert float(latents.max()) > 0.99
    # Of U(-1, 1): 1/3, give or take 4 standard deviations of sqrt(4/45/10000).
    assert float(latents.square().mean()) == pytest.approx(1 / 3, abs=0.012)
    assert_close(model.sample(5, seed=3)[2:], model.sample(3, seed=3, start=2))
    assert not torch.equal(model.sample(2, seed=3), model.sample(2, seed=4))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (torch.zeros(2, 1, 8, 8), r"^WaveGAN needs sounds of one channel, N x 1 x T, .* yields \(2, 1, 8, 8\)"),
        (torch.zeros(2, 2, 256), r"^WaveGAN needs sounds of one channel"),
        (torch.zeros(2, 1, 128), r"^The data has sounds of 128 samples, but the model was made for 256"),
    ],
)
def test_what_is_no_sound_of_its_length_is_refused(raw: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(WaveGAN).prepare_batch(raw)


def test_integers_become_shares_of_full_scale() -> None:
    raw = torch.tensor([-32768, 16384, 1, 0], dtype=torch.int16).repeat(1, 64)
    assert_close(small(WaveGAN).prepare_batch(raw).real[0, 0, :4], torch.tensor([-1, 0.5, 2**-15, 0]))


def test_sounds_out_of_range_are_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="sounds go up to 127, and a game plays in"):
        small(WaveGAN).check_first_batch(torch.full((2, 1, 256), 127.0), None)
    with pytest.raises(ValueError, match="transforms images: WaveGAN makes sounds"):
        small(WaveGAN, augmentation=DiffAugment)


def test_a_finite_difference_trains_too(tmp_path: Path) -> None:
    play(small(WaveGAN, penalty_method="finite_difference"), 1, tmp_path, batch_size=20)
