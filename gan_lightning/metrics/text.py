"""Measures of generated texts: BLEU, self-BLEU, copies of training data, validity.

A text is a sequence of tokens: words, or numbers. BLEU is the sentence BLEU of NLTK with smoothing method 1, as papers
after SeqGAN report it; a BLEU without the numbers of samples and references can be compared with no other. A text of
fewer than n words has a BLEU-n below 1 even against its own copy, 0.32 for two words and n = 4: of short texts, read
the BLEU of as few words as they have.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from statistics import fmean

Tokens = Sequence[Hashable]
NGram = tuple[Hashable, ...]

_SMOOTHING = 0.1
"""Matches that are counted where there is none: NLTK's smoothing method 1 (Chen, Cherry, 2014, method 1)."""


class References:
    """How often each n-gram is in a reference at most: what a text is compared with.

    Args:
        references: Texts, at least one.
        largest: The n of the longest n-grams.

    Raises:
        ValueError: There are none.
    """

    def __init__(self, references: Sequence[Tokens], largest: int) -> None:
        if not references:
            raise ValueError("BLEU needs references, at least one text, and there are none.")
        self.largest = largest
        self.lengths = Counter(map(len, references))
        # The largest count, the text that has it, and the largest count of the others: so any text can be left out.
        self._most: dict[NGram, tuple[int, int, int]] = {}
        for owner, reference in enumerate(references):
            for n in range(1, largest + 1):
                for ngram, count in Counter(ngrams(reference, n)).items():
                    best, who, second = self._most.get(ngram, (0, -1, 0))
                    ranked = (count, owner, best) if count > best else (best, who, max(second, count))
                    self._most[ngram] = ranked

    def count(self, ngram: NGram, left_out: int | None = None) -> int:
        """Occurrences of an n-gram in the reference that has most of it, one of them left out or none."""
        best, who, second = self._most.get(ngram, (0, -1, 0))
        return second if who == left_out else best

    def closest_length(self, length: int, left_out: int | None = None) -> int:
        """Length of the reference nearest to this one, the smaller of two; ``left_out``: a length not counted once."""
        lengths = [each for each, count in self.lengths.items() if count > (each == left_out)]
        return min(lengths, key=lambda each: (abs(each - length), each))


def ngrams(tokens: Tokens, n: int) -> Iterator[NGram]:
    """Runs of ``n`` neighbours of a text, in order."""
    return (tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))


def sentence_bleu(tokens: Tokens, references: References, own: int | None = None) -> list[float]:
    """BLEU-1 to BLEU-n of a text, each with equal weights.

    The geometric mean of the precisions ``p_1 ... p_n``, times ``exp(1 - r / c)`` where the text, of c tokens, is
    shorter than r, the nearest length of a reference (Papineni et al., ACL 2002). A precision is the share of the
    text's n-grams that are in the references, each counted at most as often as in one of them.

    Args:
        tokens: The text.
        references: What it is compared with; their ``largest`` is n.
        own: Number of the text among the references, which is then left out.

    Returns:
        Numbers from 0 to 1; 0 where no token is in any reference.
    """
    left_out = None if own is None else len(tokens)
    nearest = references.closest_length(len(tokens), left_out)
    penalty = 1.0 if len(tokens) > nearest else math.exp(1 - nearest / max(len(tokens), 1))
    scores: list[float] = []
    logarithm = 0.0
    for n in range(1, references.largest + 1):
        counts = Counter(ngrams(tokens, n))
        matches = sum(min(count, references.count(ngram, own)) for ngram, count in counts.items())
        if n == 1 and not matches:
            return [0.0] * references.largest
        logarithm += math.log((matches or _SMOOTHING) / max(counts.total(), 1))
        scores.append(penalty * math.exp(logarithm / n))
    return scores


def bleu(texts: Sequence[Tokens], references: Sequence[Tokens], largest: int = 5) -> list[float]:
    """Mean BLEU-1 to BLEU-``largest`` of texts: how much they are like the references, however alike they are.

    Raises:
        ValueError: There are no texts or no references.
    """
    _check_some(texts, 1)
    compared = References(references, largest)
    return _means([sentence_bleu(text, compared) for text in texts])


def self_bleu(texts: Sequence[Tokens], largest: int = 5) -> list[float]:
    """Mean BLEU of each text with all others as references: the lower, the more they differ (Zhu et al., SIGIR 2018,
    arXiv 1802.01886).

    Raises:
        ValueError: There are not two texts.
    """
    _check_some(texts, 2)
    compared = References(texts, largest)
    return _means([sentence_bleu(text, compared, own) for own, text in enumerate(texts)])


def copied_ngrams(texts: Sequence[Tokens], training: Sequence[Tokens], n: int = 4) -> float:
    """Share of the texts' n-grams that are in a training text, from 0 to 1; 0 where there are no n-grams."""
    known = {ngram for text in training for ngram in ngrams(text, n)}
    found = [ngram in known for text in texts for ngram in ngrams(text, n)]
    return fmean(found) if found else 0.0


def copied_texts(texts: Sequence[Tokens], training: Sequence[Tokens]) -> float:
    """Share of texts that are training texts as a whole, from 0 to 1.

    Raises:
        ValueError: There are no texts.
    """
    _check_some(texts, 1)
    known = {tuple(text) for text in training}
    return fmean(tuple(text) in known for text in texts)


def distinct_texts(texts: Sequence[Tokens]) -> float:
    """Number of different texts, as a share of all, from 0 to 1.

    Raises:
        ValueError: There are no texts.
    """
    _check_some(texts, 1)
    return len({tuple(text) for text in texts}) / len(texts)


def validity(texts: Sequence[str], is_valid: Callable[[str], bool]) -> float:
    """Share of texts that a grammar allows, from 0 to 1.

    Raises:
        ValueError: There are no texts.
    """
    _check_some(texts, 1)
    return fmean(bool(is_valid(text)) for text in texts)


def _check_some(texts: Sequence[object], least: int) -> None:
    if len(texts) < least:
        raise ValueError(f"There are {len(texts)} texts to measure, and this takes {least} at least.")


def _means(scores: Sequence[Sequence[float]]) -> list[float]:
    return [fmean(column) for column in zip(*scores, strict=True)]
