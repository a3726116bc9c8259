"""WaveGAN: the waveform of a sound, by a DCGAN of one dimension."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from gan_lightning.arguments.recipes import resolve
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.sound import LatentSoundGame
from gan_lightning.losses import Terms, wasserstein_discriminator, wasserstein_generator
from gan_lightning.networks import WaveGANDiscriminator, WaveGANGenerator
from gan_lightning.optimizers import WaveGANAdam
from gan_lightning.regularizers import PenaltyMethod, gradient_penalty, refuse_batch_norm


class WaveGAN(
    LatentSoundGame,
    generator_optimizer=WaveGANAdam,
    discriminator_optimizer=WaveGANAdam,
    n_critic=5,
):
    """Donahue, McAuley, Puckette, *Adversarial Audio Synthesis*, ICLR 2019, arXiv 1802.04208, section 3.

    ``L_D = E D(G(z)) - E D(x) + penalty_weight * E (||grad D(x')||_2 - 1)^2`` and ``L_G = -E D(G(z))``, the losses of
    WGAN-GP, z uniform in [-1, 1], x' uniformly between a real and a fake sound, one norm a sound.

    In the discriminator phase shuffle moves the features of each sound by up to two steps after every layer but the
    last, in all passes, those of the generator's update and of the penalty among them. Each sound has a shift of its
    own, as in the paper's text; the authors' code draws one for a batch. An average of the generator's weights makes
    the samples, which the paper has not: ``ema_decay=None`` leaves it out.

    Args:
        n_samples: Length of a sound. The command line takes it from the data.
        latent_dim: Length of the latent vector.
        generator: Makes the generator from the length of a sound and of the latent.
        discriminator: Makes the critic from the length of a sound. It must carry no BatchNorm.
        penalty_weight: Weight of the gradient penalty, lambda in the paper.
        penalty_method: How the penalty is computed: ``finite_difference`` estimates it without a second derivative.
        **game: Arguments of :class:`~gan_lightning.games.sound.LatentSoundGame`.
    """

    def __init__(
        self,
        n_samples: int = 16384,
        latent_dim: int = 100,
        generator: Callable[[int, int], nn.Module] = WaveGANGenerator,
        discriminator: Callable[[int], nn.Module] = WaveGANDiscriminator,
        penalty_weight: float = 10.0,
        penalty_method: PenaltyMethod = "exact",
        **game: Any,
    ) -> None:
        super().__init__(
            generator=resolve(generator)(n_samples, latent_dim),
            discriminator=resolve(discriminator)(n_samples),
            latent_dim=latent_dim,
            n_samples=n_samples,
            **game,
        )
        self.penalty_weight = penalty_weight
        self.penalty_method = penalty_method
        self.differentiates_twice = penalty_method == "exact"
        refuse_batch_norm(self.discriminator, type(self).__name__)

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        return wasserstein_discriminator(self.discriminator(batch.real), self.discriminator(batch.fake))

    def discriminator_penalty(self, batch: GameBatch) -> Terms:
        penalty = gradient_penalty(self.discriminator, batch.real, batch.fake, method=self.penalty_method)
        return {"gradient_penalty": self.penalty_weight * penalty}

    def generator_loss(self, batch: GameBatch) -> Terms:
        return wasserstein_generator(self.discriminator(batch.fake))
