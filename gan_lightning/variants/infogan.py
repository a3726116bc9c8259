"""InfoGAN: latent codes with high mutual information with the images, so that they become interpretable."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gan_lightning.games.batch import GameBatch
from gan_lightning.games.code import CodeGame
from gan_lightning.losses import Terms, gaussian_nll, minimax_discriminator, non_saturating_generator
from gan_lightning.networks import InfoGANDiscriminator, InfoGANGenerator
from gan_lightning.optimizers import DCGANAdam, InfoGANAdam


class InfoGAN(
    CodeGame,
    image_shape=(1, 28, 28),
    latent_dim=62,
    n_categories=10,
    n_continuous=2,
    generator=InfoGANGenerator,
    discriminator=InfoGANDiscriminator,
    generator_optimizer=InfoGANAdam,
    discriminator_optimizer=DCGANAdam,
):
    """Chen et al., *InfoGAN: Interpretable Representation Learning*, NeurIPS 2016, arXiv 1606.03657, equation 6.

    ``min_{G, Q} max_D V(D, G) - information_weight * L_I(G, Q)`` with ``L_I = E log Q(c|G(z, c)) + H(c)``: Q, a head
    of the discriminator, reads the code c back from the image. As in the authors' code, L_I is subtracted from both
    players' losses, Q and its trunk move with the discriminator, and G plays the non-saturating game. H is constant
    and left out, so the terms are cross-entropies.

    c is one category and some continuous codes from U(-1, 1). The networks are the authors' for MNIST. z is normal
    instead of uniform, and images are in [-1, 1] instead of [0, 1].

    Args:
        discriminator: Makes the discriminator, with Q, from the image shape and the numbers of codes.
        information_weight: Weight of L_I, lambda in the paper.
        learned_variance: Whether Q also estimates the variance of a continuous code, as in the paper, or has the
            variance 1, as in the authors' code.
        real_target: Target of the real images' probability; below 1: one-sided label smoothing.
        discriminator_optimizer: Makes the discriminator's and Q's optimiser from their parameters.
    """

    def __init__(
        self,
        information_weight: float = 1.0,
        learned_variance: bool = False,
        real_target: float = 1.0,
        **game: Any,
    ) -> None:
        super().__init__(**game)
        self.information_weight = information_weight
        self.learned_variance = learned_variance
        self.real_target = real_target

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        fake, *code = self.discriminator(batch.fake)
        real = self.discriminator(batch.real)[0]
        # The term helps D too: Q shares D's trunk, and moves in D's update only.
        return {**minimax_discriminator(real, fake, self.real_target), **self._information_terms(code, batch)}

    def generator_loss(self, batch: GameBatch) -> Terms:
        fake, *code = self.discriminator(batch.fake)
        return {**non_saturating_generator(fake), **self._information_terms(code, batch)}

    def _information_terms(self, code: list[Tensor], batch: GameBatch) -> Terms:
        """-L_I without its constant: Q's cross-entropy on the codes that the fakes were made from."""
        logits, mean, log_variance = code
        # The codes of these very fakes: images carry no information about other codes.
        _, category, continuous = self.parts(batch.latent)
        if not self.learned_variance:
            # With the variance 1 the likelihood is half the squared error, and Q's estimate of the variance is ignored.
            log_variance = torch.zeros_like(log_variance)
        return {
            "category": self.information_weight * F.cross_entropy(logits, category.argmax(dim=1)),
            "continuous": self.information_weight * gaussian_nll(continuous, mean, log_variance),
        }
