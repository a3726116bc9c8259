"""Conditional GAN: the class is an input of both players."""

from typing import Any

from gan_lightning.games.batch import GameBatch
from gan_lightning.games.label import LabelGame
from gan_lightning.losses import Terms, minimax_discriminator, non_saturating_generator
from gan_lightning.networks import ConditionalMLPDiscriminator, ConditionalMLPGenerator


class ConditionalGAN(
    LabelGame,
    image_shape=(1, 28, 28),
    generator=ConditionalMLPGenerator,
    discriminator=ConditionalMLPDiscriminator,
):
    """Mirza, Osindero, *Conditional Generative Adversarial Nets*, 2014, arXiv 1411.1784, equation 2.

    The discriminator maximises ``E log D(x|y) + E log(1 - D(G(z|y)|y))``, the generator ``E log D(G(z|y)|y)``: the
    non-saturating form, as in the code that the authors started from. Real and fake come with the same labels, so
    the discriminator can only win by the images and by how they match; there are no mismatched pairs.

    The networks are the paper's for MNIST. Adam takes the place of its SGD, z is normal instead of uniform, and
    images are in [-1, 1] instead of [0, 1]. These networks learn to use the class slowly: the label enters beside 784
    pixels, through weights as small as theirs, and after 3,000 steps the discriminator still judges by the image
    alone. So the configs take ``ConvGenerator`` and ``ConvDiscriminator``.

    Args:
        real_target: Target of the real images' probability; below 1: one-sided label smoothing.
    """

    def __init__(self, real_target: float = 1.0, **game: Any) -> None:
        super().__init__(**game)
        self.real_target = real_target

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        # Fakes were made with the same labels: at other frequencies of the classes D could win by the labels alone.
        labels = batch.condition
        real, fake = self.discriminator(batch.real, labels), self.discriminator(batch.fake, labels)
        return minimax_discriminator(real, fake, self.real_target)

    def generator_loss(self, batch: GameBatch) -> Terms:
        return non_saturating_generator(self.discriminator(batch.fake, batch.condition))
