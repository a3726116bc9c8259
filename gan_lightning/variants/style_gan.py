"""StyleGAN: a growing generator of styles and noise."""

from typing import Any

from gan_lightning.arguments import Schedule, value_of
from gan_lightning.arguments.recipes import resolve_number
from gan_lightning.arguments.schedules import GrowthSchedule
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.growing import GrowingGame
from gan_lightning.games.style import StyleGame
from gan_lightning.losses import Terms, minimax_discriminator, non_saturating_generator
from gan_lightning.networks import StyleGANDiscriminator, StyleGANGenerator
from gan_lightning.optimizers import ProGANAdam
from gan_lightning.regularizers import PenaltyMethod, r1_penalty, refuse_batch_norm


class StyleGAN(
    GrowingGame,
    StyleGame,
    image_shape=(3, 64, 64),
    latent_dim=512,
    generator=StyleGANGenerator,
    discriminator=StyleGANDiscriminator,
    generator_optimizer=ProGANAdam,
    discriminator_optimizer=ProGANAdam,
    ema_decay=None,
    ema_half_life=10_000,
):
    """Karras, Laine, Aila, *A Style-Based Generator Architecture for Generative Adversarial Networks*, CVPR 2019.

    arXiv 1812.04948. The non-saturating game with R1 on real images, of the paper's runs on FFHQ,

    ``L_D = E softplus(-D(x)) + E softplus(D(G(z))) + r1_weight / 2 * E ||grad D(x)||^2``,
    ``L_G = E softplus(-D(G(z)))``,

    from 8 x 8 pixels on. Truncation, ``w' = mean + psi (w - mean)``, is of samples alone (appendix B). The paper raises
    the learning rate to 1.5e-3 at 128 pixels, 2e-3 at 256 and 3e-3 above.

    Args:
        growth: The level, or its schedule. None: 600,000 images for each level and each fade, from 8 x 8 on.
        r1_weight: Gamma of R1, or its schedule; 10 in the paper.
        penalty_method: How the penalty is computed: ``finite_difference`` estimates it without a second derivative.
    """

    def __init__(
        self,
        growth: Schedule | float | None = None,
        r1_weight: Schedule | float = 10.0,
        penalty_method: PenaltyMethod = "exact",
        **game: Any,
    ) -> None:
        super().__init__(growth=GrowthSchedule(start=1) if growth is None else growth, **game)
        self.r1_weight = resolve_number(r1_weight)
        self.penalty_method = penalty_method
        self.differentiates_twice = penalty_method == "exact"
        refuse_batch_norm(self.discriminator, "StyleGAN")

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        return minimax_discriminator(self.discriminator(batch.real), self.discriminator(batch.fake))

    def discriminator_penalty(self, batch: GameBatch) -> Terms:
        weight = value_of(self.r1_weight, self.images_seen)
        return {"r1": weight * r1_penalty(self.discriminator, batch.real, self.penalty_method)}

    def generator_loss(self, batch: GameBatch) -> Terms:
        return non_saturating_generator(self.discriminator(batch.fake))
