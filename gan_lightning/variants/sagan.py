"""SAGAN: self-attention in both networks, and two learning rates (TTUR)."""

from gan_lightning.networks import SAGANDiscriminator, SAGANGenerator
from gan_lightning.optimizers import SAGANDiscriminatorAdam, WGANGPAdam
from gan_lightning.variants.projection_gan import ProjectionGAN


class SAGAN(
    ProjectionGAN,
    image_shape=(3, 128, 128),
    num_classes=1000,
    generator=SAGANGenerator,
    discriminator=SAGANDiscriminator,
    # Two learning rates (TTUR) in place of several updates of D in a step: 1e-4 for G, 4e-4 for D.
    generator_optimizer=WGANGPAdam,
    discriminator_optimizer=SAGANDiscriminatorAdam,
    n_critic=1,
):
    """Zhang, Goodfellow, Metaxas, Odena, *Self-Attention GANs*, ICML 2019, arXiv 1805.08318, equation 4.

    ``L_D = E max(0, 1 - D(x, y)) + E max(0, 1 + D(G(z, y), y))`` and ``L_G = -E D(G(z, y), y)``: the game of
    :class:`ProjectionGAN`. New are self-attention and spectral normalisation in both networks, and learning rates of
    1e-4 and 4e-4 at one discriminator update a step.

    The networks are the authors' for 128 x 128, and shrink to other sides. The vectors of spectral normalisation
    advance at every pass, where the authors' code advances D's on real images only.
    """
