"""Styles of StyleGAN (Karras et al., CVPR 2019, arXiv 1812.04948): mapping network, truncation, mixing, noise."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from gan_lightning.networks.layers.equalized import LEAKY_GAIN, EqualizedLinear, leaky_relu, pixel_norm
from gan_lightning.networks.layers.labels import one_hot


class MappingNetwork(nn.Module):
    """Map latents z to styles w by fully connected layers, and follow the mean of w.

    The latent is normalised to length sqrt(d) first; with classes, so is a linear embedding of the class, and both are
    joined. In training the mean of a batch's styles moves ``mean_style``, which :func:`truncate` draws styles to.

    Args:
        latent_dim: Length of z; 0: none, the style is the class's.
        style_dim: Length of w and of the hidden layers.
        depth: Layers: 8 in StyleGAN, 2 in the CIFAR-10 configuration of StyleGAN2-ADA.
        num_classes: Number of classes. None: none.
        lr_multiplier: Rate of its weights relative to all others; larger ones let the mapping diverge (appendix C).
        mean_decay: Decay of ``mean_style`` at each call in training.
    """

    mean_style: Tensor

    def __init__(
        self,
        latent_dim: int,
        style_dim: int,
        depth: int = 8,
        num_classes: int | None = None,
        lr_multiplier: float = 0.01,
        mean_decay: float = 0.995,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.mean_decay = mean_decay
        self.embedding = None if num_classes is None else EqualizedLinear(num_classes, style_dim)
        lengths = [latent_dim + (0 if num_classes is None else style_dim), *[style_dim] * depth]
        self.layers = nn.ModuleList(
            EqualizedLinear(*pair, gain=LEAKY_GAIN, bias_gain=LEAKY_GAIN, lr_multiplier=lr_multiplier)
            for pair in pairwise(lengths)
        )
        self.register_buffer("mean_style", torch.zeros(style_dim))

    def forward(self, latent: Tensor | None, labels: Tensor | None = None) -> Tensor:
        """Map latents (N, latent_dim), with labels (N,) if it takes any, to styles (N, style_dim)."""
        parts = [] if latent is None or latent.shape[1] == 0 else [pixel_norm(latent)]
        if self.embedding is not None:
            assert self.num_classes is not None
            classes = one_hot(labels, self.embedding.weight if latent is None else latent, self.num_classes)
            parts.append(pixel_norm(self.embedding(classes)))
        x = torch.cat(parts, dim=1)
        for layer in self.layers:
            x = leaky_relu(layer(x))
        if self.training:
            with torch.no_grad():
                self.mean_style.lerp_(x.mean(0).to(self.mean_style), 1 - self.mean_decay)
        return x


def truncate(styles: Tensor, mean: Tensor, psi: float | Tensor, layers: int | None = None) -> Tensor:
    """Draw styles to their mean: ``mean + psi (w - mean)``, section B of StyleGAN's paper.

    Args:
        styles: N x L x D, one style for each of L layers.
        mean: D.
        psi: 1: unchanged; 0: the mean image. A tensor of one number is not read, as an exported network needs.
        layers: Layers that are drawn, from the coarsest; None: all.
    """
    if not isinstance(psi, Tensor) and psi == 1:
        return styles
    drawn = styles[:, :layers]
    return torch.cat([torch.lerp(mean.expand_as(drawn), drawn, psi), styles[:, drawn.shape[1] :]], dim=1)


def mix(styles: Tensor, others: Tensor, first: Tensor | int, last: Tensor | int | None = None) -> Tensor:
    """Take the layers ``first`` to ``last`` (excluded) of other styles: style mixing.

    Args:
        styles: N x L x D.
        others: N x L x D.
        first: First layer of the other style, counted from 0, or one for each image, (N,).
        last: First layer after it that is the style's own again; None: all from ``first`` on are the other's.
    """
    layers = torch.arange(styles.shape[1], device=styles.device)[:, None]
    theirs = layers >= _column(first)
    if last is not None:
        theirs = theirs & (layers < _column(last))
    return torch.where(theirs, others, styles)


def _column(layer: Tensor | int) -> Tensor | int:
    """A layer, or N of them as N x 1 x 1."""
    return layer[:, None, None] if isinstance(layer, Tensor) else layer


def random_crossovers(n: int, n_layers: int, probability: float, device: torch.device) -> Tensor:
    """Where each image changes to a second style: a layer from 1 on, uniformly, or ``n_layers``, which is never.

    Drawn for each image, where the authors draw one layer for a batch: the distribution of an image is the same.
    """
    layers = torch.randint(1, n_layers, (n,), device=device)
    return torch.where(torch.rand(n, device=device) < probability, layers, n_layers)


class Maps(NamedTuple):
    """What is there between two steps of a synthesis.

    Attributes:
        features: N x C x H x W.
        image: Sum of the images so far, N x C x H x W; None: there is none yet.
    """

    features: Tensor
    image: Tensor | None = None

    def map(self, function: Callable[[Tensor], Tensor]) -> Maps:
        """A function of the features and of the image, if there is one."""
        return Maps(function(self.features), None if self.image is None else function(self.image))


class Synthesis(nn.Module):
    """Base of generators of styles: their synthesis in steps, each of a layer or of an image.

    Attributes:
        n_styles: Layers that take a style.
    """

    n_styles: int

    @property
    def n_steps(self) -> int:
        """Number of steps."""
        raise NotImplementedError

    def place(self, step: int) -> tuple[int, int]:
        """The level of a step's maps, 0 for the coarsest, and the layer whose style it takes."""
        raise NotImplementedError

    def begin(self, styles: Tensor) -> Maps:
        """The maps before the first step, of as many images as there are styles."""
        raise NotImplementedError

    def step(self, step: int, maps: Maps, styles: Tensor, noises: list[Any]) -> Maps:
        """The maps after a step.

        Args:
            step: From 0 to ``n_steps - 1``.
            maps: Those after the step before.
            styles: N x n_styles x style_dim.
            noises: What :class:`Noise` takes, for each layer.
        """
        raise NotImplementedError

    def synthesise(self, styles: Tensor, noise: float | list[Tensor] | None = None) -> Tensor:
        """Images (N, C, H, W) of styles (N, n_styles, style_dim).

        Args:
            styles: One for each layer.
            noise: One map for each layer, or a factor of the constant noise: 0 for none. None: random in training,
                constant otherwise.
        """
        noises = noise if isinstance(noise, list) else [noise] * self.n_styles
        maps = self.begin(styles)
        for step in range(self.n_steps):
            maps = self.step(step, maps, styles, noises)
        assert maps.image is not None
        return maps.image


class Noise(nn.Module):
    """Single-channel Gaussian noise that is added to all channels of a map, by learned strengths that start at 0.

    In training each image has noise of its own. Otherwise it is constant, so that a sample is a function of its latent.

    Args:
        height: Of the map.
        width: Of the map.
        channels: Strengths: 1, or one for each channel as in the first StyleGAN.
    """

    constant: Tensor

    def __init__(self, height: int, width: int, channels: int = 1) -> None:
        super().__init__()
        self.register_buffer("constant", torch.randn(1, 1, height, width))
        self.strength = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor, noise: Tensor | float | None = None, gain: float = 1.0) -> Tensor:
        """Add noise to a map (N, C, H, W).

        Args:
            x: The map.
            noise: (N or 1, 1, H, W), or a factor of the constant noise. None: as in training or not.
            gain: Factor of all of it.
        """
        if noise is None:
            noise = x.new_empty(len(x), 1, *x.shape[2:]).normal_() if self.training else self.constant
        elif not isinstance(noise, Tensor):
            if noise == 0:
                return x
            noise = self.constant * noise
        return x + (noise * gain) * self.strength
