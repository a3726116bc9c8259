"""ProGAN: from 4 x 4 pixels on, the networks grow as the training proceeds."""

from typing import Any

from gan_lightning.arguments import Schedule
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.growing import GrowingGame
from gan_lightning.losses import Terms, wasserstein_discriminator, wasserstein_generator
from gan_lightning.networks import ProGANDiscriminator, ProGANGenerator
from gan_lightning.optimizers import ProGANAdam
from gan_lightning.regularizers import PenaltyMethod, gradient_penalty, refuse_batch_norm


class ProGAN(
    GrowingGame,
    image_shape=(3, 32, 32),
    latent_dim=512,
    generator=ProGANGenerator,
    discriminator=ProGANDiscriminator,
    generator_optimizer=ProGANAdam,
    discriminator_optimizer=ProGANAdam,
):
    """Karras et al., *Progressive Growing of GANs for Improved Quality, Stability, and Variation*, ICLR 2018.

    arXiv 1710.10196: WGAN-GP's game (equation 3 of arXiv 1704.00028) with one update of D to a step, and a drift term,

    ``L_D = E D(G(z)) - E D(x) + penalty_weight * E (||grad D(x')||_2 - 1)^2 + drift_weight * E D(x)^2``,
    ``L_G = -E D(G(z))``.

    The defaults have the paper's 600,000 images for each level and each fade; a run of minutes takes 20,000. The
    authors' batches are larger at small sizes, here all have one size.

    Args:
        growth: The level, or its schedule. None: the paper's.
        penalty_weight: Weight of the gradient penalty, lambda in WGAN-GP.
        drift_weight: Weight of the squared outputs on real images, which keeps them near 0.
        penalty_method: How the penalty is computed: ``finite_difference`` estimates it without a second derivative.
    """

    def __init__(
        self,
        growth: Schedule | float | None = None,
        penalty_weight: float = 10.0,
        drift_weight: float = 1e-3,
        penalty_method: PenaltyMethod = "exact",
        **game: Any,
    ) -> None:
        super().__init__(growth=growth, **game)
        self.penalty_weight = penalty_weight
        self.drift_weight = drift_weight
        self.penalty_method = penalty_method
        self.differentiates_twice = penalty_method == "exact"
        refuse_batch_norm(self.discriminator, "ProGAN")

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        real = self.discriminator(batch.real)
        terms = wasserstein_discriminator(real, self.discriminator(batch.fake))
        return {**terms, "drift": self.drift_weight * real.square().mean()}

    def discriminator_penalty(self, batch: GameBatch) -> Terms:
        penalty = gradient_penalty(self.discriminator, batch.real, batch.fake, method=self.penalty_method)
        return {"gradient_penalty": self.penalty_weight * penalty}

    def generator_loss(self, batch: GameBatch) -> Terms:
        return wasserstein_generator(self.discriminator(batch.fake))
