"""WGAN-GP: the Wasserstein-1 distance, with a critic made Lipschitz by a gradient penalty."""

from typing import Any

from gan_lightning.games.batch import GameBatch
from gan_lightning.games.image import ImageGame
from gan_lightning.losses import Terms, wasserstein_discriminator, wasserstein_generator
from gan_lightning.networks import ResNetDiscriminator, ResNetGenerator
from gan_lightning.optimizers import WGANGPAdam
from gan_lightning.regularizers import PenaltyMethod, gradient_penalty, refuse_batch_norm


class WGANGP(
    ImageGame,
    image_shape=(3, 32, 32),
    latent_dim=128,
    generator=ResNetGenerator,
    discriminator=ResNetDiscriminator,
    generator_optimizer=WGANGPAdam,
    discriminator_optimizer=WGANGPAdam,
    # The critic is to be near its optimum whenever G moves.
    n_critic=5,
):
    """Gulrajani et al., *Improved Training of Wasserstein GANs*, NeurIPS 2017, arXiv 1704.00028, algorithm 1.

    ``L_D = E D(G(z)) - E D(x) + penalty_weight * E (||grad D(x')||_2 - 1)^2`` with x' uniformly between a real and
    a fake image, one norm a sample; ``L_G = -E D(G(z))``.

    The networks are the paper's residual ones for CIFAR-10, whose critic has no normalisation: BatchNorm would tie
    the samples of a batch together, and the penalty is on each alone. Every batch has one size, where the authors'
    code doubles the generator's.

    Args:
        discriminator: Makes the critic from the image shape. It must carry no BatchNorm.
        penalty_weight: Weight of the gradient penalty, lambda in the paper.
        penalty_method: How the penalty is computed: ``finite_difference`` estimates it without a second derivative.
    """

    def __init__(self, penalty_weight: float = 10.0, penalty_method: PenaltyMethod = "exact", **game: Any) -> None:
        super().__init__(**game)
        self.penalty_weight = penalty_weight
        self.penalty_method = penalty_method
        self.differentiates_twice = penalty_method == "exact"
        refuse_batch_norm(self.discriminator, "WGANGP")

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        return wasserstein_discriminator(self.discriminator(batch.real), self.discriminator(batch.fake))

    def discriminator_penalty(self, batch: GameBatch) -> Terms:
        # Along the lines between the distributions an optimal critic has gradient norm 1 (proposition 1). Fakes are
        # detached: the penalty is the critic's alone.
        penalty = gradient_penalty(self.discriminator, batch.real, batch.fake, method=self.penalty_method)
        return {"gradient_penalty": self.penalty_weight * penalty}

    def generator_loss(self, batch: GameBatch) -> Terms:
        return wasserstein_generator(self.discriminator(batch.fake))
