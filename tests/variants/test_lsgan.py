"""What is special to LSGAN: squared distances to the targets 0, 1 and 1, halved."""

import pytest

from gan_lightning.variants import LSGAN
from tests.helpers.games import answered, small


def test_losses_by_hand() -> None:
    discriminator, generator = answered(small(LSGAN, side=8), real=[0.5, 3.0], fake=[-1.0, 4.0])
    assert discriminator == pytest.approx({"real": (0.25 + 4) / 4, "fake": (1 + 16) / 4})
    assert generator == pytest.approx({"adversarial": (4 + 9) / 4})
