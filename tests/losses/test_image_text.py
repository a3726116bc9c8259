"""DAMSM's losses against loops over images, texts, words and regions; a condition's divergence against torch's own."""

import math
from collections.abc import Set as AbstractSet

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence
from torch.testing import assert_close

from gan_lightning.losses import color_consistency, condition_kl, image_text_matching
from gan_lightning.losses.image_text import contrastive, sentence_scores, word_attention, word_scores

LENGTHS = [3, 1, 5]
"""Words of three texts, of at most 5."""


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def batch() -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Regions, codes, words, sentences and mask of three images and texts; what stands at padding must not matter."""
    mask = torch.arange(5) < torch.tensor(LENGTHS)[:, None]
    regions, words = torch.randn(3, 4, 2, 3).double(), torch.randn(3, 4, 5).double()
    return regions, torch.randn(3, 4).double(), words, torch.randn(3, 4).double(), mask


def softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values)
    return powers / powers.sum()


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def attention_in_loops(regions: np.ndarray, words: np.ndarray, gamma_1: float) -> np.ndarray:
    """Of one image (R x E) and one text (T x E), T x R."""
    over_words = np.array([softmax(np.array([word @ region for word in words])) for region in regions])  # R x T
    return np.array([softmax(gamma_1 * over_words[:, i]) for i in range(len(words))])


def score_in_loops(regions: np.ndarray, words: np.ndarray, gamma_1: float, gamma_2: float) -> float:
    total = 0.0
    for word, looks in zip(words, attention_in_loops(regions, words, gamma_1), strict=True):
        context = sum(weight * region for weight, region in zip(looks, regions, strict=True))
        total += math.exp(gamma_2 * cosine(context, word))
    return math.log(total)


def contrastive_in_loops(
    scores: np.ndarray, gamma_3: float, excluded: AbstractSet[tuple[int, int]] = frozenset()
) -> float:
    n, total = len(scores), 0.0
    for table, pairs in ((scores, excluded), (scores.T, {(j, i) for i, j in excluded})):
        for i in range(n):
            below = sum(math.exp(gamma_3 * table[i, j]) for j in range(n) if (i, j) not in pairs)
            total -= math.log(math.exp(gamma_3 * table[i, i]) / below) / n
    return total


@pytest.mark.parametrize(("gamma_1", "gamma_2", "gamma_3"), [(4.0, 5.0, 10.0), (1.0, 2.0, 0.5)])
@pytest.mark.parametrize("with_classes", [False, True])
def test_damsm_agrees_with_loops(gamma_1: float, gamma_2: float, gamma_3: float, with_classes: bool) -> None:
    regions, codes, words, sentences, mask = batch()
    # Images and texts 0 and 2 are of one class.
    same = torch.tensor([[1, 0, 1], [0, 1, 0], [1, 0, 1]], dtype=torch.bool) if with_classes else None
    excluded = {(0, 2), (2, 0)} if with_classes else set()
    by_words, by_sentence = np.empty((3, 3)), np.empty((3, 3))
    for i in range(3):
        places = regions[i].flatten(1).T.numpy()
        for j in range(3):
            text = words[j].T[: LENGTHS[j]].numpy()
            by_words[i, j] = score_in_loops(places, text, gamma_1, gamma_2)
            by_sentence[i, j] = cosine(codes[i].numpy(), sentences[j].numpy())
    terms = image_text_matching(regions, codes, words, sentences, mask, same, gamma_1, gamma_2, gamma_3)
    assert terms["words"].item() == pytest.approx(contrastive_in_loops(by_words, gamma_3, excluded), rel=1e-9)
    assert terms["sentence"].item() == pytest.approx(contrastive_in_loops(by_sentence, gamma_3, excluded), rel=1e-9)


def test_attention_agrees_with_loops() -> None:
    regions, _, words, _, mask = batch()
    attention = word_attention(regions.flatten(2), words, mask, 4.0)  # N x M x T x R
    for i in range(3):
        for j in range(3):
            expected = attention_in_loops(regions[i].flatten(1).T.numpy(), words[j].T[: LENGTHS[j]].numpy(), 4.0)
            assert_close(attention[i, j, : LENGTHS[j]], torch.from_numpy(expected))


def test_padding_has_no_effect_and_takes_no_gradient() -> None:
    regions, codes, words, sentences, mask = batch()
    expected = image_text_matching(regions, codes, words, sentences, mask)
    changed = words.masked_fill(~mask[:, None], 0.0).requires_grad_()
    terms = image_text_matching(regions, codes, changed, sentences, mask)
    assert_close(terms, expected)
    terms["words"].backward()
    assert changed.grad is not None
    assert torch.isfinite(changed.grad).all()
    assert (changed.grad.masked_select(~mask[:, None]) == 0).all()
    assert (changed.grad.masked_select(mask[:, None]) != 0).all()


def test_matching_pairs_have_the_lowest_loss() -> None:
    codes = torch.eye(4, dtype=torch.float64)
    right = contrastive(sentence_scores(codes, codes))
    assert right < contrastive(sentence_scores(codes, codes.roll(1, 0)))
    assert right.item() == pytest.approx(2 * math.log(1 + 3 * math.exp(-10)))
    # As if guessed: log N in each direction
    assert contrastive(torch.zeros(4, 4)).item() == pytest.approx(2 * math.log(4))


def test_scores_of_half_precision_are_exact_enough() -> None:
    regions, _, words, _, mask = batch()
    regions, words = regions.bfloat16(), words.bfloat16()
    assert_close(word_scores(regions, words, mask), word_scores(regions.float(), words.float(), mask), rtol=0, atol=0)


def test_condition_kl_is_that_of_normal_distributions() -> None:
    mean, log_variance = torch.randn(5, 3).double(), torch.randn(5, 3).double()
    posterior = Normal(mean, (0.5 * log_variance).exp())
    expected = kl_divergence(posterior, Normal(torch.zeros(()).double(), torch.ones(()).double())).mean()
    assert_close(condition_kl(mean, log_variance), expected)
    assert condition_kl(torch.zeros(2, 3), torch.zeros(2, 3)).item() == 0


def test_color_consistency_against_numpy() -> None:
    fine, coarse = torch.rand(2, 3, 8, 8).double() * 2 - 1, torch.rand(2, 3, 4, 4).double() * 2 - 1
    means, covariances = [], []
    for images in (fine, coarse):
        pixels = images.flatten(2).numpy()
        means.append(pixels.mean(axis=2))
        covariances.append(np.stack([np.cov(each, bias=True) for each in pixels]))
    expected = np.square(means[0] - means[1]).mean() + 5 * np.square(covariances[0] - covariances[1]).mean()
    assert color_consistency(fine, coarse).item() == pytest.approx(expected)
    # The same picture in another size has the same colors.
    assert color_consistency(coarse.repeat_interleave(2, 2).repeat_interleave(2, 3), coarse).item() < 1e-12
