"""SNGAN: a discriminator whose every layer is held to the Lipschitz constant 1."""

from typing import Any

from lightning.pytorch.cli import OptimizerCallable

from gan_lightning.games.batch import GameBatch
from gan_lightning.games.image import DiscriminatorFactory, GeneratorFactory, ImageGame, ImageShape
from gan_lightning.losses import Terms, hinge_discriminator, hinge_generator
from gan_lightning.networks import SNGANDiscriminator, SNGANGenerator
from gan_lightning.optimizers import SNGANAdam


class SNGAN(ImageGame):
    """Miyato et al., *Spectral Normalization for Generative Adversarial Networks*, ICLR 2018, arXiv 1802.05957.

    ``L_D = E max(0, 1 - D(x)) + E max(0, 1 + D(G(z)))`` and ``L_G = -E D(G(z))``, with every weight of D divided by
    its largest singular value, ``W / sigma(W)``; G is not normalised.

    The networks are the paper's residual ones for 32 x 32; give ``PyramidGenerator`` and ``PyramidDiscriminator`` for
    64 x 64 and more. Every batch has one size, where the authors' code doubles the generator's.

    Args:
        image_shape: Channels, height, width of an image. The command line takes it from the data.
        latent_dim: Length of the latent vector.
        generator: Makes the generator from the image shape and the latent length.
        discriminator: Makes the discriminator from the image shape; it normalises its weights itself.
        generator_optimizer: Makes the generator's optimiser from its parameters.
        discriminator_optimizer: Makes the discriminator's optimiser from its parameters.
        n_critic: Discriminator updates in a step.
    """

    def __init__(
        self,
        image_shape: ImageShape = (3, 32, 32),
        latent_dim: int = 128,
        generator: GeneratorFactory = SNGANGenerator,
        discriminator: DiscriminatorFactory = SNGANDiscriminator,
        generator_optimizer: OptimizerCallable = SNGANAdam,
        discriminator_optimizer: OptimizerCallable = SNGANAdam,
        n_critic: int = 5,
        **game: Any,
    ) -> None:
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

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        return hinge_discriminator(self.discriminator(batch.real), self.discriminator(batch.fake))

    def generator_loss(self, batch: GameBatch) -> Terms:
        return hinge_generator(self.discriminator(batch.fake))
