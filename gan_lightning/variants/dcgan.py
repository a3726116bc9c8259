"""DCGAN: the convolutional networks that made GANs trainable."""

from typing import Any

from gan_lightning.games.batch import GameBatch
from gan_lightning.games.image import DiscriminatorFactory, GeneratorFactory, ImageGame, ImageShape
from gan_lightning.losses import Terms, minimax_discriminator, non_saturating_generator
from gan_lightning.networks import ConvDiscriminator, ConvGenerator
from gan_lightning.regularizers import r1_penalty


class DCGAN(ImageGame):
    """Radford, Metz, Chintala, *Unsupervised Representation Learning with DCGANs*, ICLR 2016, arXiv 1511.06434.

    ``L_D = E softplus(-D(x)) + E softplus(D(G(z)))`` and ``L_G = E softplus(-D(G(z)))`` on logits: the
    non-saturating game of Goodfellow et al., 2014.

    With ``r1_weight`` above 0 the discriminator also minimises ``r1_weight / 2 * E ||grad D(x)||^2`` (Mescheder,
    Geiger, Nowozin, ICML 2018, arXiv 1801.04406, equation 9), which keeps the game convergent; take BatchNorm out of
    the discriminator then.

    Args:
        image_shape: Channels, height, width of an image. The command line takes it from the data.
        latent_dim: Length of the latent vector.
        generator: Makes the generator from the image shape and the latent length.
        discriminator: Makes the discriminator from the image shape.
        r1_weight: Gamma of R1. 0, the paper's game, turns it off.
        real_target: What the discriminator is to say of real images; below 1: one-sided label smoothing.
    """

    def __init__(
        self,
        image_shape: ImageShape = (3, 64, 64),
        latent_dim: int = 100,
        generator: GeneratorFactory = ConvGenerator,
        discriminator: DiscriminatorFactory = ConvDiscriminator,
        r1_weight: float = 0.0,
        real_target: float = 1.0,
        **game: Any,
    ) -> None:
        if r1_weight < 0:
            raise ValueError(f"r1_weight is {r1_weight}: it must be at least 0.")
        super().__init__(image_shape, latent_dim, generator, discriminator, **game)
        self.r1_weight = r1_weight
        self.real_target = real_target

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        return minimax_discriminator(self.discriminator(batch.real), self.discriminator(batch.fake), self.real_target)

    def discriminator_penalty(self, batch: GameBatch) -> Terms:
        if self.r1_weight == 0:
            return {}
        return {"r1": self.r1_weight * r1_penalty(self.discriminator, batch.real)}

    def generator_loss(self, batch: GameBatch) -> Terms:
        return non_saturating_generator(self.discriminator(batch.fake))
