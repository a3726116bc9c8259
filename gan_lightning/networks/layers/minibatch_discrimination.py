"""Minibatch discrimination (Salimans et al., 2016, arXiv 1606.03498, section 3.2)."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from gan_lightning.arguments.recipes import resolve
from gan_lightning.networks.dcgan import ConvDiscriminator
from gan_lightning.networks.layers.last_layer import last_layer


class MinibatchDiscrimination(nn.Module):
    """Append to each sample's features its similarities to the others of the batch (section 3.2).

    ``M_i = f(x_i) T``, ``c_b(x_i, x_j) = exp(-||M_ib - M_jb||_1)`` and ``o_b(x_i) = sum_{j != i} c_b(x_i, x_j)``,
    joined to ``f(x_i)``. As in the authors' code the sum leaves out j = i, which would add 1. T starts from
    N(0, 1 / A), so that its columns have length 1; the authors normalise them, and fit their scales to a first batch.

    Args:
        in_features: A, length of f(x).
        n_kernels: B, number of similarities; 100 in the authors' code on CIFAR-10.
        kernel_dim: C, length of the vectors M_ib that are compared; 5 there.
    """

    def __init__(self, in_features: int, n_kernels: int = 100, kernel_dim: int = 5) -> None:
        super().__init__()
        if n_kernels < 1 or kernel_dim < 1:
            raise ValueError(f"n_kernels is {n_kernels} and kernel_dim is {kernel_dim}: they must be at least 1.")
        self.tensor = nn.Parameter(torch.randn(in_features, n_kernels, kernel_dim) / math.sqrt(in_features))

    def forward(self, x: Tensor) -> Tensor:
        """Map features (N, A) to these and the similarities (N, A + B)."""
        # M: N x B x C
        points = (x @ self.tensor.flatten(1)).unflatten(1, self.tensor.shape[1:])
        # ||M_ib - M_jb||_1: N x N x B
        distances = (points[:, None] - points).abs().sum(dim=3)
        # N x (A + B); less exp(-0) = 1, the similarity of each sample to itself
        return torch.cat([x, (-distances).exp().sum(dim=1) - 1], dim=1)


class MinibatchDiscriminator(nn.Module):
    """A discriminator with minibatch discrimination before its last layer.

    Real images and fakes are judged in batches of their own, so a generator that makes one image only is detected.
    The last layer's new weights start at 0, so the discriminator's output is at first unchanged.

    An image's logit depends on its batch. So no gradient penalty goes with it.

    Args:
        image_shape: Channels, height and width of the images judged.
        num_classes: Number of classes, as input or output of the discriminator. None: none.
        discriminator: Makes it, from the image shape, and the number of classes if there are any.
        n_kernels: Number of similarities.
        kernel_dim: Length of the vectors that are compared.

    Raises:
        ValueError: The discriminator judges patches: its last layer does not see the whole image.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 64, 64),
        num_classes: int | None = None,
        discriminator: Callable[[tuple[int, int, int]], nn.Module] = ConvDiscriminator,
        n_kernels: int = 100,
        kernel_dim: int = 5,
    ) -> None:
        super().__init__()
        label_arguments = {} if num_classes is None else {"num_classes": num_classes}
        self.network = resolve(discriminator)(image_shape, **label_arguments)
        name, last = last_layer(self.network)
        self.network.set_submodule(name, _with_minibatch_features(last, n_kernels, kernel_dim))

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Map images (N, C, H, W), with labels (N,) if it takes any, to the discriminator's output."""
        return self.network(*inputs)


def _with_minibatch_features(last: nn.Linear | nn.Conv2d, n_kernels: int, kernel_dim: int) -> nn.Sequential:
    """The last layer of a network with minibatch discrimination before it."""
    # outputs x A; a convolution that covers its input is a linear layer.
    weight = last.weight.detach().flatten(1)
    outputs, inputs = weight.shape
    if isinstance(last, nn.Conv2d) and last.padding != (0, 0):
        raise ValueError(
            "Minibatch discrimination compares whole images, and this discriminator judges patches: take one that "
            "gives an image one logit."
        )
    linear = nn.Linear(inputs + n_kernels, outputs, bias=last.bias is not None)
    with torch.no_grad():
        # Old weights for f(x), zeros for the similarities
        nn.init.zeros_(linear.weight)[:, :inputs].copy_(weight)
        if last.bias is not None:
            linear.bias.copy_(last.bias)
    # A spectrally normalised layer stays one.
    if parametrize.is_parametrized(last):
        parametrizations.spectral_norm(linear)
    shape = nn.Unflatten(1, (outputs, 1, 1)) if isinstance(last, nn.Conv2d) else nn.Identity()
    return nn.Sequential(nn.Flatten(), MinibatchDiscrimination(inputs, n_kernels, kernel_dim), linear, shape)
