"""What is special to ACGAN: the class loss of both players, on real and on fake."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_lightning.games.batch import GameBatch
from gan_lightning.networks import ClassifyingDiscriminator
from gan_lightning.variants import ACGAN
from tests.helpers.games import small


class Says(nn.Module):
    """Judges an image by its pixels: the first is the logit, the next are those of the classes."""

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        flat = images.flatten(1)
        return flat[:, 0], flat[:, 1:11]


def exchange() -> tuple[Any, GameBatch]:
    model = small(ACGAN)
    model.discriminator = Says()
    images = torch.randn(2, 6, 1, 16, 16)
    return model, GameBatch(images[0], torch.arange(6), None, images[1].requires_grad_())


def test_no_term_has_a_weight() -> None:
    model, batch = exchange()
    (real, real_class), (fake, fake_class) = Says()(batch.real), Says()(batch.fake)
    expected_d = {
        "real": F.binary_cross_entropy_with_logits(real, torch.ones(6)),
        "fake": F.binary_cross_entropy_with_logits(fake, torch.zeros(6)),
        "class_real": F.nll_loss(real_class.log_softmax(1), batch.condition),
        "class_fake": F.nll_loss(fake_class.log_softmax(1), batch.condition),
    }
    torch.testing.assert_close(model.discriminator_loss(batch), expected_d)
    expected_g = {
        "adversarial": F.binary_cross_entropy_with_logits(fake, torch.ones(6)),
        "class": expected_d["class_fake"],
    }
    torch.testing.assert_close(model.generator_loss(batch), expected_g)


def test_a_discriminator_that_knows_nothing_pays_log_10_twice() -> None:
    model, batch = exchange()
    batch = GameBatch(torch.zeros(6, 1, 16, 16), batch.condition, None, torch.zeros(6, 1, 16, 16))
    total = sum(model.discriminator_loss(batch).values()).item()
    assert total == pytest.approx(math.log(4) + 2 * math.log(10))


def test_the_class_moves_the_generator() -> None:
    model, batch = exchange()
    model.generator_loss(batch)["class"].backward()
    gradient = batch.fake.grad.flatten(1)[:, 1:11]
    assert (gradient.gather(1, batch.condition[:, None]) < 0).all()  # descending raises the logit asked for
    assert gradient.sum(dim=1).abs().max() < 1e-6


def test_the_weight_of_the_class() -> None:
    torch.manual_seed(0)
    model, batch = exchange()
    before = model.generator_loss(batch), model.discriminator_loss(batch)
    model.class_weight = 0.25
    for terms, after in zip(before, (model.generator_loss(batch), model.discriminator_loss(batch)), strict=True):
        for name, term in terms.items():
            factor = 0.25 if name.startswith("class") else 1
            torch.testing.assert_close(after[name], factor * term)


def test_the_discriminator_is_the_papers() -> None:
    layers = list(ClassifyingDiscriminator().features)
    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [16, 32, 64, 128, 256, 512]
    assert [layer.stride[0] for layer in convolutions] == [2, 1, 2, 1, 2, 1]
    assert [layer.p for layer in layers if isinstance(layer, nn.Dropout)] == [0.5] * 6
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in layers) == 5
    assert ClassifyingDiscriminator().linear.weight.shape == (11, 512 * 4 * 4)
    logits, classes = ClassifyingDiscriminator((1, 28, 28), 7, width=2)(torch.randn(3, 1, 28, 28))
    assert logits.shape == (3,)
    assert classes.shape == (3, 7)
