"""The recurrent discriminator of the Gumbel-softmax GAN (Kusner, Hernández-Lobato, 2016, arXiv 1611.04051)."""

import torch
from torch import Tensor, nn

from gan_lightning.networks.layers.tokens import embedded


class LSTMDiscriminator(nn.Module):
    """An LSTM that reads a sequence and ends in a logit.

    Args:
        n_tokens: Size of the vocabulary, V.
        max_tokens: Length of the sequences; it reads any length.
        embed_dim: Length of a token's vector.
        hidden: Length of the state.
    """

    def __init__(self, n_tokens: int, max_tokens: int, embed_dim: int = 32, hidden: int = 64) -> None:
        super().__init__()
        self.embedding = nn.Embedding(n_tokens, embed_dim)
        self.lstm = nn.LSTM(embed_dim, hidden, batch_first=True)
        self.output = nn.Linear(hidden, 1)

    # oneDNN has no LSTM in bfloat16 for processors without AVX-512, and raises there.
    @torch.autocast("cpu", enabled=False)
    def forward(self, tokens: Tensor) -> Tensor:
        """Logits, N, of sequences: numbers, N x T, or (relaxed) one-hot vectors, N x T x V."""
        states, _ = self.lstm(embedded(tokens, self.embedding.weight))
        # Of the last place: what it has kept of the whole sequence.
        logits: Tensor = self.output(states[:, -1])
        return logits[:, 0]
