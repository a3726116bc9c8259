"""ACGAN: the discriminator also classifies, and both players minimise the classification loss."""

from typing import Any

import torch.nn.functional as F

from gan_lightning.games.batch import GameBatch
from gan_lightning.games.label import LabelGame
from gan_lightning.losses import Terms, minimax_discriminator, non_saturating_generator
from gan_lightning.networks import ClassifyingDiscriminator


class ACGAN(
    LabelGame,
    image_shape=(3, 32, 32),
    discriminator=ClassifyingDiscriminator,
):
    """Odena, Olah, Shlens, *Conditional Image Synthesis with Auxiliary Classifier GANs*, ICML 2017, arXiv 1610.09585.

    With ``L_S = E log P(real|x) + E log P(fake|G(z, c))`` and ``L_C = E log P(c|x) + E log P(c|G(z, c))`` the
    discriminator maximises ``L_S + L_C`` and the generator ``L_C - L_S``, here in its non-saturating form. The sums
    have no weights, as in the paper, unless ``class_weight`` is given.

    The discriminator is the paper's for CIFAR-10, without its activation noise. The generator is DCGAN's, fed the
    latent and the class, with 4 x 4 kernels where the paper has 5 x 5. z is normal.

    Args:
        discriminator: Makes the discriminator from the image shape and the number of classes; it returns the logits
            of being real and those of the classes.
        class_weight: Weight of L_C in both players.
        real_target: Target of the real images' probability; below 1: one-sided label smoothing.
    """

    def __init__(self, class_weight: float = 1.0, real_target: float = 1.0, **game: Any) -> None:
        super().__init__(**game)
        self.class_weight = class_weight
        self.real_target = real_target

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        real, real_class = self.discriminator(batch.real)
        fake, fake_class = self.discriminator(batch.fake)
        return {
            # L_C of both kinds of images, each with weight 1 as in the paper (some codes average the two).
            # cross_entropy takes logits: a softmax in the network would be applied twice.
            **minimax_discriminator(real, fake, self.real_target),
            "class_real": self.class_weight * F.cross_entropy(real_class, batch.condition),
            "class_fake": self.class_weight * F.cross_entropy(fake_class, batch.condition),
        }

    def generator_loss(self, batch: GameBatch) -> Terms:
        fake, fake_class = self.discriminator(batch.fake)
        return {
            # max L_C - L_S: both players want the class to be recognised, and differ about the source only.
            **non_saturating_generator(fake),
            "class": self.class_weight * F.cross_entropy(fake_class, batch.condition),
        }
