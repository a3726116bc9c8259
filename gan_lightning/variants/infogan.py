"""InfoGAN: codes that the images must show, so that they come to mean something."""

from typing import Any

import torch
import torch.nn.functional as F
from lightning.pytorch.cli import OptimizerCallable
from torch import Tensor

from gan_lightning.games.batch import GameBatch
from gan_lightning.games.code import CodeDiscriminatorFactory, CodeGame
from gan_lightning.games.image import GeneratorFactory, ImageShape
from gan_lightning.losses import Terms, gaussian_nll, minimax_discriminator, non_saturating_generator
from gan_lightning.networks import InfoGANDiscriminator, InfoGANGenerator
from gan_lightning.optimizers import DCGANAdam, InfoGANAdam


class InfoGAN(CodeGame):
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
        real_target: What the discriminator is to say of real images; below 1: one-sided label smoothing.
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
        real_target: float = 1.0,
        generator_optimizer: OptimizerCallable = InfoGANAdam,
        discriminator_optimizer: OptimizerCallable = DCGANAdam,
        **game: Any,
    ) -> None:
        super().__init__(
            image_shape,
            latent_dim,
            n_categories,
            n_continuous,
            generator,
            discriminator,
            generator_optimizer=generator_optimizer,
            discriminator_optimizer=discriminator_optimizer,
            **game,
        )
        self.information_weight = information_weight
        self.learned_variance = learned_variance
        self.real_target = real_target

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        fake, *code = self.discriminator(batch.fake)
        real = self.discriminator(batch.real)[0]
        return {**minimax_discriminator(real, fake, self.real_target), **self._uncertainty(code, batch)}

    def generator_loss(self, batch: GameBatch) -> Terms:
        fake, *code = self.discriminator(batch.fake)
        return {**non_saturating_generator(fake), **self._uncertainty(code, batch)}

    def _uncertainty(self, code: list[Tensor], batch: GameBatch) -> Terms:
        """-L_I, but for the constant: how badly Q reads the codes that these very images were made from."""
        logits, mean, log_variance = code
        _, category, continuous = self.parts(batch.latent)
        if not self.learned_variance:
            log_variance = torch.zeros_like(log_variance)
        return {
            "category": self.information_weight * F.cross_entropy(logits, category.argmax(dim=1)),
            "continuous": self.information_weight * gaussian_nll(continuous, mean, log_variance),
        }
