"""Class-conditional SNGAN with a projection discriminator."""

from gan_lightning.games.batch import GameBatch
from gan_lightning.games.label import LabelGame
from gan_lightning.losses import Terms, hinge_discriminator, hinge_generator
from gan_lightning.networks import SNGANDiscriminator, SNGANGenerator
from gan_lightning.optimizers import SNGANAdam


class ProjectionGAN(
    LabelGame,
    image_shape=(3, 32, 32),
    latent_dim=128,
    generator=SNGANGenerator,
    discriminator=SNGANDiscriminator,
    generator_optimizer=SNGANAdam,
    discriminator_optimizer=SNGANAdam,
    n_critic=5,
):
    """Miyato, Koyama, *cGANs with Projection Discriminator*, ICLR 2018, arXiv 1802.05637, equation 3.

    SNGAN's game, ``L_D = E max(0, 1 - D(x, y)) + E max(0, 1 + D(G(z, y), y))`` and ``L_G = -E D(G(z, y), y)``, with
    ``D(x, y) = w . phi(x) + <e_y, phi(x)>`` and class-conditional BatchNorm in G. All weights of D are spectrally
    normalised, e too. The authors draw the labels of fakes uniformly; here they are those of the real images.

    Args:
        discriminator: Makes the discriminator from the image shape and the number of classes; it normalises its
            weights itself.
    """

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        # One p(y) for real and fake images, or D would win by the labels alone.
        labels = batch.condition
        return hinge_discriminator(self.discriminator(batch.real, labels), self.discriminator(batch.fake, labels))

    def generator_loss(self, batch: GameBatch) -> Terms:
        return hinge_generator(self.discriminator(batch.fake, batch.condition))
