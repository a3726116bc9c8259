"""Expressions of the grammar, which one rule of five ends."""

from collections import Counter

import pytest

from datamodules import ExpressionsDataModule
from datamodules.components.tokens import TextTokenizer


def _texts(**arguments: int) -> list[str]:
    data = ExpressionsDataModule(**arguments)
    data.setup()
    return TextTokenizer(data.tokenizer).decode(data.splits.train.images)  # type: ignore[attr-defined]


def test_all_are_of_the_grammar() -> None:
    data = ExpressionsDataModule()
    assert all(map(data.is_valid, _texts()))
    assert not any(map(data.is_valid, ["", "x+", "+x", "xx", "x++x", "x+y", "x+x\n", "x + x", "?"]))
    assert data.is_valid("x*x-x/x")


def test_lengths_have_the_grammars_probabilities() -> None:
    """A tree of k operators has .8^k .2^(k + 1), and there are Catalan(k) trees; no more than five fit into 12."""
    weights = [catalan * 0.8**k * 0.2 ** (k + 1) for k, catalan in enumerate([1, 1, 2, 5, 14, 42])]
    found = Counter(len(text) // 2 for text in _texts(train_size=20_000))
    for k, weight in enumerate(weights):
        assert found[k] / 20_000 == pytest.approx(weight / sum(weights), abs=0.012)
    assert sum(found.values()) == sum(found[k] for k in range(6))


def test_operators_are_equally_frequent() -> None:
    counts = Counter("".join(_texts()))
    total = sum(counts[sign] for sign in "+-*/")
    assert all(counts[sign] / total == pytest.approx(0.25, abs=0.03) for sign in "+-*/")


def test_splits_differ_and_are_always_the_same() -> None:
    one, other = ExpressionsDataModule(seed=0), ExpressionsDataModule(seed=5)
    assert one.splits.train.images.equal(other.splits.train.images)  # type: ignore[attr-defined]
    assert not one.splits.val.images.equal(one.splits.test.images)  # type: ignore[attr-defined]
    assert next(iter(one.train_dataloader())).shape == (200, 12)
