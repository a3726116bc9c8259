"""Drawing sequences of tokens from a generator that predicts them one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

_MOST_LOGITS = 1 << 24
"""As many numbers at a time as the logits of roll-outs may take: 64 MiB in float32."""


def drawn_tokens(logits: Tensor, chances: Tensor) -> Tensor:
    """Draw a token from each row of logits: the inverse of the cumulated probabilities at a uniform number.

    Args:
        logits: N x V.
        chances: Uniform in [0, 1), N.

    Returns:
        N, int64: a function of both arguments.
    """
    # In float32 at least: the sum of thousands of bfloat16 numbers has no digit left.
    cumulated = logits.float().softmax(dim=1).cumsum(dim=1)
    # Times the last, which rounding leaves near 1.
    places = torch.searchsorted(cumulated, chances.float()[:, None] * cumulated[:, -1:], right=True)
    return places[:, 0].clamp(max=logits.shape[1] - 1)


def drawn_sequences(generator: Any, chances: Tensor, end: int | None) -> Tensor:
    """Draw N sequences.

    Args:
        generator: As :class:`~gan_lightning.networks.LSTMGenerator`.
        chances: Uniform numbers in [0, 1), N x T.
        end: Token behind which a sequence consists of this token; None: there is none.

    Returns:
        Tokens, N x T, int64.
    """
    state = generator.start(len(chances))
    token = torch.zeros(len(chances), dtype=torch.int64, device=chances.device)  # the start
    tokens: list[Tensor] = []
    for each in chances.unbind(1):
        before = token
        logits, state = generator.step(token, state)
        token = drawn_tokens(logits, each)
        if end is not None and tokens:
            token = token.masked_fill(before == end, end)
        tokens.append(token)
    return torch.stack(tokens, dim=1)


def relaxed_sequences(generator: Any, noise: Tensor, temperature: float, end: int | None) -> Tensor:
    """Draw N sequences of one-hot vectors through which a gradient passes: straight-through Gumbel-softmax.

    ``y = softmax((h + g) / temperature)`` of the logits h; what is returned, and read by the generator as its next
    input, is the one-hot vector of the largest number, with the gradient of y (Jang et al., 2017, arXiv 1611.01144).
    These tokens have the distribution ``softmax(h)`` at every temperature.

    Args:
        generator: As :class:`~gan_lightning.networks.LSTMGenerator`.
        noise: Standard Gumbel numbers g, N x T x V.
        temperature: Greater than 0.
        end: As in :func:`drawn_sequences`.

    Returns:
        N x T x V.
    """
    state = generator.start(len(noise))
    token = torch.zeros_like(noise[:, 0])
    token[:, 0] = 1  # the start
    vectors: list[Tensor] = []
    for each in noise.unbind(1):
        before = token
        logits, state = generator.step(token, state)
        soft = ((logits + each) / temperature).softmax(dim=1)
        hard = F.one_hot(soft.argmax(dim=1), soft.shape[1]).to(soft.dtype)
        token = hard + soft - soft.detach()
        if end is not None and vectors:
            # Behind the end the last vector stays, which is the end's.
            token = torch.where(before[:, end, None].detach() > 0.5, before.detach(), token)
        vectors.append(token)
    return torch.stack(vectors, dim=1)


def gumbel_noise(*shape: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Standard Gumbel numbers, ``-log(-log u)``."""
    # Of exponential numbers: -log u of u = 0 would be infinite.
    return -torch.empty(shape, device=device, dtype=torch.float32).exponential_().log().to(dtype)


def roll_outs(generator: Any, tokens: Tensor, n: int, end: int | None) -> Iterator[Tensor]:
    """Complete all beginnings of N sequences at random, ``n`` times each, a group of completions after the other.

    A beginning of t tokens is continued from the state that the generator has behind them, for all t together: T - 1
    steps, of ever more rows, where t is not run through again.

    Args:
        generator: As :class:`~gan_lightning.networks.LSTMGenerator`.
        tokens: N x T.
        n: Completions of each beginning.
        end: As in :func:`drawn_sequences`.

    Yields:
        Sequences, (T - 1) x R x N x T, the first axis by t = 1 ... T - 1; the R of all groups make ``n``.
    """
    size, length = tokens.shape
    states = generator.states(tokens)
    logits = generator.predict(states[-1])
    most = max(1, _MOST_LOGITS // (logits.shape[1] * size * max(length - 1, 1)))
    for first in range(0, n, most):
        yield _completed(generator, tokens, states, min(most, n - first), end)


def _completed(generator: Any, tokens: Tensor, states: list[Any], n: int, end: int | None) -> Tensor:
    size, length = tokens.shape
    rows = n * size
    sequences = tokens.repeat((length - 1) * n, 1)  # ((T - 1) n N) x T, those of t = 1 first
    chances = torch.rand(len(sequences), length, device=tokens.device)
    state: Any = None
    for place in range(1, length):
        # Beginnings of this length join, with the state behind them; shorter ones read the token drawn last.
        joining = tuple(part.repeat(n, 1) for part in states[place])
        logits = generator.predict(joining)
        if state is not None:
            others, state = generator.step(sequences[: len(state[0]), place - 1], state)
            logits = torch.cat([others, logits])
            joining = tuple(torch.cat(parts) for parts in zip(state, joining, strict=True))
        state = joining
        active = place * rows
        drawn = drawn_tokens(logits, chances[:active, place])
        if end is not None:
            drawn = drawn.masked_fill(sequences[:active, place - 1] == end, end)
        sequences[:active, place] = drawn
    return sequences.unflatten(0, (length - 1, n, size))


def until_end(tokens: Tensor, end: int | None) -> Tensor:
    """Which tokens of N sequences count, N x T: all up to the first end, that included."""
    if end is None:
        return torch.ones_like(tokens, dtype=torch.bool)
    ends = (tokens == end).long()
    return ends.cumsum(1) - ends == 0
