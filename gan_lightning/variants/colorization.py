"""Colourisation of grey photographs and of line art, guided by hints and by the palette of a reference."""

from typing import Any

import torch
import torch.nn.functional as F

from gan_lightning.games.batch import GameBatch
from gan_lightning.games.colorization import ColorizationGame, ColorizerFactory, Given
from gan_lightning.games.image import DiscriminatorFactory, ImageShape
from gan_lightning.losses import Terms, minimax_discriminator, non_saturating_generator
from gan_lightning.networks import PaletteUNet, PatchDiscriminator


class Colorization(ColorizationGame):
    """Zhang, Zhu, Isola, Geng, Lin, Yu, Efros, *Real-Time User-Guided Image Colorization with Learned Deep Priors*,
    SIGGRAPH 2017, arXiv 1705.02999, with the networks and the losses of pix2pix, CVPR 2017, arXiv 1611.07004.

    ``L_D = 1/2 (E -log D(x, y) + E -log(1 - D(x, G(x, u, p))))`` and
    ``L_G = E -log D(x, G(x, u, p)) + 100 E |y - G(x, u, p)|``: of what is given, x, of hints u and of a palette p the
    generator makes the colours y. Of a photograph x is the lightness and y are a and b of Lab, as published; the result
    has the given lightness. Of line art x is the drawing and y the image, as in style2paints (Zhang, Ji, Lin, 2017,
    arXiv 1706.03319), which takes a reference too.

    From Zhang et al. are the laws of the hints, the histogram of colours, given in every other image, and Huber's loss,
    which they use without a discriminator; from pix2pix the discriminator, L1, its weight and the U-Net. Their network
    is another one, and their palette is of the a and b of a quarter of the size, with the mean saturation.

    Args:
        image_shape: Channels, height, width of coloured images. The command line takes it from the data.
        condition_shape: The same of the drawings. The command line takes it from the data. None: there are none, and
            the lightness of the images is given.
        given: drawing, or lightness, which may also be that of the images of pairs. None: as condition_shape says.
        generator: Makes the generator from the shapes of what is given, with the hints, and of what is made, and the
            length of a palette.
        discriminator: Makes the discriminator from the shape of what is given and the colours joined in one.
        l1_weight: Weight of the absolute difference of colours; a and b are in units of 110.
        huber_delta: Differences below this count by their square; 1 / 110 is the paper's. 0: none, which is L1.
        **game: Arguments of :class:`~gan_lightning.games.colorization.ColorizationGame`.

    Raises:
        ValueError: The images have no colours, or there are no drawings.
    """

    def __init__(
        self,
        image_shape: ImageShape = (3, 256, 256),
        condition_shape: ImageShape | None = None,
        given: Given | None = None,
        generator: ColorizerFactory = PaletteUNet,
        discriminator: DiscriminatorFactory = PatchDiscriminator,
        l1_weight: float = 100.0,
        huber_delta: float = 0.0,
        **game: Any,
    ) -> None:
        super().__init__(image_shape, condition_shape, given, generator, discriminator, **game)
        self.l1_weight = l1_weight
        self.huber_delta = huber_delta

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        # Without the hints: whether colours fit what is given does not depend on who asked for them.
        real = self.discriminator(torch.cat([batch.condition, batch.real], dim=1))
        fake = self.discriminator(torch.cat([batch.condition, batch.fake], dim=1))
        return {name: term / 2 for name, term in minimax_discriminator(real, fake).items()}

    def generator_loss(self, batch: GameBatch) -> Terms:
        fake = self.discriminator(torch.cat([batch.condition, batch.fake], dim=1))
        # Huber's loss divided by delta, so that large differences count the same whatever delta is.
        difference = F.smooth_l1_loss(batch.fake, batch.real, beta=self.huber_delta)
        return {**non_saturating_generator(fake), "l1": self.l1_weight * difference}
