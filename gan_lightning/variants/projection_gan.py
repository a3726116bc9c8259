"""SNGAN that is told the class, by a projection in the discriminator."""

from typing import Any

from lightning.pytorch.cli import OptimizerCallable

from gan_lightning.games.batch import GameBatch
from gan_lightning.games.image import ImageShape
from gan_lightning.games.label import LabelDiscriminatorFactory, LabelGame, LabelGeneratorFactory
from gan_lightning.losses import Terms, hinge_discriminator, hinge_generator
from gan_lightning.networks import SNGANDiscriminator, SNGANGenerator
from gan_lightning.optimizers import SNGANAdam


class ProjectionGAN(LabelGame):
    """Miyato, Koyama, *cGANs with Projection Discriminator*, ICLR 2018, arXiv 1802.05637, equation 3.

    SNGAN's game, ``L_D = E max(0, 1 - D(x, y)) + E max(0, 1 + D(G(z, y), y))`` and ``L_G = -E D(G(z, y), y)``, with
    ``D(x, y) = w . phi(x) + <e_y, phi(x)>`` and class-conditional BatchNorm in G. All weights of D are spectrally
    normalised, e too. The authors draw the labels of fakes uniformly; here they are those of the real images.

    Args:
        image_shape: Channels, height, width of an image. The command line takes it from the data.
        latent_dim: Length of the latent vector.
        num_classes: Labels are 0 ... num_classes - 1. The command line takes it from the data.
        generator: Makes the generator from the image shape, the latent length and the number of classes.
        discriminator: Makes the discriminator from the image shape and the number of classes; it normalises its
            weights itself.
        generator_optimizer: Makes the generator's optimiser from its parameters.
        discriminator_optimizer: Makes the discriminator's optimiser from its parameters.
        n_critic: Discriminator updates in a step.
    """

    def __init__(
        self,
        image_shape: ImageShape = (3, 32, 32),
        latent_dim: int = 128,
        num_classes: int = 10,
        generator: LabelGeneratorFactory = SNGANGenerator,
        discriminator: LabelDiscriminatorFactory = SNGANDiscriminator,
        generator_optimizer: OptimizerCallable = SNGANAdam,
        discriminator_optimizer: OptimizerCallable = SNGANAdam,
        n_critic: int = 5,
        **game: Any,
    ) -> None:
        super().__init__(
            image_shape,
            latent_dim,
            num_classes,
            generator,
            discriminator,
            generator_optimizer=generator_optimizer,
            discriminator_optimizer=discriminator_optimizer,
            n_critic=n_critic,
            **game,
        )

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        labels = batch.condition
        return hinge_discriminator(self.discriminator(batch.real, labels), self.discriminator(batch.fake, labels))

    def generator_loss(self, batch: GameBatch) -> Terms:
        return hinge_generator(self.discriminator(batch.fake, batch.condition))
