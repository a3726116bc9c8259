"""A fixed random LSTM whose sequences are data, and which knows how probable any sequence is."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float64]

_BLOCK = 1000
"""Sequences drawn at a time: their probabilities take 40 MB for 5,000 tokens."""


class Oracle:
    """An LSTM with weights N(0, 1), a function of the seed: the synthetic data of SeqGAN (arXiv 1609.05473).

    It predicts a token from those before it; the first from token 0, the start, and a state of zeros.

    Args:
        n_tokens: Size of the vocabulary, V.
        max_tokens: Length of its sequences, T.
        embed_dim: Length of a token's vector.
        hidden: Length of the state.
        seed: Which oracle.

    Attributes:
        weights: By name: ``embedding``, V x E; ``inputs``, 4 H x E, and its ``bias``, 4 H; ``recurrent``, 4 H x H;
            ``output``, V x H, and its ``output_bias``, V. Gates are in torch's order: input, forget, candidate, output.
    """

    def __init__(self, n_tokens: int, max_tokens: int, embed_dim: int = 32, hidden: int = 32, seed: int = 0) -> None:
        shapes: dict[str, tuple[int, ...]] = {
            "embedding": (n_tokens, embed_dim),
            "inputs": (4 * hidden, embed_dim),
            "bias": (4 * hidden,),
            "recurrent": (4 * hidden, hidden),
            "output": (n_tokens, hidden),
            "output_bias": (n_tokens,),
        }
        random = np.random.default_rng(seed)
        self.weights = {name: random.standard_normal(shape) for name, shape in shapes.items()}
        self.max_tokens = max_tokens
        self.hidden = hidden
        self.seed = seed

    def draw(self, n: int, stream: int) -> Tensor:
        """Draw ``n`` sequences, n x T, int64: a function of the oracle and the stream; more of them begin alike."""
        blocks = []
        for number in range(-(-n // _BLOCK)):
            random = np.random.default_rng((self.seed, stream, number))
            blocks.append(self._drawn(random.random((_BLOCK, self.max_tokens))))
        return torch.from_numpy(np.concatenate(blocks)[:n] if blocks else np.zeros((0, self.max_tokens), np.int64))

    def negative_log_likelihood(self, tokens: Tensor) -> float:
        """Mean of ``-log p`` over the tokens of N sequences (N x T), in nats: ``NLL_oracle`` of the paper."""
        total = 0.0
        for some in tokens.cpu().split(_BLOCK):
            rows = some.numpy()
            state = self._start(len(rows))
            before = np.zeros(len(rows), np.int64)
            for token in rows.T:
                logits, state = self._step(before, state)
                total -= float(np.take_along_axis(_log_softmax(logits), token[:, None], 1).sum())
                before = token
        return total / tokens.numel()

    def _drawn(self, chances: Floats) -> NDArray[np.int64]:
        state = self._start(len(chances))
        tokens = [np.zeros(len(chances), np.int64)]
        for chance in chances.T:
            logits, state = self._step(tokens[-1], state)
            cumulated = np.exp(logits - logits.max(axis=1, keepdims=True)).cumsum(axis=1)
            # The first token at which the sum goes beyond the chance, times the sum of all.
            tokens.append((cumulated <= chance[:, None] * cumulated[:, -1:]).sum(axis=1))
        return np.stack(tokens[1:], axis=1)

    def _start(self, n: int) -> Any:
        return np.zeros((n, self.hidden)), np.zeros((n, self.hidden))

    def _step(self, tokens: NDArray[np.int64], state: Any) -> Any:
        """Logits of the next token, N x V, and the state behind these."""
        hidden, cell = state
        gates = self.weights["embedding"][tokens] @ self.weights["inputs"].T + self.weights["bias"]
        gates = gates + hidden @ self.weights["recurrent"].T
        enter, forget, candidate, leave = np.split(gates, 4, axis=1)
        cell = _sigmoid(forget) * cell + _sigmoid(enter) * np.tanh(candidate)
        hidden = _sigmoid(leave) * np.tanh(cell)
        return hidden @ self.weights["output"].T + self.weights["output_bias"], (hidden, cell)


def _sigmoid(values: Floats) -> Floats:
    return 1 / (1 + np.exp(-values))


def _log_softmax(logits: Floats) -> Floats:
    shifted = logits - logits.max(axis=1, keepdims=True)
    result: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return result
