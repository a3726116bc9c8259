"""Top-k training against plain torch."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from gan_lightning.games.batch import GameBatch
from gan_lightning.games.regularized import regularized
from gan_lightning.regularizers import ZCR, TopK
from gan_lightning.variants import DCGAN, FeatureMatchingGAN, ProjectionGAN, RelativisticGAN, UnrolledGAN
from tests.helpers.games import example_batch, small

HALF = TopK(gamma=0.5, nu=0.5, decay_images=1)


def game_at(epoch: int = 0, images: int = 0, smallest: int = 1) -> Any:
    return SimpleNamespace(current_epoch=epoch, images_seen=images, smallest_batch=smallest)


def test_k_falls_by_gamma_an_epoch_to_nu() -> None:
    top_k = TopK()
    # 0.99^1 * 200 = 198, 0.99^2 * 200 = 196.02; 0.99^69 is below a half.
    assert [top_k.kept(game_at(epoch), 200) for epoch in (0, 1, 2, 69, 1000)] == [200, 198, 196, 100, 100]
    by_images = TopK(gamma=0.5, nu=0.25, decay_images=1000)
    assert [by_images.kept(game_at(9, images), 64) for images in (0, 999, 1000, 2000, 9000)] == [64, 64, 32, 16, 16]
    assert by_images.kept(game_at(images=9000, smallest=2), 4) == 2
    assert by_images.kept(game_at(images=9000), 1) == 1


def exchange(game: Any, n: int = 8) -> GameBatch:
    torch.manual_seed(1)
    batch = game.draw_latents(game.prepare_batch(example_batch(game, n)))
    return replace(batch, fake=game.generate_fakes(batch))


class Brightness(nn.Module):
    """Judges by brightness and label, so that neither alone gives the order."""

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        logits = images.mean(dim=(1, 2, 3))
        return logits if labels is None else logits + labels.remainder(3)


@pytest.mark.parametrize("variant", [DCGAN, ProjectionGAN, RelativisticGAN])
def test_the_generator_learns_from_the_best_fakes_alone(variant: Any) -> None:
    game = small(variant, regularizers=[HALF], **({"form": "RSGAN"} if variant is RelativisticGAN else {}))
    game.discriminator = Brightness()
    game.images_seen = 1
    batch = exchange(game)
    labels = [batch.condition] if variant is ProjectionGAN else []
    with torch.no_grad():
        best = game.discriminator(batch.fake, *labels).flatten().argsort(descending=True)[:4]
    fake = batch.fake.detach().requires_grad_()
    terms = regularized(game, "generator", game.generator_loss, replace(batch, fake=fake))
    plain = fake.detach().clone().requires_grad_()
    # The loss of a batch that never had the others.
    chosen = {"real": batch.real[best], "latent": batch.latent[best], "fake": plain[best]}
    condition = batch.condition[best] if isinstance(batch.condition, Tensor) else None
    expected = game.generator_loss(GameBatch(condition=condition, **chosen))
    assert_close(terms, expected)
    (gradient,) = torch.autograd.grad(sum(terms.values()), fake)
    (right,) = torch.autograd.grad(sum(expected.values()), plain)
    assert_close(gradient, right, atol=1e-9, rtol=1e-5)
    others = [i for i in range(8) if i not in best]
    assert not gradient[others].any()
    assert gradient[best].flatten(1).any(dim=1).all()


def test_terms_of_other_regularisers_are_of_the_whole_batch() -> None:
    game = small(DCGAN, regularizers=[HALF, ZCR()])
    game.images_seen = 1
    seen = []
    generate = game.generate_fakes
    game.generate_fakes = lambda batch: seen.append(len(batch.latent)) or generate(batch)
    batch = exchange(game)
    seen.clear()
    regularized(game, "generator", game.generator_loss, batch)
    assert seen == [8]


@pytest.mark.parametrize("variant", [FeatureMatchingGAN, UnrolledGAN])
def test_a_loss_without_scores_of_fakes_is_refused(variant: Any) -> None:
    """Features are matched, and a discriminator that looks ahead is another one."""
    game = small(variant, regularizers=[HALF])
    game.images_seen = 1
    with pytest.raises(ValueError, match=rf"called on the fakes as they are, .*{variant.__name__}'s is not"):
        regularized(game, "generator", game.generator_loss, exchange(game))
