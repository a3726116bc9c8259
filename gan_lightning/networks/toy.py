"""The fully connected networks for points in the plane (Metz et al., ICLR 2017, arXiv 1611.02163, the ring)."""

import math

from torch import Tensor, nn


class PointGenerator(nn.Module):
    """Hidden layers of rectifiers and a linear one, whose points may lie anywhere.

    As in the paper's experiment on a ring of Gaussians: two hidden layers of 128, all weights orthogonal times 0.8,
    all biases 0. The paper draws latents of 256 numbers.

    Args:
        image_shape: Channels, height and width: (2, 1, 1) for points in the plane.
        latent_dim: Length of the latent vector.
        hidden: Units in each hidden layer.
        n_hidden: Hidden layers.
        gain: What the orthogonal initial weights are multiplied by.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (2, 1, 1),
        latent_dim: int = 256,
        hidden: int = 128,
        n_hidden: int = 2,
        gain: float = 0.8,
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_rectifiers(latent_dim, hidden, n_hidden),
            nn.Linear(hidden if n_hidden else latent_dim, math.prod(image_shape)),
            nn.Unflatten(1, tuple(image_shape)),
        )
        _orthogonal_init(self, gain)

    def forward(self, latent: Tensor) -> Tensor:
        """Map latents (N, latent_dim) to points (N, C, H, W), of any size."""
        return self.layers(latent)


class PointDiscriminator(nn.Module):
    """Points over 4, a hidden layer of rectifiers and a linear one.

    As in the paper's experiment on a ring of Gaussians, whose points lie within [-4, 4] with room to spare. The initial
    weights are those of :class:`PointGenerator`; there is no sigmoid: it is in the loss.

    Args:
        image_shape: Channels, height and width: (2, 1, 1) for points in the plane.
        hidden: Units in each hidden layer.
        n_hidden: Hidden layers.
        gain: What the orthogonal initial weights are multiplied by.
        scale: What the points are divided by.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (2, 1, 1),
        hidden: int = 128,
        n_hidden: int = 1,
        gain: float = 0.8,
        scale: float = 4.0,
    ) -> None:
        super().__init__()
        self.scale = scale
        size = math.prod(image_shape)
        self.layers = nn.Sequential(
            nn.Flatten(), *_rectifiers(size, hidden, n_hidden), nn.Linear(hidden if n_hidden else size, 1)
        )
        _orthogonal_init(self, gain)

    def forward(self, image: Tensor) -> Tensor:
        """Map points (N, C, H, W) to logits (N,)."""
        # Points within [-4, 4] to [-1, 1]
        return self.layers(image / self.scale).squeeze(1)


def _rectifiers(size: int, hidden: int, n_hidden: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before in [size, *[hidden] * (n_hidden - 1)][:n_hidden]:
        layers += [nn.Linear(before, hidden), nn.ReLU()]
    return layers


def _orthogonal_init(network: nn.Module, gain: float) -> None:
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.orthogonal_(module.weight, gain)
            nn.init.zeros_(module.bias)
