"""DCGAN: the convolutional networks that made GANs trainable."""

from typing import Any

from gan_lightning.arguments import Schedule, value_of
from gan_lightning.arguments.recipes import resolve_number
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.image import ImageGame
from gan_lightning.losses import Terms, minimax_discriminator, non_saturating_generator
from gan_lightning.networks import ConvDiscriminator, ConvGenerator
from gan_lightning.regularizers import PenaltyMethod, r1_penalty


class DCGAN(
    ImageGame,
    image_shape=(3, 64, 64),
    latent_dim=100,
    generator=ConvGenerator,
    discriminator=ConvDiscriminator,
):
    """Radford, Metz, Chintala, *Unsupervised Representation Learning with DCGANs*, ICLR 2016, arXiv 1511.06434.

    ``L_D = E softplus(-D(x)) + E softplus(D(G(z)))`` and ``L_G = E softplus(-D(G(z)))`` on logits: the
    non-saturating game of Goodfellow et al., 2014.

    With ``r1_weight`` above 0 the discriminator also minimises ``r1_weight / 2 * E ||grad D(x)||^2`` (Mescheder,
    Geiger, Nowozin, ICML 2018, arXiv 1801.04406, equation 9), which keeps the game convergent; take BatchNorm out of
    the discriminator then.

    Args:
        r1_weight: Gamma of R1, or its schedule. 0, the paper's game, turns it off.
        real_target: Target of the real images' probability; below 1: one-sided label smoothing.
        penalty_method: How the penalty is computed: ``finite_difference`` estimates it without a second derivative.
    """

    def __init__(
        self,
        r1_weight: Schedule | float = 0.0,
        real_target: float = 1.0,
        penalty_method: PenaltyMethod = "exact",
        **game: Any,
    ) -> None:
        super().__init__(**game)
        self.r1_weight = resolve_number(r1_weight)
        self.real_target = real_target
        self.penalty_method = penalty_method
        self.differentiates_twice = penalty_method == "exact"

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        # Two passes, so that BatchNorm takes its statistics over real images alone and over fakes alone.
        return minimax_discriminator(self.discriminator(batch.real), self.discriminator(batch.fake), self.real_target)

    def discriminator_penalty(self, batch: GameBatch) -> Terms:
        weight = value_of(self.r1_weight, self.images_seen)
        # Not computed at all: it would take a second backward pass, and BatchNorm is allowed without it.
        if weight == 0:
            return {}
        return {"r1": weight * r1_penalty(self.discriminator, batch.real, self.penalty_method)}

    def generator_loss(self, batch: GameBatch) -> Terms:
        return non_saturating_generator(self.discriminator(batch.fake))
