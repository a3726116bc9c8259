"""InfoGAN: codes that the images must show, so that they come to mean something."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from lightning.pytorch.cli import OptimizerCallable
from torch import Tensor, nn

from gan_lightning.factories import resolve
from gan_lightning.game import GameBatch
from gan_lightning.image_game import GeneratorFactory, ImageGame, ImageShape
from gan_lightning.losses import Terms, gaussian_nll, minimax_discriminator, non_saturating_generator
from gan_lightning.networks import InfoGANDiscriminator, InfoGANGenerator
from gan_lightning.optimizers import DCGANAdam, InfoGANAdam
from gan_lightning.random import fold, indexed_uniform, slerp

CodeDiscriminatorFactory = Callable[[ImageShape, int, int], nn.Module]

_CODE_STREAM = 2


class InfoGAN(ImageGame):
    """Chen et al., *InfoGAN: Interpretable Representation Learning*, NeurIPS 2016, arXiv 1606.03657, equation 6.

    ``min_{G, Q} max_D V(D, G) - information_weight * L_I(G, Q)`` with ``L_I = E log Q(c|G(z, c)) + H(c)``: Q, a head
    of the discriminator, reads the code c back from the image. As in the authors' code, L_I is subtracted from both
    players' losses, Q and its trunk move with the discriminator, and G plays the non-saturating game. H is constant
    and left out, so the terms are cross-entropies.

    c is one category and some continuous codes from U(-1, 1). The networks are the authors' for MNIST. z is normal
    instead of uniform, and images are in [-1, 1] instead of [0, 1].

    Args:
        image_shape: Channels, height, width of an image. The command line takes it from the data.
        latent_dim: Length of the noise, without the codes.
        n_categories: Values of the categorical code.
        n_continuous: Continuous codes.
        generator: Makes the generator from the image shape and the length of noise and codes together.
        discriminator: Makes the discriminator, with Q, from the image shape and the numbers of codes.
        information_weight: Weight of L_I, lambda in the paper.
        learned_variance: Whether Q says how sure it is of a continuous code, as in the paper, or has the variance 1,
            as in the authors' code.
        generator_optimizer: Makes the generator's optimiser from its parameters.
        discriminator_optimizer: Makes the discriminator's and Q's optimiser from their parameters.
    """

    def __init__(
        self,
        image_shape: ImageShape = (1, 28, 28),
        latent_dim: int = 62,
        n_categories: int = 10,
        n_continuous: int = 2,
        generator: GeneratorFactory = InfoGANGenerator,
        discriminator: CodeDiscriminatorFactory = InfoGANDiscriminator,
        information_weight: float = 1.0,
        learned_variance: bool = False,
        generator_optimizer: OptimizerCallable = InfoGANAdam,
        discriminator_optimizer: OptimizerCallable = DCGANAdam,
        **game: Any,
    ) -> None:
        super().__init__(
            image_shape,
            latent_dim,
            generator=lambda shape, length: resolve(generator)(shape, length + n_categories + n_continuous),
            discriminator=lambda shape: resolve(discriminator)(shape, n_categories, n_continuous),
            generator_optimizer=generator_optimizer,
            discriminator_optimizer=discriminator_optimizer,
            **game,
        )
        self.n_categories = n_categories
        self.n_continuous = n_continuous
        self.information_weight = information_weight
        self.learned_variance = learned_variance

    def draw(self, batch: GameBatch) -> GameBatch:
        noise = super().draw(batch).latent
        category = torch.randint(self.n_categories, (len(noise),), device=noise.device)
        continuous = 2 * torch.rand(len(noise), self.n_continuous, device=noise.device, dtype=noise.dtype) - 1
        return replace(batch, latent=self._join(noise, category, continuous))

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        fake, *code = self.discriminator(batch.fake)
        return {**minimax_discriminator(self.discriminator(batch.real)[0], fake), **self._uncertainty(code, batch)}

    def generator_loss(self, batch: GameBatch) -> Terms:
        fake, *code = self.discriminator(batch.fake)
        return {**non_saturating_generator(fake), **self._uncertainty(code, batch)}

    def _uncertainty(self, code: list[Tensor], batch: GameBatch) -> Terms:
        """-L_I, but for the constant: how badly Q reads the codes that these very images were made from."""
        logits, mean, log_variance = code
        _, category, continuous = batch.latent.split([self.latent_dim, self.n_categories, self.n_continuous], dim=1)
        if not self.learned_variance:
            log_variance = torch.zeros_like(log_variance)
        return {
            "category": self.information_weight * F.cross_entropy(logits, category.argmax(dim=1)),
            "continuous": self.information_weight * gaussian_nll(continuous, mean, log_variance),
        }

    def indexed_latents(self, start: int, stop: int, seed: int) -> Tensor:
        chance = indexed_uniform(start, stop, 1 + self.n_continuous, fold(seed, _CODE_STREAM))
        category = (chance[:, 0] * self.n_categories).long()
        return self._join(super().indexed_latents(start, stop, seed), category, 2 * chance[:, 1:] - 1)

    def between(self, start: Tensor, end: Tensor, way: float) -> Tensor:
        """On the sphere for the noise and straight for the continuous codes; the category stays as it was."""
        parts = [self.latent_dim, self.n_categories, self.n_continuous]
        (noise, category, continuous), (noise_end, _, continuous_end) = start.split(parts, 1), end.split(parts, 1)
        ways = [slerp(noise, noise_end, way), category, torch.lerp(continuous, continuous_end, way)]
        return torch.cat(ways, dim=1)

    def traverse(self, code: int = 0, columns: int = 10, seed: int = 0, limit: float = 2.0) -> Tensor:
        """Images of one noise that differ in two codes: row by row the category, along a row a continuous code.

        Args:
            code: Which continuous code; the others are 0.
            columns: Images in a row.
            seed: Which noise.
            limit: The code runs from minus this to this; the paper draws 2, beyond what training saw.

        Returns:
            (n_categories * columns) x C x H x W.
        """
        category = torch.arange(self.n_categories).repeat_interleave(columns)
        noise = super().indexed_latents(0, 1, seed).expand(len(category), -1)
        continuous = torch.zeros(len(category), self.n_continuous)
        if self.n_continuous:
            continuous[:, code] = torch.linspace(-limit, limit, columns).repeat(self.n_categories)
        return self.render(self._join(noise, category, continuous))

    def sample_table(self, n: int, seed: int = 0) -> tuple[Tensor, int | None]:
        """One row a category, along which the first continuous code grows; see :meth:`traverse`."""
        columns = max(1, n // self.n_categories)
        return self.traverse(columns=columns, seed=seed), columns

    def _join(self, noise: Tensor, category: Tensor, continuous: Tensor) -> Tensor:
        return torch.cat([noise, F.one_hot(category, self.n_categories).to(noise.dtype), continuous], dim=1)
