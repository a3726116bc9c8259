"""R-precision, retrieval accuracy and the CLIP score against loops and another library's formula."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from datamodules.components.tokens import TextTokenizer
from gan_lightning.metrics.retrieval import clip_score, distinct_texts, r_precision, retrieval_accuracy


def test_r_precision_with_all_texts_as_candidates_is_the_share_of_nearest_texts() -> None:
    torch.manual_seed(0)
    texts = torch.randn(12, 5)
    own = torch.arange(60) % 12
    images = texts[own] + 1.5 * torch.randn(60, 5)
    hits = []
    for image, mine in zip(images, own.tolist(), strict=True):
        scores = [float(image @ text / image.norm() / text.norm()) for text in texts]
        hits.append(max(range(12), key=scores.__getitem__) == mine)
    assert 0.2 < sum(hits) / 60 < 0.9
    result = r_precision(images, texts, own, n_candidates=12)
    assert result.mean == pytest.approx(sum(hits) / 60)
    folds = [sum(hits[i : i + 6]) / 6 for i in range(0, 60, 6)]
    mean = sum(folds) / 10
    assert result.std == pytest.approx(math.sqrt(sum((fold - mean) ** 2 for fold in folds) / 9))
    accuracy, _ = retrieval_accuracy(images, texts, own)
    assert accuracy == pytest.approx(result.mean)


@pytest.mark.parametrize("n_candidates", [2, 10, 100])
def test_chance(n_candidates: int) -> None:
    torch.manual_seed(0)
    n = 4000
    result = r_precision(torch.randn(n, 8), torch.randn(200, 8), torch.randint(0, 200, (n,)), n_candidates)
    p = 1 / n_candidates
    # Five standard deviations; images share texts, which adds little.
    assert result.mean == pytest.approx(p, abs=6 * math.sqrt(p * (1 - p) / n))


def test_perfect_features_and_equal_ones() -> None:
    texts = torch.eye(20)
    own = torch.arange(40) % 20
    assert r_precision(texts[own], texts, own, 20) == (1.0, 0.0)
    # Features that say nothing do not win.
    assert r_precision(torch.ones(40, 20), torch.ones(20, 20), own, 20).mean == 0
    assert math.isnan(r_precision(texts[:3], texts, own[:3], 20).std)


def test_the_candidates_are_those_of_the_seed() -> None:
    torch.manual_seed(0)
    texts, own = torch.randn(50, 4), torch.arange(300) % 50
    images = texts[own] + torch.randn(300, 4)
    torch.manual_seed(5)
    first = r_precision(images, texts, own, 10, seed=1)
    assert r_precision(images, texts, own, 10, seed=1) == first
    assert r_precision(images, texts, own, 10, seed=2) != first


def test_accuracy_of_several_images_of_a_text() -> None:
    # Texts at 0, 90 and 180 degrees; images of text 0 at 10 and 80, of text 1 at 70.
    degrees = torch.tensor([0.0, 90, 180, 10, 80, 70]).deg2rad()
    texts, images = torch.stack([degrees.cos(), degrees.sin()], 1).split(3)
    own = torch.tensor([0, 0, 1])
    # 10 -> text 0 (right), 80 -> text 1 (wrong), 70 -> text 1 (right); text 0 -> 10 (right), text 1 -> 80 (wrong).
    assert retrieval_accuracy(images, texts, own) == pytest.approx((2 / 3, 1 / 2))
    assert retrieval_accuracy(images, texts, own, k=2) == pytest.approx((1, 1))


def test_the_clip_score_is_100_times_the_mean_positive_cosine() -> None:
    images, texts = torch.tensor([[1.0, 0], [1, 1], [1, 0]]), torch.tensor([[2.0, 0], [1, 0], [-1, 0.5]])
    assert clip_score(images, texts) == pytest.approx(100 * (1 + math.sqrt(0.5)) / 3)
    torch.manual_seed(0)
    one, other = torch.randn(50, 6), torch.randn(50, 6)
    # As torchmetrics 1.9 computes it, but for its clamp of the mean.
    theirs = 100 * (F.normalize(one, dim=1) * F.normalize(other, dim=1)).sum(1)
    assert clip_score(one, other) == pytest.approx(theirs.clamp(min=0).mean().item(), rel=1e-5)


@pytest.mark.parametrize("n_candidates", [1, 4])
def test_what_cannot_be_measured_is_refused(n_candidates: int) -> None:
    with pytest.raises(ValueError, match=rf"^n_candidates is {n_candidates}, and there are 3 different texts"):
        r_precision(torch.randn(3, 2), torch.randn(3, 2), torch.arange(3), n_candidates)
    with pytest.raises(ValueError, match="and there are none"):
        r_precision(torch.randn(0, 2), torch.randn(3, 2), torch.arange(0), 2)
    with pytest.raises(ValueError, match=r"^k is 0 and there are 3 images"):
        retrieval_accuracy(torch.randn(3, 2), torch.randn(3, 2), torch.arange(3), k=0)


@pytest.mark.parametrize("own", [[0, 1], [0, 1, 3], [0, 1, -1], [[0], [1], [2]]])
def test_a_text_for_each_image(own: list[Any]) -> None:
    for measure in (r_precision, retrieval_accuracy):
        with pytest.raises(ValueError, match=r"^own says which of 3 texts each of 3 images was made of, and has shape"):
            measure(torch.randn(3, 4), torch.randn(3, 4), torch.tensor(own), 2)


def test_features_that_are_no_numbers_have_no_precision() -> None:
    texts, own = torch.eye(12), torch.arange(12)
    for broken in (math.nan, math.inf):
        images = texts.clone()
        images[3, 0] = broken
        assert all(map(math.isnan, r_precision(images, texts, own, 12)))
        assert all(map(math.isnan, retrieval_accuracy(texts, images, own)))


def test_texts_that_encoders_read_alike_are_one() -> None:
    class Pair:
        tokenizer = TextTokenizer.train(["red apple", "red"], max_tokens=2)

    texts = ["red apple", "red pear", "Red plum", "red apple pie", "red"]
    assert distinct_texts(Pair(), texts)[0] == ["red apple", "red pear", "red"]
    assert distinct_texts(Pair(), texts)[1].tolist() == [0, 1, 1, 0, 2]
    assert distinct_texts(object(), [*texts, "red"])[1].tolist() == [0, 1, 2, 3, 4, 4]
