"""The fully connected networks of the first GAN (Goodfellow et al., 2014, arXiv 1406.2661)."""

import math

from torch import Tensor, nn


class MLPGenerator(nn.Module):
    """Two hidden layers of rectifiers, the authors' MNIST generator.

    Weights start from U(-.05, .05), as in the authors' code. Two deviations: the output is a tanh, not a
    sigmoid, because images lie in [-1, 1] here, and its bias starts at 0, not at the data's mean pixel,
    because a network does not see the data.

    Args:
        image_shape: Channels, height and width of the images made.
        latent_dim: Length of the latent vector.
        hidden: Units in each of the two hidden layers.
    """

    def __init__(self, image_shape: tuple[int, int, int], latent_dim: int = 100, hidden: int = 1200) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(latent_dim, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, math.prod(image_shape)),
            nn.Tanh(),
            nn.Unflatten(1, tuple(image_shape)),
        )
        _uniform_init(self, 0.05)

    def forward(self, latent: Tensor) -> Tensor:
        """Map latents (N, latent_dim) to images (N, C, H, W) in [-1, 1]."""
        return self.layers(latent)


class MLPDiscriminator(nn.Module):
    """Two maxout layers with dropout, the authors' MNIST discriminator.

    Weights start from U(-.005, .005), biases from 0, as in the authors' code. There is no sigmoid: it is in
    the loss.

    Args:
        image_shape: Channels, height and width of the images judged.
        hidden: Maxout units in each of the two hidden layers.
        pieces: Linear pieces of which each maxout unit keeps the largest.
        input_dropout: Probability of dropping a pixel.
        hidden_dropout: Probability of dropping a hidden unit.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        hidden: int = 240,
        pieces: int = 5,
        input_dropout: float = 0.2,
        hidden_dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(input_dropout),
            Maxout(math.prod(image_shape), hidden, pieces),
            nn.Dropout(hidden_dropout),
            Maxout(hidden, hidden, pieces),
            nn.Dropout(hidden_dropout),
            nn.Linear(hidden, 1),
        )
        _uniform_init(self, 0.005)

    def forward(self, image: Tensor) -> Tensor:
        """Map images (N, C, H, W) to logits (N,)."""
        return self.layers(image).squeeze(1)


class Maxout(nn.Module):
    """A layer of maxout units, ``h_i = max_j (W_ij x + b_ij)`` (Goodfellow et al., 2013, arXiv 1302.4389).

    Args:
        in_features: Length of the input.
        out_features: Number of units.
        pieces: Linear pieces per unit.
    """

    def __init__(self, in_features: int, out_features: int, pieces: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, out_features * pieces)
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_features) to (N, out_features)."""
        return self.linear(x).unflatten(1, (-1, self.pieces)).amax(dim=2)


def _uniform_init(network: nn.Module, limit: float) -> None:
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.uniform_(module.weight, -limit, limit)
            nn.init.zeros_(module.bias)
