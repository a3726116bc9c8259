"""The MNIST networks of Salimans et al., 2016, arXiv 1606.03498, after the authors' code for few labels."""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize


class SoftplusGenerator(nn.Module):
    """Two hidden layers of softplus with BatchNorm, then a weight-normalised layer and tanh.

    The authors end in a sigmoid, on images in [0, 1]; their BatchNorm, too, has no scale of its own. As in their code
    weights start from Glorot's uniform distribution, those of the last layer's units with a length of 1, biases at 0,
    and BatchNorm adds 1e-6 to the variance.

    Args:
        image_shape: Channels, height and width of the images made.
        latent_dim: Length of the latent vector.
        hidden: Units of either hidden layer.
    """

    def __init__(
        self, image_shape: tuple[int, int, int] = (1, 28, 28), latent_dim: int = 100, hidden: int = 500
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise([latent_dim, hidden, hidden]):
            layers += [nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs, eps=1e-6), nn.Softplus()]
        linears = [layer for layer in layers if isinstance(layer, nn.Linear)]
        last = nn.Linear(hidden, math.prod(image_shape))
        for linear in [*linears, last]:
            nn.init.xavier_uniform_(linear.weight)
        nn.init.zeros_(last.bias)
        # Unit rows: v / ||v|| with g = 1
        last.weight.data = F.normalize(last.weight.data, dim=1)
        last = parametrizations.weight_norm(last)
        self.layers = nn.Sequential(*layers, last, nn.Tanh(), nn.Unflatten(1, tuple(image_shape)))

    def forward(self, latent: Tensor) -> Tensor:
        """Map latents (N, latent_dim) to images (N, C, H, W) in [-1, 1]."""
        return self.layers(latent)


class NoisyClassifier(nn.Module):
    """Five hidden layers of rectifiers, 1000-500-250-250-250 units, with noise on the input of every layer.

    The noise is normal, and only there in training. Weights are normalised, ``w = g v / ||v||``, and only the last
    layer's g learns, as in the authors' code: grown weights would drown the noise. They start from He's normal
    distribution, where the authors fit g to a first batch. Inputs are rescaled to [0, 1], as there.

    Args:
        image_shape: Channels, height and width of the images.
        num_classes: K, logits given.
        width: Units of the last three hidden layers; the first have four times and twice as many.
        input_noise: Standard deviation of the noise on images in [0, 1].
        hidden_noise: Standard deviation of the noise on the hidden layers.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        num_classes: int = 10,
        width: int = 250,
        input_noise: float = 0.3,
        hidden_noise: float = 0.5,
    ) -> None:
        super().__init__()
        sizes = [math.prod(image_shape), 4 * width, 2 * width, width, width, width, num_classes]
        layers: list[nn.Module] = [nn.Flatten(), Noise(input_noise)]
        for inputs, outputs in pairwise(sizes):
            linear = nn.Linear(inputs, outputs)
            nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
            nn.init.zeros_(linear.bias)
            parametrize.register_parametrization(linear, "weight", FixedLength(linear.weight))
            layers += [linear, nn.ReLU(), Noise(hidden_noise)]
        # The last layer's g is trained.
        # ``linear`` is still the last one of the loop.
        parametrize.remove_parametrizations(linear, "weight")
        parametrizations.weight_norm(linear)
        # No ReLU and no noise after the logits
        self.layers = nn.Sequential(*layers[:-2])

    def forward(self, image: Tensor) -> Tensor:
        """Map images (N, C, H, W) in [-1, 1] to the logits of the classes (N, K)."""
        # [-1, 1] to the authors' [0, 1], in which the deviation of the noise is given
        return self.layers((image + 1) / 2)


class FixedLength(nn.Module):
    """Weight normalisation with fixed lengths: ``w = g v / ||v||`` for each unit, g a constant.

    Args:
        weight: Of the layer, outputs x inputs; g is how long each unit's weights are.
    """

    lengths: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.register_buffer("lengths", weight.detach().norm(dim=1, keepdim=True))

    def forward(self, direction: Tensor) -> Tensor:
        """Map v to w, outputs x inputs."""
        # outputs x 1 times unit rows
        return self.lengths * F.normalize(direction, dim=1)


class Noise(nn.Module):
    """Adds normal noise in training.

    Args:
        deviation: Its standard deviation.
    """

    def __init__(self, deviation: float) -> None:
        super().__init__()
        self.deviation = deviation

    def forward(self, x: Tensor) -> Tensor:
        """Map any shape to the same."""
        return x + self.deviation * torch.randn_like(x) if self.training else x
