"""What is special to EBGAN: the energy, its hinge, and the regulariser of the generator."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from gan_lightning.games.batch import GameBatch
from gan_lightning.networks import ConvAutoencoder
from gan_lightning.variants import EBGAN
from tests.helpers.games import small


class Half(nn.Module):
    """Reconstructs half of every pixel, so the energy is half the norm; the code is the image."""

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return images / 2, images


def game() -> Any:
    model = small(EBGAN)
    model.discriminator = Half()
    return model


def with_norms(*norms: float) -> Tensor:
    images = torch.randn(len(norms), 1, 16, 16, generator=torch.Generator().manual_seed(0))
    unit = images / images.flatten(1).norm(dim=1)[:, None, None, None]
    return unit * torch.tensor(norms)[:, None, None, None]


def test_energy_is_one_norm_an_image_and_the_hinge_is_on_each() -> None:
    model = game()
    model.margin = 10.0
    terms = model.discriminator_loss(GameBatch(with_norms(2, 6), fake=with_norms(0.5, 24)))
    assert terms["real"].item() == pytest.approx((1 + 3) / 2)
    assert terms["fake"].item() == pytest.approx((9.75 + 0) / 2)
    assert terms.keys() == {"real", "fake"}  # the regulariser is the generator's


def test_the_generators_gradient_passes_through_both_sides_of_the_norm() -> None:
    """d/dx ||x / 2 - x|| = x / (2 ||x||); with the target held constant it would point the other way."""
    model = game()
    images = with_norms(3, 5).requires_grad_()
    model.generator_loss(GameBatch(None, fake=images))["adversarial"].backward()
    assert_close(images.grad, with_norms(0.5, 0.5) / 2)


def test_the_regulariser_is_of_codes_and_weighted() -> None:
    model = game()
    images = torch.cat([with_norms(3), -2 * with_norms(3)])
    terms = model.generator_loss(GameBatch(None, fake=images))
    assert terms["pulling_away"].item() == pytest.approx(0.1)  # opposite codes: squared cosine 1
    model.pulling_away_weight = 0
    assert model.generator_loss(GameBatch(None, fake=images)).keys() == {"adversarial"}


def test_the_regulariser_moves_the_generator() -> None:
    model = small(EBGAN)
    batch = model.draw_latents(model.prepare_batch(torch.zeros(5, 1, 16, 16)))
    fake = model.generate_fakes(batch)
    model.generator_loss(GameBatch(batch.real, None, batch.latent, fake))["pulling_away"].backward()
    assert all(weight.grad is not None for weight in model.generator.parameters())
    assert any(weight.grad.abs().sum() > 0 for weight in model.generator.parameters())


def test_the_auto_encoder() -> None:
    image = torch.randn(2, 3, 64, 64)
    reconstruction, code = ConvAutoencoder()(image)
    assert reconstruction.shape == image.shape
    assert code.shape == (2, 256, 8, 8)
    with pytest.raises(ValueError, match="sides are multiples of 8, not 28 x 28"):
        ConvAutoencoder((1, 28, 28))


def test_the_papers_rate() -> None:
    for optimizer in small(EBGAN).configure_optimizers()[0]:
        assert optimizer.param_groups[0]["lr"] == 1e-3
