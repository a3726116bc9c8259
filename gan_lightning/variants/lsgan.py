"""LSGAN: least squares in place of the cross-entropy."""

from gan_lightning.games.batch import GameBatch
from gan_lightning.games.image import ImageGame
from gan_lightning.losses import Terms, least_squares_discriminator, least_squares_generator


class LSGAN(ImageGame):
    """Mao et al., *Least Squares Generative Adversarial Networks*, ICCV 2017, arXiv 1611.04076.

    ``L_D = 1/2 E (D(x) - 1)^2 + 1/2 E D(G(z))^2`` and ``L_G = 1/2 E (D(G(z)) - 1)^2``: equation 2 with the targets
    (a, b, c) = (0, 1, 1) of its experiments. A sample on the right side of the boundary, but far from the data,
    still gets a gradient.

    The networks are DCGAN's, as are the settings of Adam, in the place of the paper's for 112 x 112 pixels.
    """

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        # On raw outputs: behind a sigmoid the squares would be flat far from the boundary, where a fake is to be moved.
        return least_squares_discriminator(self.discriminator(batch.real), self.discriminator(batch.fake))

    def generator_loss(self, batch: GameBatch) -> Terms:
        # c = 1 goes with (a, b) = (0, 1); with (-1, 1), the paper's other choice, it would be 0.
        return least_squares_generator(self.discriminator(batch.fake))
