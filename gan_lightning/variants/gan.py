"""The first GAN, with both of its generator losses."""

from typing import Any

from gan_lightning.games.batch import GameBatch
from gan_lightning.games.image import ImageGame
from gan_lightning.losses import Terms, minimax_discriminator, minimax_generator, non_saturating_generator
from gan_lightning.networks import MLPDiscriminator, MLPGenerator


class GAN(
    ImageGame,
    image_shape=(1, 28, 28),
    generator=MLPGenerator,
    discriminator=MLPDiscriminator,
):
    """Goodfellow et al., *Generative Adversarial Nets*, NeurIPS 2014, arXiv 1406.2661.

    The discriminator maximises ``V(D, G) = E log D(x) + E log(1 - D(G(z)))``; the generator maximises
    ``E log D(G(z))``, the non-saturating form of section 3, whose gradient is strong where learning starts.

    The networks are the paper's for MNIST. Adam takes the place of its SGD (0.1, falling; momentum 0.5 rising to
    0.7), z is normal instead of uniform, and images are in [-1, 1] instead of [0, 1].

    Args:
        real_target: Target of the real images' probability; below 1: one-sided label smoothing.
    """

    def __init__(self, real_target: float = 1.0, **game: Any) -> None:
        super().__init__(**game)
        self.real_target = real_target

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        # Without the 1/2 of the authors' code. Adam all but cancels such a factor; under SGD it would be another rate.
        return minimax_discriminator(self.discriminator(batch.real), self.discriminator(batch.fake), self.real_target)

    def generator_loss(self, batch: GameBatch) -> Terms:
        # Section 3: log(1 - D(G(z))) is flat where D rejects fakes with confidence, log D(G(z)) is steep there.
        return non_saturating_generator(self.discriminator(batch.fake))


class MinimaxGAN(GAN):
    """The game of Goodfellow et al., 2014, arXiv 1406.2661, equation 1, with its saturating generator loss.

    The generator minimises ``E log(1 - D(G(z)))``. Its gradient vanishes where the discriminator
    is confident: this class is there to demonstrate it.
    """

    def generator_loss(self, batch: GameBatch) -> Terms:
        return minimax_generator(self.discriminator(batch.fake))
