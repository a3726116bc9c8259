"""The fully connected networks of the first GAN (Goodfellow et al., 2014, arXiv 1406.2661)."""

import math

import torch
from torch import Tensor, nn

from gan_lightning.networks.layers.labels import one_hot


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
            # On the pixels too, as in the authors' code, and also in the generator's update.
            nn.Dropout(input_dropout),
            # N x C H W to N x 240, five pieces a unit
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


class ConditionalMLPGenerator(nn.Module):
    """The MNIST generator of conditional GANs (Mirza, Osindero, 2014, arXiv 1411.1784).

    Latent and label have a hidden layer each, which are joined in a third; all of rectifiers, with dropout. Output
    and initial weights are those of :class:`MLPGenerator`.

    Args:
        image_shape: Channels, height and width of the images made.
        latent_dim: Length of the latent vector.
        num_classes: Number of classes, one-hot.
        latent_hidden: Hidden units of the latent.
        label_hidden: Hidden units of the label.
        hidden: Hidden units of both together.
        dropout: Probability of dropping a hidden unit.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent_dim: int = 100,
        num_classes: int = 10,
        latent_hidden: int = 200,
        label_hidden: int = 1000,
        hidden: int = 1200,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        # Latent and label have a hidden layer each, N x 200 and N x 1000, joined to N x 1200.
        self.latent = nn.Sequential(nn.Linear(latent_dim, latent_hidden), nn.ReLU(), nn.Dropout(dropout))
        self.label = nn.Sequential(nn.Linear(num_classes, label_hidden), nn.ReLU(), nn.Dropout(dropout))
        self.layers = nn.Sequential(
            nn.Linear(latent_hidden + label_hidden, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, math.prod(image_shape)),
            nn.Tanh(),
            nn.Unflatten(1, tuple(image_shape)),
        )
        _uniform_init(self, 0.05)

    def forward(self, latent: Tensor, labels: Tensor) -> Tensor:
        """Map latents (N, latent_dim) and labels (N,) to images (N, C, H, W) in [-1, 1]."""
        # N x num_classes to N x 1000
        label = self.label(one_hot(labels, latent, self.num_classes))
        return self.layers(torch.cat([self.latent(latent), label], dim=1))


class ConditionalMLPDiscriminator(nn.Module):
    """The MNIST discriminator of conditional GANs (Mirza, Osindero, 2014, arXiv 1411.1784).

    Image and label have a maxout layer each, which are joined in a third, with dropout after each. Initial weights
    are those of :class:`MLPDiscriminator`.

    Args:
        image_shape: Channels, height and width of the images judged.
        num_classes: Number of classes, one-hot.
        image_hidden: Maxout units of the image, of five pieces.
        label_hidden: Maxout units of the label, of five pieces.
        hidden: Maxout units of both together, of four pieces.
        dropout: Probability of dropping a hidden unit.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        num_classes: int = 10,
        image_hidden: int = 240,
        label_hidden: int = 50,
        hidden: int = 240,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        pixels = math.prod(image_shape)
        self.image = nn.Sequential(nn.Flatten(), Maxout(pixels, image_hidden, 5), nn.Dropout(dropout))
        self.label = nn.Sequential(Maxout(num_classes, label_hidden, 5), nn.Dropout(dropout))
        self.layers = nn.Sequential(
            Maxout(image_hidden + label_hidden, hidden, 4), nn.Dropout(dropout), nn.Linear(hidden, 1)
        )
        _uniform_init(self, 0.005)

    def forward(self, image: Tensor, labels: Tensor) -> Tensor:
        """Map images (N, C, H, W) and labels (N,) to logits (N,)."""
        # N x num_classes to N x 50
        label = self.label(one_hot(labels, image, self.num_classes))
        return self.layers(torch.cat([self.image(image), label], dim=1)).squeeze(1)


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
        # N x units x pieces, and the largest piece of each unit
        return self.linear(x).unflatten(1, (-1, self.pieces)).amax(dim=2)


def _uniform_init(network: nn.Module, limit: float) -> None:
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.uniform_(module.weight, -limit, limit)
            nn.init.zeros_(module.bias)
