"""GAN-CLS: the three pairs of its discriminator, and the midpoints of its generator."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from gan_lightning.games.batch import GameBatch
from gan_lightning.games.text import Captions
from gan_lightning.networks.text import Text
from gan_lightning.variants import GANCLS, JointEmbedding
from tests.helpers.games import small


class Product(nn.Module):
    """The logit is the image's first pixel times the text's first feature."""

    def forward(self, images: Tensor, sentence: Tensor) -> Tensor:
        return images[:, 0, 0, 0] * sentence[:, 0]


class Paints(nn.Module):
    """Images of the text's first feature."""

    def forward(self, latent: Tensor, sentence: Tensor) -> Tensor:
        return sentence[:, :1, None, None].expand(-1, 1, 2, 2)


def texts(*values: float) -> Text:
    sentence = torch.tensor(values)[:, None]
    return Text(sentence[..., None], sentence, torch.ones(len(values), 1, dtype=torch.bool))


def images(*values: float) -> Tensor:
    return torch.tensor(values)[:, None, None, None].expand(-1, 1, 2, 2)


def sp(s: float) -> float:
    return math.log1p(math.exp(s))


def exchange(**arguments: Any) -> tuple[GANCLS, GameBatch]:
    model = small(GANCLS, **arguments)
    assert isinstance(model, GANCLS)
    model.discriminator, model.generator = Product(), Paints()
    captions = Captions(torch.ones(4, 1), text=texts(1, 2, -1, 3), wrong=texts(-2, 1, 1, 0.5))
    return model, GameBatch(images(0.5, -0.2, 1, 0.3), captions, torch.zeros(4, 4), images(0.1, 0.2, 0.3, 0.4))


def test_the_discriminator_sees_the_three_pairs_of_algorithm_1() -> None:
    model, batch = exchange()
    terms = {name: term.item() for name, term in model.discriminator_loss(batch).items()}
    assert terms == pytest.approx(
        {
            "real": (sp(-0.5) + sp(0.4) + sp(1) + sp(-0.9)) / 4,
            "wrong": (sp(-1) + sp(-0.2) + sp(1) + sp(0.15)) / 8,
            "fake": (sp(0.1) + sp(0.4) + sp(-0.3) + sp(1.2)) / 8,
        }
    )


def test_without_wrong_texts_it_is_a_conditional_gan() -> None:
    model, batch = exchange(wrong_weight=0)
    terms = model.discriminator_loss(batch)
    assert terms["wrong"] == 0
    assert terms["fake"].item() == pytest.approx((sp(0.1) + sp(0.4) + sp(-0.3) + sp(1.2)) / 4)


def test_the_generator_also_answers_for_midpoints() -> None:
    model, batch = exchange()
    terms = {name: term.item() for name, term in model.generator_loss(batch).items()}
    # Texts 0 and 2, 1 and 3; a painted midpoint m has the logit m * m.
    midpoints = [(1 - 1) / 2, (2 + 3) / 2]
    own = sp(-0.1) + sp(-0.4) + sp(0.3) + sp(-1.2)
    expected = {"adversarial": own / 6, "interpolated": sum(sp(-(m**2)) for m in midpoints) / 6}
    assert terms == pytest.approx(expected)
    model, batch = exchange(interpolation_weight=0)
    assert {name: term.item() for name, term in model.generator_loss(batch).items()} == pytest.approx(
        {"adversarial": own / 4}
    )


def test_a_weight_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^wrong_weight is 1.0: it must be less than 1, for fakes have the rest"):
        small(GANCLS, wrong_weight=1.0)
    with pytest.raises(ValueError, match=r"^wrong_weight is -0.1: it must be at least 0"):
        small(GANCLS, wrong_weight=-0.1)


def test_pairs_of_one_text_or_one_class_do_not_count_as_wrong() -> None:
    model = small(JointEmbedding)
    tokens = torch.tensor([[2, 3], [4, 0], [2, 3]])
    features, text = torch.ones(3, 8), Text(torch.ones(3, 8, 2), torch.ones(3, 8), tokens > 0)

    def loss(labels: Tensor | None) -> float:
        batch = GameBatch(torch.zeros(3, 1, 16, 16), Captions(tokens, labels=labels))
        return model.matching_loss(features, features, text, batch)["text_of_image"].item()

    assert loss(None) == pytest.approx(4 / 9)
    assert loss(torch.tensor([0, 1, 1])) == pytest.approx(2 / 9)
    assert_close(loss(torch.tensor([0, 0, 0])), 0.0)
