"""Relativistic GANs: the discriminator estimates whether an image is more realistic than one of the other kind."""

from collections.abc import Callable
from typing import Any, Literal

from torch import Tensor

from gan_lightning.games.batch import GameBatch
from gan_lightning.games.image import ImageGame
from gan_lightning.losses import (
    Terms,
    relativistic,
    relativistic_average,
    relativistic_average_hinge,
    relativistic_average_least_squares,
)
from gan_lightning.losses.accuracy import report_accuracies
from gan_lightning.networks import ConvDiscriminator, ConvGenerator

FORMS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "RSGAN": relativistic,
    "RaSGAN": relativistic_average,
    "RaLSGAN": relativistic_average_least_squares,
    "RaHingeGAN": relativistic_average_hinge,
}


class RelativisticGAN(
    ImageGame,
    image_shape=(3, 64, 64),
    latent_dim=100,
    generator=ConvGenerator,
    discriminator=ConvDiscriminator,
):
    """Jolicoeur-Martineau, *The Relativistic Discriminator*, ICLR 2019, arXiv 1807.00734, section 4.

    ``L_D = L(D(x), D(G(z)))`` and ``L_G = L(D(G(z)), D(x))`` on logits: the players exchange their roles, so the
    generator also has to make real images look less real. By default, as RaSGAN,
    ``L(s, s') = 1/2 E softplus(-(s - E s')) + 1/2 E softplus(s' - E s)``; the factors 1/2 are those of the author's
    code, and no mean is held constant.

    The networks are DCGAN's, with its Adam. A mean is over a process's batch: a batch of two processes is not one of
    twice the size.

    Args:
        form: L by its name in the paper: RSGAN compares image by image, RaSGAN, RaLSGAN and RaHingeGAN an image with
            the mean of the others.
    """

    def __init__(self, form: Literal["RSGAN", "RaSGAN", "RaLSGAN", "RaHingeGAN"] = "RaSGAN", **game: Any) -> None:
        super().__init__(**game)
        self.compare = FORMS[form]

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        real, fake = self.discriminator(batch.real), self.discriminator(batch.fake)
        # Here and not in the loss, which does not know which of its arguments is real.
        report_accuracies(real, fake)
        return {"adversarial": self.compare(real, fake)}

    def generator_loss(self, batch: GameBatch) -> Terms:
        # Real images are judged again, by the D that has just moved; they carry no gradient, for D is frozen.
        return {"adversarial": self.compare(self.discriminator(batch.fake), self.discriminator(batch.real))}
