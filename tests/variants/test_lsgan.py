"""What is special to LSGAN: squared distances to the targets 0, 1 and 1, halved."""

import pytest
import torch

from gan_lightning.game import GameBatch
from gan_lightning.variants import LSGAN
from tests.games import small


def test_losses_by_hand() -> None:
    model = small(LSGAN, side=8)
    answers = {0.0: torch.tensor([0.5, 3.0]), 1.0: torch.tensor([-1.0, 2.0])}  # on real images, on fakes
    model.discriminator.forward = lambda images: answers[images.flatten()[0].item()]  # type: ignore[method-assign]
    batch = GameBatch(torch.zeros(2, 1, 8, 8), fake=torch.ones(2, 1, 8, 8))
    terms = model.discriminator_loss(batch)
    assert terms["real"].item() == pytest.approx((0.25 + 4) / 2 / 2)
    assert terms["fake"].item() == pytest.approx((1 + 4) / 2 / 2)
    assert sum(model.generator_loss(batch).values()).item() == pytest.approx((4 + 1) / 2 / 2)
