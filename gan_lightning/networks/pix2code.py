"""The networks of pix2code (Beltramelli, 2017, arXiv 1705.07962), after the author's code."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LSTMState = tuple[Tensor, Tensor]
State = tuple[LSTMState, LSTMState]


class Pix2CodeGenerator(nn.Module):
    """An image to a program, token by token: a vision network, an LSTM of the tokens so far, an LSTM of both.

    Vision: three pairs of 3 x 3 convolutions without padding, each pair with a max pooling and a dropout of .25, then
    two linear layers with a dropout of .3. The tokens, one-hot, go through two layers of LSTM; their output and the
    features of the image, the same at every step, through two others, and a linear layer makes logits. 109.8 million
    weights at 256 x 256, nearly all in the first linear layer.

    Args:
        image_shape: Channels, height and width of the image; 36 pixels at least.
        n_tokens: Size of the vocabulary.
        width: Channels of the first convolutions; they double twice.
        hidden: Units of the linear layers, the features of an image.
        token_hidden: Units of the LSTM of tokens.
        decoder_hidden: Units of the LSTM of both.
        dropout: Of the convolutions.
        linear_dropout: Of the linear layers.

    Raises:
        ValueError: If the network cannot read images of this shape.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 256, 256),
        n_tokens: int = 19,
        width: int = 32,
        hidden: int = 1024,
        token_hidden: int = 128,
        decoder_hidden: int = 512,
        dropout: float = 0.25,
        linear_dropout: float = 0.3,
    ) -> None:
        super().__init__()
        channels, *sides = image_shape
        if min(sides) < 36:
            raise ValueError(f"Pix2CodeGenerator reads images from 36 x 36 up, not of {sides[0]} x {sides[1]}.")
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise([channels, width, 2 * width, 4 * width]):
            layers += [nn.Conv2d(inputs, outputs, 3), nn.ReLU(), nn.Conv2d(outputs, outputs, 3), nn.ReLU()]
            layers += [nn.MaxPool2d(2), nn.Dropout(dropout)]
            sides = [(side - 4) // 2 for side in sides]
        flat = 4 * width * sides[0] * sides[1]
        for inputs in (flat, hidden):
            layers += [nn.Flatten(), nn.Linear(inputs, hidden), nn.ReLU(), nn.Dropout(linear_dropout)]
        self.vision = nn.Sequential(*layers)
        self.reader = nn.LSTM(n_tokens, token_hidden, num_layers=2, batch_first=True)
        self.decoder = nn.LSTM(token_hidden + hidden, decoder_hidden, num_layers=2, batch_first=True)
        self.last = nn.Linear(decoder_hidden, n_tokens)
        self.n_tokens = n_tokens
        self.apply(_init)

    def forward(self, images: Tensor, tokens: Tensor) -> Tensor:
        """Logits of the token after each, N x T x n_tokens.

        Args:
            images: N x C x H x W in [-1, 1].
            tokens: N x T, from the start on.
        """
        logits, _ = self.step(self.features(images), tokens, None)
        return logits

    def features(self, images: Tensor) -> Tensor:
        """Features of images, N x hidden.

        The author's pixels are in [0, 1], and white pages are then ones nearly everywhere, which drowns what is on
        them: here white is 0 and black is 1.
        """
        return self.vision((1 - images) / 2)

    def step(self, features: Tensor, tokens: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Logits after some more tokens, N x T x n_tokens, and the state there; None: before the first token."""
        one_hot = F.one_hot(tokens, self.n_tokens).to(features.dtype)
        read, reader = self.reader(one_hot, None if state is None else state[0])
        seen = features[:, None].expand(-1, tokens.shape[1], -1)
        decoded, decoder = self.decoder(torch.cat([read, seen], dim=2), None if state is None else state[1])
        return self.last(decoded), (reader, decoder)


class ProgramDiscriminator(nn.Module):
    """Judges whether a program, as one-hot vectors or probabilities, belongs to an image.

    Strided convolutions of the image down to a vector; convolutions of 3 and 5 tokens with a maximum over the program;
    two linear layers of both. No network of the paper, which has no adversary.

    Args:
        image_shape: Channels, height and width of the image; 16 pixels at least.
        n_tokens: Size of the vocabulary.
        width: Channels of the first convolution; of the image's vector there are four times as many.

    Raises:
        ValueError: If the network cannot read images of this shape.
    """

    def __init__(self, image_shape: tuple[int, int, int] = (3, 256, 256), n_tokens: int = 19, width: int = 32) -> None:
        super().__init__()
        channels, *sides = image_shape
        if min(sides) < 16:
            raise ValueError(f"ProgramDiscriminator reads images from 16 x 16 up, not of {sides[0]} x {sides[1]}.")
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise([channels, width, 2 * width, 4 * width]):
            layers += [nn.Conv2d(inputs, outputs, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        self.vision = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.runs = nn.ModuleList(nn.Conv1d(n_tokens, 4 * width, length, padding=length // 2) for length in (3, 5))
        self.judge = nn.Sequential(nn.Linear((16 + 8) * width, 4 * width), nn.LeakyReLU(0.2), nn.Linear(4 * width, 1))

    def forward(self, programs: Tensor, images: Tensor) -> Tensor:
        """Logits (N,) of programs, N x T x n_tokens, for images, N x C x H x W in [-1, 1]."""
        runs = [F.leaky_relu(layer(programs.transpose(1, 2)), 0.2).amax(dim=2) for layer in self.runs]
        return self.judge(torch.cat([self.vision(images), *runs], dim=1)).squeeze(1)


def _init(module: nn.Module) -> None:
    """Initialise LSTMs as Keras does, whose defaults the author has: with torch's they hardly begin to learn.

    Their weights are Glorot's, of the four gates together, recurrent ones orthogonal; biases are 0, those of forget
    gates 1. Layers before a ReLU have He's weights, where Keras has Glorot's: the features of an image keep their size.
    """
    if isinstance(module, nn.LSTM):
        for name, weight in module.named_parameters():
            if name.startswith("weight_ih"):
                nn.init.xavier_uniform_(weight)
            elif name.startswith("weight_hh"):
                nn.init.orthogonal_(weight)
            else:
                nn.init.zeros_(weight)
                if name.startswith("bias_ih"):  # torch adds two biases
                    with torch.no_grad():
                        weight[module.hidden_size : 2 * module.hidden_size] = 1
    elif isinstance(module, nn.Linear | nn.Conv2d):
        nn.init.kaiming_normal_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
