"""Games whose generator maps latents to styles, and makes images of a style for each layer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from gan_lightning.games.batch import GameBatch
from gan_lightning.games.image import ImageGame
from gan_lightning.networks.layers.styles import mix, random_crossovers


class StyleGame(ImageGame):
    """A game of styles (Karras et al., CVPR 2019, arXiv 1812.04948).

    In training some images are of two latents, the second from a random layer on, so that neighbouring layers do not
    learn to depend on each other: mixing regularisation (section 3.1).

    Truncation of samples draws their styles to the mean style, and not their latents to 0: ``sample(n,
    truncation=0.7)`` makes images of ``mean + 0.7 (w - mean)``.

    Args:
        mixing_probability: Share of the images of two latents; 0.9 in the paper, none in StyleGAN2-ADA's configuration
            for CIFAR-10.
        **game: Arguments of the kind of game beside it, such as :class:`~gan_lightning.games.image.ImageGame`.
    """

    generator: Any

    def __init__(self, mixing_probability: float = 0.9, **game: Any) -> None:
        super().__init__(**game)
        self.mixing_probability = mixing_probability

    def generate_fakes(self, batch: GameBatch) -> Tensor:
        images: Tensor = self.generator.synthesise(self.random_styles(batch.latent))
        return images

    def random_styles(self, latent: Tensor, *labels: Tensor) -> Tensor:
        """Styles of latents (N, latent_dim) in training, N x L x D, mixed with those of others."""
        styles: Tensor = self.generator.styles(latent, *labels)
        if self.mixing_probability == 0:
            return styles
        others = self.generator.styles(torch.randn_like(latent), *labels)
        n, layers, _ = styles.shape
        # A change behind the layers of the level would be none.
        used = getattr(self.generator, "n_used_styles", layers)
        return mix(styles, others, random_crossovers(n, used, self.mixing_probability, styles.device))

    # Samples.

    def truncated_latents(self, latents: Tensor, truncation: float | None) -> Tensor:
        """The latents as they are: what is truncated are their styles.

        Raises:
            ValueError: ``truncation``, psi, is negative or infinite.
        """
        if truncation is not None and not 0 <= truncation < math.inf:
            raise ValueError(f"truncation is {truncation:g}: it must be a number from 0, the mean image, such as 0.7.")
        return latents

    def sample(self, *arguments: Any, truncation: float | None = None, **named: Any) -> Tensor:
        """As of other games; ``truncation`` is psi, of the styles."""
        with self._truncated(truncation):
            return super().sample(*arguments, **named)

    def interpolate_between(self, *arguments: Any, truncation: float | None = None, **named: Any) -> Tensor:
        """As of other games; ``truncation`` is psi, of the styles."""
        with self._truncated(truncation):
            return super().interpolate_between(*arguments, **named)

    @contextmanager
    def _truncated(self, truncation: float | None) -> Iterator[None]:
        """Let the network that makes samples truncate styles within."""
        self.truncated_latents(torch.empty(0), truncation)
        network: Any = self.image_generator
        network.truncation = 1.0 if truncation is None else truncation
        try:
            yield
        finally:
            network.truncation = 1.0
