"""Arithmetic expressions of a small grammar, for experiments on sequence GANs."""

import re

import numpy as np

from datamodules.base import SplitDataModule, Splits, check_at_least
from datamodules.components.loading import TensorImages
from datamodules.components.tokens import TextTokenizer

_OPERATORS = "+-*/"
_VALID = re.compile(r"x([-+*/]x)*")
_STREAMS = (0, 1, 2)


class ExpressionsDataModule(SplitDataModule):
    """Strings of ``S -> x | S + S | S - S | S * S | S / S``, all five rules as probable (GumbelGAN, arXiv 1611.04051).

    Expressions longer than ``max_tokens`` are drawn again. Batches are characters as tokens, int32, N x ``max_tokens``;
    an expression that is shorter is filled up with 0, which ends it. Whether any text is of the grammar is known,
    :meth:`is_valid`, and the callback ``SequenceQuality`` logs the share of samples that are.

    Args:
        max_tokens: Length of a row; 12 in the paper.
        train_size: Expressions for training; 5,000 in the paper.
        val_size: Expressions for validation, and as many for testing.
        batch_size: Expressions in a batch, in each process.
        seed: The order of the training expressions is a function of this seed and the epoch.

    Attributes:
        tokenizer: JSON text of the tokenizer, of six characters.

    Raises:
        ValueError: An argument is out of its range.
    """

    examples = "expressions"

    def __init__(
        self, max_tokens: int = 12, train_size: int = 5000, val_size: int = 1000, batch_size: int = 200, seed: int = 0
    ) -> None:
        super().__init__(batch_size, seed)
        check_at_least(1, max_tokens=max_tokens, train_size=train_size, val_size=val_size)
        self.sizes = (train_size, val_size, val_size)
        self._tokenizer = TextTokenizer.train((), max_tokens, "characters", f"x{_OPERATORS}")
        self.tokenizer = self._tokenizer.json

    @property
    def location(self) -> str:
        return "the grammar"

    def load_splits(self) -> Splits:
        texts = [
            _drawn(size, self._tokenizer.max_tokens, stream) for size, stream in zip(self.sizes, _STREAMS, strict=True)
        ]
        return Splits(*(TensorImages(self._tokenizer.encode(some).int(), None) for some in texts))

    def is_valid(self, text: str) -> bool:
        """Whether a text is an expression of the grammar."""
        return _VALID.fullmatch(text) is not None


def _drawn(n: int, longest: int, stream: int) -> list[str]:
    """Draw ``n`` expressions of at most ``longest`` characters: a function of the stream."""
    random = np.random.default_rng(stream)
    texts: list[str] = []
    while len(texts) < n:
        # Symbols S that are not yet replaced; with four of five rules one becomes two.
        pending, operators = 1, 0
        while pending and 2 * operators + 1 <= longest:
            grows = random.random() < 0.8
            pending, operators = pending + (1 if grows else -1), operators + grows
        if pending == 0 and 2 * operators + 1 <= longest:
            texts.append("x" + "".join(f"{_OPERATORS[i]}x" for i in random.integers(4, size=operators)))
    return texts
