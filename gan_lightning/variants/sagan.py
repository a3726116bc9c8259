"""SAGAN: distant parts of an image attend to each other, and the two players learn at two rates."""

from typing import Any

from lightning.pytorch.cli import OptimizerCallable

from gan_lightning.games.image import ImageShape
from gan_lightning.games.label import LabelDiscriminatorFactory, LabelGeneratorFactory
from gan_lightning.networks import SAGANDiscriminator, SAGANGenerator
from gan_lightning.optimizers import SAGANDiscriminatorAdam, WGANGPAdam
from gan_lightning.variants.projection_gan import ProjectionGAN


class SAGAN(ProjectionGAN):
    """Zhang, Goodfellow, Metaxas, Odena, *Self-Attention GANs*, ICML 2019, arXiv 1805.08318, equation 4.

    ``L_D = E max(0, 1 - D(x, y)) + E max(0, 1 + D(G(z, y), y))`` and ``L_G = -E D(G(z, y), y)``: the game of
    :class:`ProjectionGAN`. New are self-attention and spectral normalisation in both networks, and learning rates of
    1e-4 and 4e-4 at one discriminator update a step.

    The networks are the authors' for 128 x 128, and shrink to other sides. The vectors of spectral normalisation
    advance at every pass, where the authors' code advances D's on real images only.

    Args:
        image_shape: Channels, height, width of an image. The command line takes it from the data.
        latent_dim: Length of the latent vector.
        num_classes: Labels are 0 ... num_classes - 1. The command line takes it from the data.
        generator: Makes the generator from the image shape, the latent length and the number of classes.
        discriminator: Makes the discriminator from the image shape and the number of classes.
        generator_optimizer: Makes the generator's optimiser from its parameters.
        discriminator_optimizer: Makes the discriminator's optimiser from its parameters.
        n_critic: Discriminator updates in a step.
    """

    def __init__(
        self,
        image_shape: ImageShape = (3, 128, 128),
        latent_dim: int = 128,
        num_classes: int = 1000,
        generator: LabelGeneratorFactory = SAGANGenerator,
        discriminator: LabelDiscriminatorFactory = SAGANDiscriminator,
        generator_optimizer: OptimizerCallable = WGANGPAdam,
        discriminator_optimizer: OptimizerCallable = SAGANDiscriminatorAdam,
        n_critic: int = 1,
        **game: Any,
    ) -> None:
        super().__init__(
            image_shape,
            latent_dim,
            num_classes,
            generator,
            discriminator,
            generator_optimizer,
            discriminator_optimizer,
            n_critic,
            **game,
        )
