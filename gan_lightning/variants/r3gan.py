"""R3GAN: the relativistic game of pairs with a gradient penalty on real and on generated images."""

from typing import Any

from torch import Tensor

from gan_lightning.arguments import Schedule, value_of
from gan_lightning.arguments.recipes import resolve_number
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.label import LabelGame, labels_of
from gan_lightning.losses import Terms, relativistic
from gan_lightning.losses.accuracy import report_accuracies
from gan_lightning.networks import R3GANDiscriminator, R3GANGenerator
from gan_lightning.optimizers import R3GANAdam
from gan_lightning.regularizers import PenaltyMethod, r1_penalty, r2_penalty, refuse_batch_norm


class R3GAN(
    LabelGame,
    image_shape=(3, 32, 32),
    latent_dim=64,
    generator=R3GANGenerator,
    discriminator=R3GANDiscriminator,
    generator_optimizer=R3GANAdam,
    discriminator_optimizer=R3GANAdam,
):
    """Huang et al., *The GAN is dead; long live the GAN!*, NeurIPS 2024, arXiv 2501.05441, equation 2.

    ``L_D = E softplus(-(D(x) - D(G(z)))) + gamma / 2 * (E ||grad D(x)||^2 + E ||grad D(G(z))||^2)`` and
    ``L_G = E softplus(-(D(G(z)) - D(x)))``: a fake is compared with the real image of the same place in the batch,
    which has the same class. Both penalties are in every update of D: the paper saw the game diverge with one alone.

    The authors augment all images, ``ADA`` with a schedule of p, and let learning rate, Adam's second beta, gamma and
    the half-life of the average change by half a cosine over the first 20 million images. The defaults here are the
    settings for CIFAR-10 that they begin with, without augmentation, which suit shorter runs; the configs of their data
    sets have it all. Gamma depends on the data: 0.05 to 0.005 for CIFAR-10, 2 to 0.2 for FFHQ at 64 pixels, 150 to 15
    at 256.

    Args:
        num_classes: Labels are 0 ... num_classes - 1. The command line takes it from the data. None: an unconditional
            game, whose labels are left aside.
        conditional: False: an unconditional game on data with classes.
        penalty_weight: Gamma of both penalties, or its schedule.
        penalty_method: How the penalties are computed: ``finite_difference`` estimates them without a second
            derivative.
    """

    needs_classes = False

    def __init__(
        self,
        num_classes: int | None = None,
        conditional: bool = True,
        penalty_weight: Schedule | float = 0.05,
        penalty_method: PenaltyMethod = "exact",
        **game: Any,
    ) -> None:
        super().__init__(num_classes=num_classes if conditional else None, **game)
        self.penalty_weight = resolve_number(penalty_weight)
        self.penalty_method = penalty_method
        self.differentiates_twice = penalty_method == "exact"
        refuse_batch_norm(self.discriminator, "R3GAN")

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        real, fake = (self.discriminator(images, *labels_of(batch)) for images in (batch.real, batch.fake))
        report_accuracies(real, fake)
        return {"adversarial": relativistic(real, fake)}

    def discriminator_penalty(self, batch: GameBatch) -> Terms:
        def logits(images: Tensor) -> Tensor:
            return self.discriminator(images, *labels_of(batch))

        weight = value_of(self.penalty_weight, self.images_seen)
        # The penalties have the factor 1/2.
        return {
            "r1": weight * r1_penalty(logits, batch.real, self.penalty_method),
            "r2": weight * r2_penalty(logits, batch.fake, self.penalty_method),
        }

    def generator_loss(self, batch: GameBatch) -> Terms:
        # Real images are judged again, by the D that has just moved; they carry no gradient, for D is frozen.
        fake, real = (self.discriminator(images, *labels_of(batch)) for images in (batch.fake, batch.real))
        return {"adversarial": relativistic(fake, real)}
