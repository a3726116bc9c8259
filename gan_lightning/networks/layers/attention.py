"""Attention: of the places of a feature map to each other (Zhang et al., 2019, arXiv 1805.08318), and to words."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SelfAttention(nn.Module):
    """``y = x + gamma o``, ``o = v(sum_i beta_ij h(x_i))``, ``beta_ij = softmax_i f(x_i) . g(x_j)``.

    Place j looks at all places i; gamma is a scalar that starts at 0, so that the network first learns without.
    As in the authors' code: 1 x 1 convolutions without bias, C/8 channels for keys f and queries g, C/2 for values
    h, and 2 x 2 max pooling of keys and values. The softmax is not scaled.

    Args:
        channels: C, in and out; at least 8.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, channels // 8, kernel_size=1, bias=False)
        self.key = nn.Conv2d(channels, channels // 8, kernel_size=1, bias=False)
        self.value = nn.Conv2d(channels, channels // 2, kernel_size=1, bias=False)
        self.output = nn.Conv2d(channels // 2, channels, kernel_size=1, bias=False)
        # Starts at 0: the layer is the identity.
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        # N x C/8 x HW
        queries = self.query(x).flatten(2)
        # N x C/8 x HW/4 and N x C/2 x HW/4
        # Pooled, a quarter of the places: the matrix of attention is HW x HW/4.
        keys, values = (F.max_pool2d(layer(x), 2).flatten(2) for layer in (self.key, self.value))
        attention = (queries.mT @ keys).softmax(dim=2)  # N x places that look x places looked at
        # N x C/2 x HW
        seen = values @ attention.mT
        return x + self.gamma * self.output(seen.unflatten(2, x.shape[2:]))


class WordAttention(nn.Module):
    """Each place of a feature map looks at the words of its image's text (Xu et al., 2018, arXiv 1711.10485, eq. 2).

    ``c_j = sum_i beta_ji e'_i``, ``beta_ji = softmax_i h_j . e'_i`` with ``e' = U e``: a linear map of the words to the
    width of the features, neither scaled nor with a bias. Padding has no weight.

    Args:
        channels: Of the feature map.
        word_dim: Length of a word's features.
    """

    def __init__(self, channels: int, word_dim: int) -> None:
        super().__init__()
        self.words = nn.Conv1d(word_dim, channels, kernel_size=1, bias=False)

    def forward(self, features: Tensor, words: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Look at the words.

        Args:
            features: N x channels x H x W.
            words: N x word_dim x T.
            mask: N x T, True where there is a word; at least one in each text.

        Returns:
            The words seen at each place, N x channels x H x W, and the attention, N x T x H x W, whose sum over T is 1.
        """
        words = self.words(words)  # N x channels x T
        scores = words.mT @ features.flatten(2)  # N x T x HW
        # The mask has the image's own row: N x T x 1, for all of its places.
        attention = scores.masked_fill(~mask[:, :, None], -torch.inf).softmax(dim=1)
        size = features.shape[2:]
        return (words @ attention).unflatten(2, size), attention.unflatten(2, size)
