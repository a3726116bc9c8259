"""Relativistic GANs: not how real an image looks counts, but how much more real than the other kind."""

from collections.abc import Callable
from typing import Any, Literal

from torch import Tensor

from gan_lightning.games.batch import GameBatch
from gan_lightning.games.image import DiscriminatorFactory, GeneratorFactory, ImageGame, ImageShape
from gan_lightning.losses import (
    Terms,
    relativistic,
    relativistic_average,
    relativistic_average_hinge,
    relativistic_average_least_squares,
)
from gan_lightning.losses.accuracy import judged
from gan_lightning.networks import ConvDiscriminator, ConvGenerator

FORMS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "RSGAN": relativistic,
    "RaSGAN": relativistic_average,
    "RaLSGAN": relativistic_average_least_squares,
    "RaHingeGAN": relativistic_average_hinge,
}


class RelativisticGAN(ImageGame):
    """Jolicoeur-Martineau, *The Relativistic Discriminator*, ICLR 2019, arXiv 1807.00734, section 4.

    ``L_D = L(D(x), D(G(z)))`` and ``L_G = L(D(G(z)), D(x))`` on logits: the players exchange their roles, so the
    generator also has to make real images look less real. By default, as RaSGAN,
    ``L(s, s') = 1/2 E softplus(-(s - E s')) + 1/2 E softplus(s' - E s)``; the factors 1/2 are those of the author's
    code, and no mean is held constant.

    The networks are DCGAN's, with its Adam. A mean is over a process's batch: a batch of two processes is not one of
    twice the size.

    Args:
        image_shape: Channels, height, width of an image. The command line takes it from the data.
        latent_dim: Length of the latent vector.
        generator: Makes the generator from the image shape and the latent length.
        discriminator: Makes the discriminator from the image shape.
        form: L by its name in the paper: RSGAN compares image by image, RaSGAN, RaLSGAN and RaHingeGAN an image with
            the mean of the others.
    """

    def __init__(
        self,
        image_shape: ImageShape = (3, 64, 64),
        latent_dim: int = 100,
        generator: GeneratorFactory = ConvGenerator,
        discriminator: DiscriminatorFactory = ConvDiscriminator,
        form: Literal["RSGAN", "RaSGAN", "RaLSGAN", "RaHingeGAN"] = "RaSGAN",
        **game: Any,
    ) -> None:
        if form not in FORMS:
            raise ValueError(f"form is {form!r}: it must be one of {', '.join(FORMS)}.")
        super().__init__(image_shape, latent_dim, generator, discriminator, **game)
        self.compare = FORMS[form]

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        real, fake = self.discriminator(batch.real), self.discriminator(batch.fake)
        judged(real, fake)
        return {"adversarial": self.compare(real, fake)}

    def generator_loss(self, batch: GameBatch) -> Terms:
        return {"adversarial": self.compare(self.discriminator(batch.fake), self.discriminator(batch.real))}
