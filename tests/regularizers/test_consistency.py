"""CR, bCR and zCR against numpy and plain torch, and the mistakes that are made of them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from gan_lightning.games.batch import GameBatch
from gan_lightning.games.regularized import regularized
from gan_lightning.regularizers import BCR, CR, ZCR
from gan_lightning.regularizers.consistency import flip_and_shift, mean_squared_difference
from gan_lightning.variants import WGANGP, BigGAN, InfoGAN, ProjectionGAN
from tests.helpers.games import example_batch, small


def test_images_are_flipped_and_shifted_with_mirrored_edges_each_by_its_own_draw() -> None:
    torch.manual_seed(0)
    n, height, width = 3000, 16, 9  # shifts of up to 2 and 1 pixels
    image = torch.randn(2, height, width)
    padded = np.pad(image.numpy(), [(0, 0), (2, 2), (1, 1)], mode="reflect")
    possible = []
    for down in range(5):
        for across in range(3):
            crop = padded[:, down : down + height, across : across + width]
            possible += [crop, crop[:, :, ::-1]]
    found = [made.tobytes() for made in flip_and_shift(image.expand(n, -1, -1, -1)).contiguous().numpy()]
    counts = [found.count(np.ascontiguousarray(one).tobytes()) for one in possible]
    assert sum(counts) == n, "something else was made"
    # Uniform over 30: each is binomial(3000, 1/30), of deviation 9.8; six of them.
    assert min(counts) > 40
    assert max(counts) < 160


def test_points_cannot_be_flipped() -> None:
    with pytest.raises(ValueError, match="Images of 1 x 1 pixels cannot be flipped or shifted"):
        flip_and_shift(torch.zeros(4, 2, 1, 1))


def test_means_and_not_sums_and_both_sides_receive_gradient() -> None:
    one, other = torch.tensor([[1.0], [3.0]], requires_grad=True), torch.tensor([[2.0], [0.0]], requires_grad=True)
    value = mean_squared_difference(one, other)
    value.backward()
    assert value == (1 + 9) / 2
    assert_close(one.grad, torch.tensor([[-1.0], [3.0]]))
    assert_close(other.grad, torch.tensor([[1.0], [-3.0]]))


class Corner(nn.Module):
    """Judges an image by its first pixel and its label: linear, so that all is known."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(3.0))

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        return self.weight * images[:, 0, 0, 0] * (1 + labels)


def exchange(game: Any, n: int = 8) -> GameBatch:
    torch.manual_seed(1)
    batch = game.draw_latents(game.prepare_batch(example_batch(game, n)))
    return replace(batch, fake=game.generate_fakes(batch))


def terms_of(game: Any, player: str, batch: GameBatch, seed: int = 7) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    return regularized(game, player, getattr(game, f"{player}_loss"), batch)


@pytest.mark.parametrize(("regularizer", "of"), [(CR(5.0), ["real"]), (BCR(5.0, 2.0), ["real", "fake"])])
def test_consistency_of_real_images_and_of_fakes_given_their_labels(regularizer: Any, of: list[str]) -> None:
    game = small(ProjectionGAN, regularizers=[regularizer])
    game.discriminator = Corner()
    batch = exchange(game).detached()
    terms = terms_of(game, "discriminator", batch)
    game.discriminator.zero_grad()
    added = [terms[name] for name in ("consistency", "consistency_fake") if name in terms]
    sum(added).backward()
    expected = []
    torch.manual_seed(7)
    for which, factor in zip(of, [5.0, 2.0], strict=False):
        images = getattr(batch, which)
        pixels = flip_and_shift(images)[:, 0, 0, 0] - images[:, 0, 0, 0]
        expected.append(factor * (pixels * (1 + batch.condition)).square().mean())
    assert_close(torch.stack(added), 9 * torch.stack(expected))
    # d/dw of w^2 c, with both sides; it would differ with one of them detached.
    assert_close(game.discriminator.weight.grad, 6 * sum(expected))


class Line(nn.Module):
    """Images of one colour: the first element of the latent, times a weight."""

    def __init__(self, weight: float = 2.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def forward(self, latent: Tensor) -> Tensor:
        return self.weight * latent[:, 0, None, None, None].expand(-1, 1, 16, 16)


class Brightness(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return 3 * images.mean(dim=(1, 2, 3))


def test_latents_of_discriminator_and_generator_pull_in_opposite_ways() -> None:
    game = small(WGANGP, regularizers=[ZCR(5.0, 0.5, sigma=0.25)])
    game.generator, game.discriminator = Line(), Brightness()
    batch = exchange(game)
    torch.manual_seed(7)
    change = 0.25 * torch.randn(8, 4)[:, 0]
    assert_close(
        terms_of(game, "discriminator", batch.detached())["latent_consistency"], 5 * (6 * change).square().mean()
    )
    term = terms_of(game, "generator", batch)["latent_diversity"]
    assert_close(term, -0.5 * (2 * change).square().mean())
    # Downhill is a larger weight: images that differ more. d/dw = -0.5 * 2 w E e^2.
    term.backward()
    assert_close(game.generator.weight.grad, -2 * change.square().mean())


def test_codes_are_not_moved() -> None:
    game: Any = small(InfoGAN, regularizers=[ZCR(sigma=0.5)])
    batch = exchange(game)
    moved = game.regularizers[0]._moved(game, batch).latent
    assert torch.equal(moved[:, 4:], batch.latent[:, 4:])
    assert (moved[:, :4] != batch.latent[:, :4]).all()


def test_classes_that_come_with_the_noise_are_not_moved() -> None:
    """BigGAN, the paper's own: its fakes have classes of their own, and they are judged by these."""
    game: Any = small(BigGAN, regularizers=[ZCR(sigma=0.5)])
    batch = exchange(game)
    # Noise, then the classes as columns of zeros and ones
    moved, noise = game.regularizers[0]._moved(game, batch).latent, game.latent_dim
    assert (moved[:, :noise] != batch.latent[:, :noise]).all()
    assert torch.equal(moved[:, noise:], batch.latent[:, noise:])
    assert terms_of(game, "discriminator", batch.detached())["latent_consistency"] > 0
    assert terms_of(game, "generator", batch)["latent_diversity"] < 0
