"""Encoders of texts, and of the images that are matched with them.

A text encoder is made from the number of tokens. It maps tokens (N x L, where 0 is padding at the end) to a
:class:`Text` and has ``embed_dim``, the length of its features. An image encoder is made from the image shape and that
length; it maps images to features of regions, N x E x h x w, and of the whole image, N x E.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_lightning.networks.layers.image_shape import coarsest_map

PADDING = 0
"""The token that fills up short texts."""


class Text(NamedTuple):
    """Features of N texts.

    Attributes:
        words: Of each word, N x E x T; 0 where ``mask`` is False.
        sentence: Of each text, N x E.
        mask: Whether there is a word, N x T.
    """

    words: Tensor
    sentence: Tensor
    mask: Tensor

    def detached(self) -> Text:
        """The same without a gradient to the encoder."""
        return Text(self.words.detach(), self.sentence.detach(), self.mask)


class BagOfWords(nn.Module):
    """A fixed random vector for each token; a text is their sum, divided by the root of their number.

    Nothing is trained: vectors of many dimensions are nearly orthogonal, so that a linear layer behind them, such as
    the projections of GAN-CLS, can give each word any meaning. The order of the words is lost.

    Args:
        n_tokens: Tokens are 0 ... n_tokens - 1.
        embed_dim: Length of the vectors, whose numbers are standard normal.
    """

    needs_training = False
    table: Tensor

    def __init__(self, n_tokens: int, embed_dim: int = 256) -> None:
        super().__init__()
        self.embed_dim = embed_dim
        # A generator of its own: the same vectors in every run, whatever its seed.
        table = torch.randn(n_tokens, embed_dim, generator=torch.Generator().manual_seed(0), dtype=torch.float32)
        self.register_buffer("table", table)

    def forward(self, tokens: Tensor) -> Text:
        """Encode tokens (N, T) to features of length ``embed_dim``."""
        mask = tokens != PADDING
        words = F.embedding(tokens, self.table) * mask[..., None]  # N x T x E
        number = mask.sum(1, keepdim=True).clamp(min=1)
        return Text(words.transpose(1, 2), words.sum(1) / number.to(words.dtype).sqrt(), mask)


class LSTMTextEncoder(nn.Module):
    """Bidirectional LSTM of AttnGAN's DAMSM (Xu et al., CVPR 2018, arXiv 1711.10485).

    A word's feature is the state of both directions there; a text's is the last state of each. It is torch's
    ``nn.LSTM(bidirectional=True)`` on packed sequences, but takes the padding off the second direction by an index, so
    that no length is read off the device.

    Args:
        n_tokens: Tokens are 0 ... n_tokens - 1.
        embed_dim: Length of the features, of both directions together; even.
        word_dim: Length of the words' vectors.
        dropout: Of these, in training.
        scale: Factor of all features. Matching compares directions, and does not say how long features become: those
            of different texts may differ by hundredths, which the noise of conditioning augmentation covers, as long as
            its deviation is about 1. A factor that makes them differ by about 1 keeps the text readable.

    Raises:
        ValueError: ``embed_dim`` is odd.
    """

    def __init__(
        self, n_tokens: int, embed_dim: int = 256, word_dim: int = 300, dropout: float = 0.5, scale: float = 1.0
    ) -> None:
        super().__init__()
        if embed_dim % 2:
            raise ValueError(f"embed_dim is {embed_dim}: it must be even, for it is shared by two directions.")
        self.embed_dim = embed_dim
        self.embedding = nn.Embedding(n_tokens, word_dim)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        self.dropout = nn.Dropout(dropout)
        self.scale = scale
        self.ahead = nn.LSTM(word_dim, embed_dim // 2, batch_first=True)
        self.back = nn.LSTM(word_dim, embed_dim // 2, batch_first=True)

    # oneDNN has no LSTM in bfloat16 for processors without AVX-512, and raises there.
    @torch.autocast("cpu", enabled=False)
    def forward(self, tokens: Tensor) -> Text:
        """Encode tokens (N, T) to features of length ``embed_dim``."""
        mask = tokens != PADDING
        length = mask.sum(1, keepdim=True).clamp(min=1)  # N x 1
        place = torch.arange(tokens.shape[1], device=tokens.device)[None]
        # Each text turned round within its length; the same index turns it back.
        turned = torch.where(place < length, length - 1 - place, place)
        inputs = self.dropout(self.embedding(tokens))  # N x T x word_dim
        ahead, _ = self.ahead(inputs)
        back, _ = self.back(_gathered(inputs, turned))
        # The last state of a direction stands at the last word that it has read: behind it there is padding.
        sentence = torch.cat([_gathered(states, length - 1)[:, 0] for states in (ahead, back)], dim=1)
        words = torch.cat([ahead, _gathered(back, turned)], dim=2) * mask[..., None]
        return Text(words.transpose(1, 2) * self.scale, sentence * self.scale, mask)


class CharCNNRNN(nn.Module):
    """Convolutions over characters and a recurrent network over their maps (Reed et al., CVPR 2016, arXiv 1605.05395).

    Three convolutions of four characters with 384, 512 and 256 channels, each with ReLU and max-pooling; then
    ``h_t = relu(W x_t + b + U h_{t-1} + c)``, and a linear layer of the mean of h: ``HybridCNN`` of the authors' code,
    whose 201 characters make 8 steps. The features of the "words" are those of the steps.

    Args:
        n_tokens: The characters are 2 ... n_tokens - 1; 0, padding, and 1, an unknown one, are vectors of zeros.
        embed_dim: Length of the features.
        width: Channels of the second convolution; the others have 3/4 and 1/2 of them.
        dropout: Before the last layer, in training.
    """

    shortest = 66
    """Fewer characters leave no step."""

    def __init__(self, n_tokens: int, embed_dim: int = 1024, width: int = 512, dropout: float = 0.0) -> None:
        super().__init__()
        self.n_tokens, self.embed_dim = n_tokens, embed_dim
        first, last = 3 * width // 4, width // 2
        self.convolutions = nn.Sequential(
            *(nn.Conv1d(n_tokens - 2, first, 4), nn.ReLU(), nn.MaxPool1d(3)),
            *(nn.Conv1d(first, width, 4), nn.ReLU(), nn.MaxPool1d(3)),
            *(nn.Conv1d(width, last, 4), nn.ReLU(), nn.MaxPool1d(3, 2)),
        )
        self.input = nn.Linear(last, last)
        self.hidden = nn.Linear(last, last)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(last, embed_dim)

    def forward(self, tokens: Tensor) -> Text:
        """Encode characters (N, L), L from ``shortest`` on, to features of length ``embed_dim``.

        Raises:
            ValueError: There are fewer.
        """
        if tokens.shape[1] < self.shortest:
            raise ValueError(
                f"CharCNNRNN needs texts of {self.shortest} characters at least, and these have {tokens.shape[1]}: "
                "set the data's tokens to characters and max_tokens to 201."
            )
        # N x (n_tokens - 2) x L; compared, since one_hot would read the tokens off the device
        symbols = torch.arange(2, self.n_tokens, device=tokens.device)[None, :, None]
        maps = self.convolutions((tokens[:, None] == symbols).to(self.input.weight.dtype))
        states: list[Tensor] = []
        for step in self.input(maps.transpose(1, 2)).unbind(1):
            # The first state has no past, and so no bias of it.
            states.append(F.relu(step + self.hidden(states[-1]) if states else step))
        every = torch.stack(states, dim=1)  # N x T x last
        words = self.output(every).transpose(1, 2)
        return Text(words, self.output(self.dropout(every.mean(1))), torch.ones_like(words[:, 0], dtype=torch.bool))


class ConvImageEncoder(nn.Module):
    """Strided convolutions down to a map of about 4 x 4 regions, and a linear layer of their mean.

    Args:
        image_shape: Channels, height and width of the images, from 8 up; see ``coarsest_map``.
        embed_dim: Length of the features.
        width: Channels of the first layer; they double with every level, up to eight times as many.
    """

    def __init__(self, image_shape: tuple[int, int, int], embed_dim: int, width: int = 64) -> None:
        super().__init__()
        n_levels, _ = coarsest_map("ConvImageEncoder", image_shape, smallest=8)
        channels = [image_shape[0], *(width * 2 ** min(level, 3) for level in range(n_levels))]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(channels):
            # GroupNorm: the features of an image must not depend on the others of its batch.
            norm = nn.GroupNorm(math.gcd(8, outputs), outputs)
            layers += [nn.Conv2d(inputs, outputs, 4, stride=2, padding=1), norm, nn.LeakyReLU(0.2, inplace=True)]
        self.layers = nn.Sequential(*layers)
        self.regions = nn.Conv2d(channels[-1], embed_dim, 1)
        self.whole = nn.Linear(channels[-1], embed_dim)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Encode images (N, C, H, W) to regions (N, embed_dim, h, w) and a vector (N, embed_dim)."""
        maps = self.layers(images)
        return self.regions(maps), self.whole(maps.mean((2, 3)))


def _gathered(states: Tensor, places: Tensor) -> Tensor:
    """States (N, T, D) at places (N, S) of each row: N x S x D."""
    return states.gather(1, places[..., None].expand(-1, -1, states.shape[2]))
