"""WGAN: the earth mover's distance, with the Lipschitz bound kept by clipping weights."""

from typing import Any

from lightning.pytorch.cli import OptimizerCallable

from gan_lightning.games.batch import GameBatch
from gan_lightning.games.image import DiscriminatorFactory, GeneratorFactory, ImageGame, ImageShape
from gan_lightning.losses import Terms, wasserstein_discriminator, wasserstein_generator
from gan_lightning.networks import ConvDiscriminator, ConvGenerator
from gan_lightning.optimizers import WGANRMSprop
from gan_lightning.regularizers import clip_weights


class WGAN(ImageGame):
    """Arjovsky, Chintala, Bottou, *Wasserstein GAN*, ICML 2017, arXiv 1701.07875, algorithm 1.

    ``L_D = E D(G(z)) - E D(x)``, ``L_G = -E D(G(z))``; every weight of the critic is clipped to
    [-``clip_limit``, ``clip_limit``] after each of its updates.

    The authors' code also gives the critic 100 updates at each of the first 25 steps and at every 500th; here it is
    ``n_critic`` throughout, as in the paper.

    Args:
        image_shape: Channels, height, width of an image. The command line takes it from the data.
        latent_dim: Length of the latent vector.
        generator: Makes the generator from the image shape and the latent length.
        discriminator: Makes the critic from the image shape.
        clip_limit: Bound of the critic's weights, c in the paper.
        generator_optimizer: Makes the generator's optimiser from its parameters.
        discriminator_optimizer: Makes the critic's optimiser from its parameters.
        n_critic: Critic updates in a step.
    """

    def __init__(
        self,
        image_shape: ImageShape = (3, 64, 64),
        latent_dim: int = 100,
        generator: GeneratorFactory = ConvGenerator,
        discriminator: DiscriminatorFactory = ConvDiscriminator,
        clip_limit: float = 0.01,
        generator_optimizer: OptimizerCallable = WGANRMSprop,
        discriminator_optimizer: OptimizerCallable = WGANRMSprop,
        n_critic: int = 5,
        **game: Any,
    ) -> None:
        if clip_limit <= 0:
            raise ValueError(f"clip_limit is {clip_limit}: it must be greater than 0.")
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
        self.clip_limit = clip_limit

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        return wasserstein_discriminator(self.discriminator(batch.real), self.discriminator(batch.fake))

    def generator_loss(self, batch: GameBatch) -> Terms:
        return wasserstein_generator(self.discriminator(batch.fake))

    def after_discriminator_update(self) -> None:
        clip_weights(self.discriminator, self.clip_limit)
