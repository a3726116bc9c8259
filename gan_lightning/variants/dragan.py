"""DRAGAN: the original game with a gradient penalty around the data."""

from typing import Any

from gan_lightning.games.batch import GameBatch
from gan_lightning.games.image import ImageGame
from gan_lightning.losses import Terms, minimax_discriminator, non_saturating_generator
from gan_lightning.networks import PlainConvDiscriminator
from gan_lightning.regularizers import PenaltyMethod, dragan_penalty, refuse_batch_norm


class DRAGAN(
    ImageGame,
    discriminator=PlainConvDiscriminator,
):
    """Kodali et al., *On Convergence and Stability of GANs*, 2017, arXiv 1705.07215, algorithm 1.

    ``L_D = E softplus(-D(x)) + E softplus(D(G(z))) + penalty_weight * E (||grad D(x + delta)||_2 - 1)^2`` and
    ``L_G = E softplus(-D(G(z)))`` on logits. The penalty is on the logit, one norm a sample, at real images only:
    ``delta = perturbation * std(x) * alpha * u`` with one alpha ~ U(0, 1) an image and one u ~ U(0, 1) a pixel, as in
    the authors' code; the paper's delta is normal. std is the batch's.

    The networks are DCGAN's, with its Adam, but without BatchNorm in the discriminator: it would tie the images of a
    batch together, and the penalty is on each alone. The authors' code for MNIST has one hidden layer of 128, and Adam
    with 1e-4 and betas (0.5, 0.9).

    Args:
        discriminator: Makes the discriminator from the image shape. It must carry no BatchNorm.
        penalty_weight: Weight of the gradient penalty, lambda in the paper.
        perturbation: Distance from the data at which the gradient is penalised, in standard deviations of the data.
        penalty_method: How the penalty is computed: ``finite_difference`` estimates it without a second derivative.
    """

    def __init__(
        self,
        penalty_weight: float = 10.0,
        perturbation: float = 0.5,
        penalty_method: PenaltyMethod = "exact",
        **game: Any,
    ) -> None:
        super().__init__(**game)
        self.penalty_weight = penalty_weight
        self.perturbation = perturbation
        self.penalty_method = penalty_method
        self.differentiates_twice = penalty_method == "exact"
        refuse_batch_norm(self.discriminator, "DRAGAN")

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        return minimax_discriminator(self.discriminator(batch.real), self.discriminator(batch.fake))

    def discriminator_penalty(self, batch: GameBatch) -> Terms:
        # Around the data only: the paper finds sharp gradients of D there where modes collapse.
        penalty = dragan_penalty(self.discriminator, batch.real, self.perturbation, method=self.penalty_method)
        return {"gradient_penalty": self.penalty_weight * penalty}

    def generator_loss(self, batch: GameBatch) -> Terms:
        return non_saturating_generator(self.discriminator(batch.fake))
