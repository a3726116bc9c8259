"""Games whose generator maps a latent vector to an image."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from datamodules.components.first_process import rank_zero_warn
from gan_lightning.arguments.recipes import resolve
from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.freezing import evaluating
from gan_lightning.games.portable import Applied, Input, Portable
from gan_lightning.games.randomness import indexed_normal, slerp, truncated_normal
from gan_lightning.networks import ConvDiscriminator, ConvGenerator
from gan_lightning.trainer.internals import trainer_of
from gan_lightning.trainer.loader_batches import are_images, describe, number_of_examples

# In place of the batch size of a loader that has none: so long are the blocks of samples that ranks take in turn.
_ENDLESS = 2**32

ImageShape = tuple[int, int, int]
GeneratorFactory = Callable[[ImageShape, int], nn.Module]
DiscriminatorFactory = Callable[[ImageShape], nn.Module]


class ImageGame(AdversarialModule):
    """A game whose generator maps a standard normal latent vector to an image.

    Args:
        image_shape: Channels, height, width of an image. The command line takes it from the data.
        latent_dim: Length of the latent vector.
        generator: Makes the generator from the image shape and the latent length.
        discriminator: Makes the discriminator from the image shape.
        **game: Arguments of :class:`~gan_lightning.games.base.AdversarialModule`.
    """

    def __init__(
        self,
        image_shape: ImageShape = (3, 64, 64),
        latent_dim: int = 100,
        generator: GeneratorFactory = ConvGenerator,
        discriminator: DiscriminatorFactory = ConvDiscriminator,
        **game: Any,
    ) -> None:
        if latent_dim < 1:
            raise ValueError(f"latent_dim is {latent_dim}: it must be at least 1.")
        channels, height, width = image_shape
        # Of a checkpoint it is a list, and a shape is compared with tuples.
        image_shape = (channels, height, width)
        super().__init__(
            generator=resolve(generator)(image_shape, latent_dim),
            discriminator=resolve(discriminator)(image_shape),
            **game,
        )
        if self.augmentation is not None and height * width == 1:
            raise ValueError(
                f"augmentation is {type(self.augmentation).__name__}, and it moves the pixels of images: points, which "
                "are images of one pixel, have no augmentation."
            )
        self.image_shape = image_shape
        self.latent_dim = latent_dim
        self._predicted = (0, 0)

    def prepare_batch(self, raw: Any) -> GameBatch:
        batch = super().prepare_batch(raw)
        self.check_shape(batch.real)
        return batch

    def check_first_batch(self, raw: Any, real: Any, condition: Any = None) -> None:
        # A game whose fakes depend on the latent alone ignores a second image of a pair.
        plays_alone = type(self).generate_fakes is AdversarialModule.generate_fakes
        if self.training not in self._checked_modes and plays_alone and are_images(condition):
            rank_zero_warn(
                f"The loader yields {describe(raw)}, and {type(self).__name__} learns from the first images alone: "
                "Pix2Pix and CycleGAN learn from two."
            )
        super().check_first_batch(raw, real, condition)

    def check_shape(self, images: Tensor) -> None:
        """Refuse images of another shape than those that the game was made for.

        Raises:
            ValueError: They have another shape.
        """
        if images.shape[1:] != self.image_shape:
            raise ValueError(
                f"The data has images of {' x '.join(map(str, images.shape[1:]))}, but the model was made for "
                f"{' x '.join(map(str, self.image_shape))} (channels x height x width): change the data's "
                "image_size or the model's image_shape."
            )

    def draw_latents(self, batch: GameBatch) -> GameBatch:
        # On the device and in the images' type: nothing is copied, and the step stays in one precision.
        latent = torch.randn(len(batch.examples), self.latent_dim, device=self.device, dtype=batch.examples.dtype)
        return replace(batch, latent=latent)

    def indexed_latents(self, start: int, stop: int, seed: int) -> Tensor:
        """Latents ``start`` to ``stop - 1`` of the sequence given by ``seed``, N x latent_dim on the CPU."""
        return indexed_normal(start, stop, self.latent_dim, seed)

    def truncated_latents(self, latents: Tensor, truncation: float | None) -> Tensor:
        """Truncate the latents of samples, N x ...: the truncation trick of BigGAN (Brock et al., arXiv 1809.11096).

        Their normal numbers become truncated ones, as if each that is not in [-truncation, truncation] had been drawn
        again. The smaller, the less samples differ and, as a rule, the better each looks.

        Args:
            latents: As :meth:`indexed_latents` returns them.
            truncation: Greater than 0. None: the latents stay as they are.

        Raises:
            ValueError: It is not greater than 0.
        """
        if truncation is None:
            return latents
        if not 0 < truncation < math.inf:
            raise ValueError(f"truncation is {truncation:g}: it must be a number greater than 0, such as 0.5.")
        return truncated_normal(latents, truncation)

    def latents_of_samples(self, start: int, stop: int, seed: int, truncation: float | None) -> Tensor:
        """Truncated latents of samples ``start`` to ``stop - 1`` of the sequence given by ``seed``."""
        return self.truncated_latents(self.indexed_latents(start, stop, seed), truncation)

    def sample(
        self, n: int, seed: int = 0, start: int = 0, batch_size: int = 256, *, truncation: float | None = None
    ) -> Tensor:
        """Samples ``start`` to ``start + n - 1`` of the sequence given by ``seed``.

        Sample ``i`` depends on the seed and ``i`` alone, up to rounding that depends on the batch size.

        Args:
            n: Number of samples.
            seed: Seed of the sequence.
            start: Number of the first.
            batch_size: Samples per forward pass.
            truncation: See :meth:`truncated_latents`.

        Returns:
            n x C x H x W on the model's device, in [-1, 1].
        """
        latents = self.latents_of_samples(start, start + n, seed, truncation)
        return self.render(latents, batch_size=batch_size)

    @property
    def image_generator(self) -> nn.Module:
        """Network from latents to images: the averaged generator, or the part of it that makes images."""
        return self.averaged_generator

    def render(self, *inputs: Tensor, batch_size: int = 256, generator: nn.Module | None = None) -> Tensor:
        """Run the generator on inputs, N x ... each, in batches: N x C x H x W on the model's device."""
        generator = self.image_generator if generator is None else generator
        # An empty start, so that zero inputs give zero images of the right shape.
        images = [torch.empty(0, *self.image_shape, device=self.device)]
        with evaluating(generator):
            for first in range(0, len(inputs[0]), batch_size):
                some = [one[first : first + batch_size].to(self.device) for one in inputs]
                images.append(generator(*some))
        return torch.cat(images)

    def sample_table(self, n: int, seed: int = 0) -> tuple[Tensor, int | None]:
        """About ``n`` samples for a picture, row by row, and the number of columns; None: a square.

        Games of classes or codes have one class or category per row.
        """
        return self.sample(n, seed=seed), None

    def table_captions(self, n: int) -> tuple[list[str], list[str]]:
        """Captions of the columns and the rows of :meth:`sample_table`; empty: no captions."""
        return [], []

    def interpolate_between(
        self, a: int, b: int, ways: Sequence[float], seed: int = 0, *, truncation: float | None = None
    ) -> Tensor:
        """Interpolate between samples ``a`` and ``b`` of the sequence given by ``seed``.

        Latents are interpolated on the sphere, near which normal vectors lie, not on the straight line through its
        empty interior (White, 2016, arXiv 1609.04468).

        Args:
            a: Number of the first sample.
            b: Number of the last sample.
            ways: N positions between them: 0 is sample ``a``, 1 is sample ``b``.
            seed: Seed of the samples.
            truncation: Of the two samples; see :meth:`truncated_latents`.

        Returns:
            N x C x H x W on the model's device, in [-1, 1].
        """
        start, end = (self.latents_of_samples(i, i + 1, seed, truncation) for i in (a, b))
        return self.render(self.latent_path(start, end, ways))

    def latent_path(self, start: Tensor, end: Tensor, ways: Sequence[float]) -> Tensor:
        """Interpolated latents, N x d, at N positions between two latents, 1 x d each."""
        return torch.cat([self.interpolate_latents(start, end, way) for way in ways])

    def interpolate_latents(self, start: Tensor, end: Tensor, way: float) -> Tensor:
        """Interpolate latents, N x d each; ``way`` is from 0 (start) to 1 (end)."""
        return slerp(start, end, way)

    def interpolation_table(self, rows: int, frames: int, seed: int = 0) -> Tensor:
        """Interpolations for a picture: row ``i`` leads from sample ``2 i`` to sample ``2 i + 1``.

        Returns:
            rows x frames images in one batch, row by row, in [-1, 1].
        """
        ways = unit_linspace(frames)
        walks = [
            self.interpolate_between(2 * row, 2 * row + 1, ways, seed, **self.row_condition(row)) for row in range(rows)
        ]
        return torch.cat(walks)

    def row_condition(self, row: int) -> dict[str, Any]:
        """Keyword arguments of :meth:`interpolate_between` that row ``row`` of a picture has, such as its class."""
        return {}

    def forward(self, latent: Tensor) -> Tensor:
        """Images (N x C x H x W, in [-1, 1]) of latent vectors (N x latent_dim)."""
        with evaluating(self.image_generator):
            return self.image_generator(latent)

    def portable(self, domain: str | None = None) -> Portable:
        """The network from latents to images and its inputs, for ``gan-lightning export``.

        Args:
            domain: Of the images, for games of several. None: the first.

        Raises:
            ValueError: The game has no such domain.
        """
        if domain is not None:
            raise ValueError(f"{type(self).__name__} makes images of one domain: leave out the domain {domain!r}.")
        network = self.image_generator
        latent = Input(("batch", self.latent_dim), "standard normal numbers")
        return Portable(Applied(lambda latent: network(latent), network), {"latent": latent})

    def predict_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> Tensor:
        """As many samples as the batch has examples, N x C x H x W in [-1, 1], all different over batches and ranks."""
        self.check_first_batch(batch, batch)
        n = number_of_examples(batch)
        return self.sample(n, start=self._first_to_predict(n, restart=batch_idx == 0 and dataloader_idx == 0))

    def _first_to_predict(self, n: int, restart: bool) -> int:
        """Number of the first of ``n`` samples to predict; ``restart`` counts from 0 again.

        A single process counts on. Several take turns in blocks of the loaders' batch size, since none knows how many
        samples the others have made; a shorter batch leaves a gap.
        """
        self._predicted = (0, 0) if restart else self._predicted
        # Batches and samples predicted so far in this process.
        batches, samples = self._predicted
        self._predicted = (batches + 1, samples + n)
        if trainer_of(self) is None or self.trainer.world_size == 1:
            return samples
        return (batches * self.trainer.world_size + self.global_rank) * _block(self.trainer.predict_dataloaders)


def _block(loaders: Any) -> int:
    """Largest batch size of some loaders; a huge number if one of them has none."""
    loaders = loaders if isinstance(loaders, list | tuple) else [loaders]
    # Lightning rebuilds loaders for prediction, and the new ones have the batch size in their sampler only.
    sizes = [getattr(loader, "batch_size", None) or getattr(_sampler(loader), "batch_size", None) for loader in loaders]
    return max(size or _ENDLESS for size in sizes)


def _sampler(loader: Any) -> Any:
    return getattr(loader, "batch_sampler", None)


def repeat_cyclically(values: Sequence[float], start: int, stop: int) -> Tensor:
    """Elements ``start`` to ``stop - 1`` of the periodic sequence of ``values``."""
    return torch.as_tensor(values)[torch.arange(start, stop) % len(values)]


def unit_linspace(frames: int) -> list[float]:
    """Return ``frames`` equally spaced numbers from 0 to 1, both included."""
    return [frame / max(frames - 1, 1) for frame in range(frames)]
