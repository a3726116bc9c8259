"""WGAN-GP: the earth mover's distance, with the Lipschitz bound kept by a penalty on the gradient."""

from typing import Any

from lightning.pytorch.cli import OptimizerCallable

from gan_lightning.games.batch import GameBatch
from gan_lightning.games.image import DiscriminatorFactory, GeneratorFactory, ImageGame, ImageShape
from gan_lightning.losses import Terms, wasserstein_discriminator, wasserstein_generator
from gan_lightning.networks import ResNetDiscriminator, ResNetGenerator
from gan_lightning.optimizers import WGANGPAdam
from gan_lightning.regularizers import gradient_penalty, refuse_batch_norm


class WGANGP(ImageGame):
    """Gulrajani et al., *Improved Training of Wasserstein GANs*, NeurIPS 2017, arXiv 1704.00028, algorithm 1.

    ``L_D = E D(G(z)) - E D(x) + penalty_weight * E (||grad D(x')||_2 - 1)^2`` with x' uniformly between a real and
    a fake image, one norm a sample; ``L_G = -E D(G(z))``.

    The networks are the paper's residual ones for CIFAR-10, whose critic has no normalisation: BatchNorm would tie
    the samples of a batch together, and the penalty is on each alone. Every batch has one size, where the authors'
    code doubles the generator's.

    Args:
        image_shape: Channels, height, width of an image. The command line takes it from the data.
        latent_dim: Length of the latent vector.
        generator: Makes the generator from the image shape and the latent length.
        discriminator: Makes the critic from the image shape. It must carry no BatchNorm.
        penalty_weight: Weight of the gradient penalty, lambda in the paper.
        generator_optimizer: Makes the generator's optimiser from its parameters.
        discriminator_optimizer: Makes the critic's optimiser from its parameters.
        n_critic: Critic updates in a step.
    """

    def __init__(
        self,
        image_shape: ImageShape = (3, 32, 32),
        latent_dim: int = 128,
        generator: GeneratorFactory = ResNetGenerator,
        discriminator: DiscriminatorFactory = ResNetDiscriminator,
        penalty_weight: float = 10.0,
        generator_optimizer: OptimizerCallable = WGANGPAdam,
        discriminator_optimizer: OptimizerCallable = WGANGPAdam,
        n_critic: int = 5,
        **game: Any,
    ) -> None:
        if penalty_weight < 0:
            raise ValueError(f"penalty_weight is {penalty_weight}: it must be at least 0.")
        super().__init__(
            image_shape,
            latent_dim,
            generator,
            discriminator,
            generator_optimizer=generator_optimizer,
            discriminator_optimizer=discriminator_optimizer,
            n_critic=n_critic,
            **game,
        )
        self.penalty_weight = penalty_weight
        refuse_batch_norm(self.discriminator, "WGANGP")

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        return wasserstein_discriminator(self.discriminator(batch.real), self.discriminator(batch.fake))

    def discriminator_penalty(self, batch: GameBatch) -> Terms:
        penalty = gradient_penalty(self.discriminator, batch.real, batch.fake)
        return {"gradient_penalty": self.penalty_weight * penalty}

    def generator_loss(self, batch: GameBatch) -> Terms:
        return wasserstein_generator(self.discriminator(batch.fake))
