"""Games whose generator maps latents to styles, and makes images of a style for each layer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from gan_lightning.games.batch import GameBatch
from gan_lightning.games.freezing import evaluating
from gan_lightning.games.image import ImageGame
from gan_lightning.games.portable import Applied, Input, Portable
from gan_lightning.networks.layers.styles import mix, random_crossovers


class StyleGame(ImageGame):
    """A game of styles (Karras et al., CVPR 2019, arXiv 1812.04948).

    In training some images are of two latents, the second from a random layer on, so that neighbouring layers do not
    learn to depend on each other: mixing regularisation (section 3.1).

    Truncation of samples draws their styles to the mean style, and not their latents to 0: ``sample(n,
    truncation=0.7)`` makes images of ``mean + 0.7 (w - mean)``. Interpolations are straight lines between styles, of
    which those of two classes have one as well.

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
        images: Tensor = self.generator(styles=self.random_styles(batch.latent))
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

    @torch.no_grad()
    def indexed_styles(
        self,
        start: int,
        stop: int,
        seed: int,
        labels: Sequence[int] | None = None,
        truncation: float | None = None,
    ) -> Tensor:
        """Styles of samples ``start`` to ``stop - 1`` of the sequence given by ``seed``, N x L x D.

        Args:
            start: Number of the first sample.
            stop: Number of the sample after the last.
            seed: Seed of the sequence.
            labels: Sample ``i`` is of class ``labels[i % len(labels)]``. None: classes as frequent as in the data.
            truncation: psi. None: 1.

        Raises:
            ValueError: There is no such class, or psi is out of its range.
        """
        game: Any = self
        chosen = []
        if getattr(game, "num_classes", None) is not None:
            game.check_classes(labels)
            chosen = [game.labels_of_samples(start, stop, seed, labels).to(self.device)]
        latents = self.latents_of_samples(start, stop, seed, truncation).to(self.device)
        network: Any = self.image_generator
        with evaluating(network):
            styles: Tensor = network.styles(latents, *chosen, truncation=1.0 if truncation is None else truncation)
        return styles

    @torch.no_grad()
    def interpolate_between(
        self,
        a: int,
        b: int,
        ways: Sequence[float],
        seed: int = 0,
        labels: Sequence[int] | None = None,
        *,
        truncation: float | None = None,
    ) -> Tensor:
        """Interpolate between samples ``a`` and ``b`` on the straight line between their styles, of one or two classes.

        Images change more evenly along it than along the curve that the mapping makes of an arc between latents: it is
        there to unwarp their space (section 4 of the paper).

        Args:
            a: Number of the first sample.
            b: Number of the last sample.
            ways: N positions between them: 0 is sample ``a``, 1 is sample ``b``.
            seed: Seed of the samples.
            labels: One class for all images, or those of the two ends. None: those of the two samples.
            truncation: psi of the styles. None: 1.

        Returns:
            N x C x H x W on the model's device, in [-1, 1].

        Raises:
            ValueError: There is no such class, or psi is out of its range.
        """
        start, end = (
            self.indexed_styles(sample, sample + 1, seed, None if labels is None else [labels[place]], truncation)
            for sample, place in ((a, 0), (b, -1))
        )
        network: Any = self.image_generator
        with evaluating(network):
            # N x L x D
            styles = torch.lerp(start, end, torch.tensor(ways).to(start)[:, None, None])
            images: Tensor = network.synthesise(styles)
        return images

    def portable(self, domain: str | None = None) -> Portable:
        """With psi, the truncation, as one more input; the noise of layers is the constant one, as of samples."""
        made = super().portable(domain)
        network: Any = self.image_generator

        def image(latent: Tensor, truncation: Tensor, labels: Tensor | None = None) -> Tensor:
            images: Tensor = network.synthesise(network.styles(latent, labels, truncation=truncation))
            return images

        psi = Input((), "psi: 1 for all the variety, 0 for the mean image", lambda _: torch.tensor(0.7))
        facts = {**made.facts, "noise": "constant"}
        return replace(made, network=Applied(image, network), inputs={**made.inputs, "truncation": psi}, facts=facts)

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
