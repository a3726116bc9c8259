"""SeqGAN's networks: a recurrent generator of tokens, one after the other, and convolutions that judge a sequence.

Yu et al., AAAI 2017, arXiv 1609.05473; the sizes are those of the authors' code.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_lightning.networks.layers.tokens import embedded

State = tuple[Tensor, ...]

_WIDTHS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20)
_FILTERS = (100, 200, 200, 200, 200, 100, 100, 100, 100, 100, 160, 160)


class LSTMGenerator(nn.Module):
    """An LSTM that predicts each token of a sequence from those before it.

    The first is predicted from token 0, the start, and a state of zeros. As in the authors' code there is one bias a
    gate, where torch's LSTM has two, and all weights begin as N(0, 0.1^2).

    Any generator of a :class:`~gan_lightning.games.sequence.SequenceGame` has ``start``, ``step`` and ``forward`` as
    they are here; a state is a tuple of tensors, N x ..., so that a sequence can be continued from any place in it.

    Args:
        n_tokens: Size of the vocabulary, V.
        max_tokens: Length of the sequences, T.
        embed_dim: Length of a token's vector.
        hidden: Length of the state.
        init_std: Standard deviation of the first weights.
    """

    def __init__(
        self, n_tokens: int, max_tokens: int, embed_dim: int = 32, hidden: int = 32, init_std: float = 0.1
    ) -> None:
        super().__init__()
        self.max_tokens = max_tokens
        self.embedding = nn.Embedding(n_tokens, embed_dim)
        # Gates in torch's order: input, forget, candidate, output.
        self.inputs = nn.Linear(embed_dim, 4 * hidden)
        self.recurrent = nn.Linear(hidden, 4 * hidden, bias=False)
        self.output = nn.Linear(hidden, n_tokens)
        for weight in self.parameters():
            nn.init.normal_(weight, std=init_std)

    def start(self, n: int) -> State:
        """State of N sequences before their first token: hidden state and cell, N x ``hidden`` each."""
        zeros = self.output.weight.new_zeros(n, self.output.in_features)
        return zeros, zeros

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Logits of the token after these, N x V, and the state behind them.

        Args:
            tokens: Numbers, N, or (relaxed) one-hot vectors, N x V, through which a gradient passes.
            state: The state before them.
        """
        state = self._advance(self.inputs(embedded(tokens, self.embedding.weight)), state)
        return self.output(state[0]), state

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits of each token of N sequences given those before it, N x T x V.

        Args:
            tokens: N x T, as in :meth:`step`.
        """
        states = self.states(tokens)
        return self.output(torch.stack([hidden for hidden, *_ in states], dim=1))

    def states(self, tokens: Tensor) -> list[State]:
        """States from which each of the T tokens is predicted: the t-th has read the tokens before it."""
        start = torch.zeros_like(tokens[:, :1]) if tokens.ndim == 2 else _one_hot_start(tokens)
        # One matrix product for the inputs of all places, N x T x 4 hidden.
        inputs = self.inputs(embedded(torch.cat([start, tokens[:, :-1]], dim=1), self.embedding.weight))
        states: list[State] = []
        for each in inputs.unbind(1):
            states.append(self._advance(each, states[-1] if states else self.start(len(tokens))))
        return states

    def predict(self, state: State) -> Tensor:
        """Logits, N x V, of the next token in a state of :meth:`states`."""
        return self.output(state[0])

    def _advance(self, inputs: Tensor, state: State) -> State:
        hidden, cell = state
        enter, forget, candidate, leave = (inputs + self.recurrent(hidden)).chunk(4, dim=-1)
        cell = forget.sigmoid() * cell + enter.sigmoid() * candidate.tanh()
        return leave.sigmoid() * cell.tanh(), cell


class TextCNN(nn.Module):
    """Convolutions of several widths over a sequence, their maxima, a highway layer and a logit.

    Each convolution is followed by ReLU and the maximum over all places; the highway is ``t relu(V x) + (1 - t) x``
    with ``t = sigmoid(W x)``. The last layer has two outputs, fake and real, as in the authors' code, and the logit
    is their difference: the softmax of two is the sigmoid of that.

    Args:
        n_tokens: Size of the vocabulary, V.
        max_tokens: Length of the sequences, T; convolutions that are wider are left out.
        embed_dim: Length of a token's vector.
        widths: Widths of the convolutions, in tokens.
        filters: Number of filters of each width.
        dropout: Before the last layer, in training.

    Raises:
        ValueError: There are not as many numbers of filters as widths, or no convolution fits into a sequence.
    """

    def __init__(
        self,
        n_tokens: int,
        max_tokens: int,
        embed_dim: int = 64,
        widths: Sequence[int] = _WIDTHS,
        filters: Sequence[int] = _FILTERS,
        dropout: float = 0.25,
    ) -> None:
        super().__init__()
        if len(widths) != len(filters) or any(number < 1 for number in (*widths, *filters)):
            raise ValueError(
                f"widths is {list(widths)} and filters is {list(filters)}: each width needs a number of filters, all "
                "at least 1."
            )
        sizes = [size for size in zip(widths, filters, strict=True) if size[0] <= max_tokens]
        if not sizes:
            raise ValueError(f"widths is {list(widths)}: no convolution fits into {max_tokens} tokens.")
        self.embedding = nn.Embedding(n_tokens, embed_dim)
        nn.init.uniform_(self.embedding.weight, -1, 1)
        self.convolutions = nn.ModuleList(nn.Conv1d(embed_dim, count, width) for width, count in sizes)
        features = sum(count for _, count in sizes)
        self.gate = nn.Linear(features, features)
        self.transform = nn.Linear(features, features)
        for layer in (self.gate, self.transform):
            nn.init.zeros_(layer.bias)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(features, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits, N, of sequences: numbers, N x T, or (relaxed) one-hot vectors, N x T x V."""
        vectors = embedded(tokens, self.embedding.weight).transpose(1, 2)  # N x E x T
        maxima = [F.relu(layer(vectors)).amax(dim=2) for layer in self.convolutions]
        features = torch.cat(maxima, dim=1)
        gate = self.gate(features).sigmoid()
        features = gate * F.relu(self.transform(features)) + (1 - gate) * features
        fake, real = self.output(self.dropout(features)).unbind(1)
        return real - fake


def _one_hot_start(tokens: Tensor) -> Tensor:
    start = torch.zeros_like(tokens[:, :1])
    start[..., 0] = 1
    return start
