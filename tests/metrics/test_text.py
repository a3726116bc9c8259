"""BLEU and its kin, against NLTK and against cases worked by hand."""

import random

import pytest

from gan_lightning.metrics.text import (
    bleu,
    copied_ngrams,
    copied_texts,
    distinct_texts,
    self_bleu,
    validity,
)

nltk = pytest.importorskip("nltk.translate.bleu_score")
SMOOTH = nltk.SmoothingFunction().method1


def _texts(seed: int, n: int, vocabulary: str = "aaabbcde") -> list[list[str]]:
    """Texts of 1 to 9 letters, some of which are frequent, so that counts are clipped and some are missing."""
    draw = random.Random(seed)
    return [[draw.choice(vocabulary) for _ in range(draw.randint(1, 9))] for _ in range(n)]


def _of_nltk(text: list[str], references: list[list[str]], n: int) -> float:
    return nltk.sentence_bleu(references, text, [1 / n] * n, SMOOTH)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_bleu_is_that_of_nltk(n: int) -> None:
    texts, references = _texts(0, 40, "aaabbcdexyz"), _texts(1, 7)
    expected = sum(_of_nltk(text, references, n) for text in texts) / 40
    assert bleu(texts, references)[n - 1] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("n", [2, 4])
def test_self_bleu_leaves_out_the_text_itself(n: int) -> None:
    texts = [*_texts(2, 12), *_texts(2, 2)]  # two of them are there twice
    each = [_of_nltk(text, texts[:i] + texts[i + 1 :], n) for i, text in enumerate(texts)]
    assert self_bleu(texts)[n - 1] == pytest.approx(sum(each) / len(each), abs=1e-12)


def test_a_case_by_hand() -> None:
    # One of three words is known twice, but a reference has it once: p_1 = 2/3; one of two pairs: p_2 = 1/2.
    scores = bleu([["the", "cat", "the"]], [["the", "cat", "sat"]], 2)
    assert scores == pytest.approx([2 / 3, (2 / 3 * 1 / 2) ** 0.5])


def test_a_text_that_shares_no_word_scores_nothing() -> None:
    assert bleu([["x", "y"]], [["a", "b"]], 3) == [0, 0, 0]


def test_equal_texts_have_the_greatest_self_bleu() -> None:
    assert self_bleu([list("abcdef")] * 3) == pytest.approx([1.0] * 5)


def test_of_texts_shorter_than_n_even_copies_are_below_one() -> None:
    # By hand: two words and one pair match, and two orders without n-grams count a tenth each.
    assert self_bleu([["red", "heart"]] * 3, 4) == pytest.approx([1, 1, 0.1 ** (1 / 3), 0.1 ** (2 / 4)])


def test_copies_are_counted() -> None:
    training = [list("abcde"), list("xyz")]
    assert copied_ngrams([list("abcd"), list("bcdx")], training, 3) == pytest.approx(3 / 4)  # abc bcd | bcd, not cdx
    assert copied_ngrams([["a"]], training, 3) == 0
    assert copied_texts([list("xyz"), list("xy"), list("abcde"), list("zyx")], training) == 0.5
    assert distinct_texts([list("ab"), list("ab"), list("ba"), list("b")]) == 0.75


def test_validity_is_a_share() -> None:
    assert validity(["x", "x+x", "+x", ""], lambda text: text.startswith("x")) == 0.5


def test_nothing_cannot_be_measured() -> None:
    with pytest.raises(ValueError, match="takes 2 at least"):
        self_bleu([["a"]])
    with pytest.raises(ValueError, match="needs references"):
        bleu([["a"]], [])
