"""WGAN: the Wasserstein-1 distance, with a critic made Lipschitz by weight clipping."""

from typing import Any

from gan_lightning.games.batch import GameBatch
from gan_lightning.games.image import ImageGame
from gan_lightning.losses import Terms, wasserstein_discriminator, wasserstein_generator
from gan_lightning.optimizers import WGANRMSprop
from gan_lightning.regularizers import clip_weights


class WGAN(
    ImageGame,
    # RMSProp: the authors found Adam's momentum unstable with a clipped critic.
    generator_optimizer=WGANRMSprop,
    discriminator_optimizer=WGANRMSprop,
    # The gap of the critic's means estimates the distance only near its optimum: five updates for one of G.
    n_critic=5,
):
    """Arjovsky, Chintala, Bottou, *Wasserstein GAN*, ICML 2017, arXiv 1701.07875, algorithm 1.

    ``L_D = E D(G(z)) - E D(x)``, ``L_G = -E D(G(z))``; every weight of the critic is clipped to
    [-``clip_limit``, ``clip_limit``] after each of its updates.

    The authors' code also gives the critic 100 updates at each of the first 25 steps and at every 500th; here it is
    ``n_critic`` throughout, as in the paper.

    Args:
        clip_limit: Bound of the critic's weights, c in the paper.
    """

    def __init__(self, clip_limit: float = 0.01, **game: Any) -> None:
        super().__init__(**game)
        self.clip_limit = clip_limit

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        return wasserstein_discriminator(self.discriminator(batch.real), self.discriminator(batch.fake))

    def generator_loss(self, batch: GameBatch) -> Terms:
        return wasserstein_generator(self.discriminator(batch.fake))

    def after_discriminator_update(self) -> None:
        # After the update, as in algorithm 1; the authors' code clips before the next one.
        clip_weights(self.discriminator, self.clip_limit)
