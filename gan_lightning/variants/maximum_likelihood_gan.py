"""The third generator loss of the game: maximum likelihood, by samples that the discriminator weights."""

from gan_lightning.games.batch import GameBatch
from gan_lightning.losses import Terms, maximum_likelihood_generator
from gan_lightning.variants.gan import GAN


class MaximumLikelihoodGAN(GAN):
    """Goodfellow, *On Distinguishability Criteria for Estimating Generative Models*, 2014, arXiv 1412.6515.

    ``L_G = -1/2 E exp(s(G(z)))`` with the logit ``s = log D - log(1 - D)``, beside the discriminator of the first GAN:
    the third cost of the NIPS tutorial (arXiv 1701.00160, section 3.2.4). Where D is optimal, ``exp(s) = p_data / p_G``
    and the generator's expected gradient is half that of ``KL(p_data || p_G)``, which maximum likelihood minimises.

    It is there to be compared. Few samples carry the whole gradient (the tutorial's figure 16), so its variance is
    large; a sample that D rejects gets next to none, as in :class:`~gan_lightning.variants.gan.MinimaxGAN`.
    """

    def generator_loss(self, batch: GameBatch) -> Terms:
        # -1/2 E exp(sigma^-1(D)): the logit itself, since a probability that rounds to 1 would have none.
        return maximum_likelihood_generator(self.discriminator(batch.fake))
