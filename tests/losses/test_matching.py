"""Losses of pairs of image and text against cases worked by hand, in plain loops."""

import math

import pytest
import torch

from gan_lightning.losses import joint_embedding, matching_aware_discriminator


def test_the_matching_aware_loss_is_algorithm_1() -> None:
    real, wrong, fake = torch.tensor([1.0, -2.0]), torch.tensor([0.5, 3.0]), torch.tensor([-1.0, 0.0])

    def sigmoid(s: float) -> float:
        return 1 / (1 + math.exp(-s))

    expected = (
        -sum(
            math.log(sigmoid(r)) + (math.log(1 - sigmoid(w)) + math.log(1 - sigmoid(f))) / 2
            for r, w, f in zip(real.tolist(), wrong.tolist(), fake.tolist(), strict=True)
        )
        / 2
    )
    terms = matching_aware_discriminator(real, wrong, fake)
    assert sum(term.item() for term in terms.values()) == pytest.approx(expected, rel=1e-6)
    plain = matching_aware_discriminator(real, wrong, fake, wrong_weight=0)
    assert plain["wrong"] == 0
    assert plain["fake"].item() == pytest.approx(2 * terms["fake"].item())
    undecided = matching_aware_discriminator(*3 * [torch.zeros(4)])
    assert sum(term.item() for term in undecided.values()) == pytest.approx(2 * math.log(2))


def test_the_joint_embedding_is_the_authors_double_loop() -> None:
    torch.manual_seed(0)
    images, texts = torch.randn(5, 3), torch.randn(5, 3)
    expected = {"text_of_image": 0.0, "image_of_text": 0.0}
    for name, one, other in [("text_of_image", images, texts), ("image_of_text", texts, images)]:
        for i in range(5):
            own = sum(a * b for a, b in zip(one[i].tolist(), other[i].tolist(), strict=True))
            for j in range(5):
                if j != i:
                    score = sum(a * b for a, b in zip(one[i].tolist(), other[j].tolist(), strict=True))
                    expected[name] += max(0.0, score - own + 1) / 25
    terms = joint_embedding(images, texts)
    assert {name: term.item() for name, term in terms.items()} == pytest.approx(expected, rel=1e-5)


def test_pairs_that_match_too_are_left_out() -> None:
    # All features equal: every other pair costs the margin.
    features = torch.ones(4, 2)
    assert joint_embedding(features, features, margin=2.0)["text_of_image"].item() == pytest.approx(2 * 12 / 16)
    same = torch.zeros(4, 4, dtype=torch.bool)
    same[0, 1] = same[1, 0] = True
    assert joint_embedding(features, features, same)["text_of_image"].item() == pytest.approx(10 / 16)
    far = 10 * torch.eye(4)
    assert sum(joint_embedding(far, far).values()) == 0
