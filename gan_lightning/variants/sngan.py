"""SNGAN: spectral normalisation bounds the Lipschitz constant of every layer of the discriminator by 1."""

from gan_lightning.games.batch import GameBatch
from gan_lightning.games.image import ImageGame
from gan_lightning.losses import Terms, hinge_discriminator, hinge_generator
from gan_lightning.networks import SNGANDiscriminator, SNGANGenerator
from gan_lightning.optimizers import SNGANAdam


class SNGAN(
    ImageGame,
    image_shape=(3, 32, 32),
    latent_dim=128,
    generator=SNGANGenerator,
    discriminator=SNGANDiscriminator,
    generator_optimizer=SNGANAdam,
    discriminator_optimizer=SNGANAdam,
    n_critic=5,
):
    """Miyato et al., *Spectral Normalization for Generative Adversarial Networks*, ICLR 2018, arXiv 1802.05957.

    ``L_D = E max(0, 1 - D(x)) + E max(0, 1 + D(G(z)))`` and ``L_G = -E D(G(z))``, with every weight of D divided by
    its largest singular value, ``W / sigma(W)``; G is not normalised.

    The networks are the paper's residual ones for 32 x 32; give ``PyramidGenerator`` and ``PyramidDiscriminator`` for
    64 x 64 and more. Every batch has one size, where the authors' code doubles the generator's.

    Args:
        discriminator: Makes the discriminator from the image shape; it normalises its weights itself.
    """

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        # Each pass through D in training advances the power iterations by one step: real images, fakes, G's update.
        return hinge_discriminator(self.discriminator(batch.real), self.discriminator(batch.fake))

    def generator_loss(self, batch: GameBatch) -> Terms:
        return hinge_generator(self.discriminator(batch.fake))
