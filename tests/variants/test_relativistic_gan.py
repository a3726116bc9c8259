"""What is special to relativistic GANs: the roles are exchanged, in each of the paper's forms."""

import math
from typing import Any

import pytest
import torch

from gan_lightning.games.batch import GameBatch
from gan_lightning.losses.accuracy import ACCURACIES
from gan_lightning.losses.reported import listen, stop_listening
from gan_lightning.variants import RelativisticGAN
from tests.helpers.games import answered, example_batch, small


@pytest.mark.parametrize(
    ("form", "discriminator", "generator"),
    [
        # Real logits (1, 3) and fake ones (0, -2), with the means 2 and -1.
        ("RSGAN", (math.log1p(math.exp(-1)) + math.log1p(math.exp(-5))) / 2, (math.log1p(math.e) + 5.006715) / 2),
        ("RaSGAN", (math.log1p(math.exp(-2)) + math.log1p(math.exp(-4))) / 2, (2.126928 + 4.018150) / 2),
        ("RaLSGAN", (1 + 9) / 2, (9 + 25) / 2),
        ("RaHingeGAN", 0, (3 + 5) / 2),
    ],
)
def test_losses_by_hand(form: str, discriminator: float, generator: float) -> None:
    terms = answered(small(RelativisticGAN, form=form), real=[1.0, 3.0], fake=[0.0, -2.0])
    assert terms[0] == pytest.approx({"adversarial": discriminator})
    assert terms[1] == pytest.approx({"adversarial": generator})


def test_the_average_is_the_default() -> None:
    assert answered(small(RelativisticGAN), real=[1.0, 3.0], fake=[0.0, -2.0]) == answered(
        small(RelativisticGAN, form="RaSGAN"), real=[1.0, 3.0], fake=[0.0, -2.0]
    )


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(ValueError, match=r"form is 'SGAN': it must be one of RSGAN, RaSGAN, RaLSGAN, RaHingeGAN\."):
        small(RelativisticGAN, form="SGAN")


def test_the_generators_loss_does_not_speak_for_the_discriminator() -> None:
    """It shows the images in exchanged roles: who listens would take every verdict for its contrary."""
    model: Any = small(RelativisticGAN)
    batch = model.draw_latents(model.prepare_batch(example_batch(model, 6)))
    batch = GameBatch(batch.real, latent=batch.latent, fake=model.generate_fakes(batch))
    heard: list[str] = []

    def listener(name: str, value: torch.Tensor) -> None:
        heard.append(name)

    listen(listener)
    try:
        model.generator_loss(batch)
        assert not heard
        model.discriminator_loss(batch)
        assert heard == [*ACCURACIES]
    finally:
        stop_listening(listener)
