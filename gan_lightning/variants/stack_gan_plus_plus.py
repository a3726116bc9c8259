"""StackGAN++: a tree of generators, whose images of all sizes are judged at once."""

from itertools import pairwise
from typing import Any

from gan_lightning.games.batch import GameBatch
from gan_lightning.games.image import ImageShape
from gan_lightning.games.text import TextDiscriminatorFactory
from gan_lightning.games.tree import TreeFactory, TreeGame
from gan_lightning.losses import Terms, color_consistency
from gan_lightning.networks import StackGANPlusPlusGenerator, TextDiscriminator


class StackGANPlusPlus(TreeGame):
    """Zhang et al., *StackGAN++: Realistic Image Synthesis with Stacked Generative Adversarial Networks*, TPAMI 2018,
    arXiv 1710.10916, equations 5 to 9 (StackGAN-v2).

    With c the condition of a text, summed over the sizes of images: ``L_D = -log D(x) - log D(x, c) - log(1 - D(G)) -
    log(1 - D(G, c))`` and ``L_G = -log D(G) - log D(G, c)``, and the divergence of c from the normal distribution. As
    in the authors' code a real image with a wrong text adds ``-log D(x) - log(1 - D(x, c'))`` to L_D; discriminators
    are given the mean of c, through which c learns too.

    Color consistency compares mean and covariance of an image's colors with those of the next smaller one, which takes
    no gradient. The authors switch it off where there are texts, and give it a weight of 50 where there are none.

    Args:
        image_shape: Channels, height, width of the largest image. The command line takes it from the data.
        latent_dim: Length of z; the noise of the condition comes beside it.
        generator: Makes the generator; see :class:`~gan_lightning.games.tree.TreeGame`.
        discriminator: Makes each discriminator from the shape of its images and the length of the condition.
        condition_dim: Length of the condition.
        n_stages: Number of images; each has twice the sides of the one before.
        kl_weight: Weight of the condition's divergence, a mean over its numbers.
        color_weight: Weight of color consistency.
    """

    judges_conditions = True
    sums_losses = True

    def __init__(
        self,
        image_shape: ImageShape = (3, 64, 64),
        latent_dim: int = 100,
        generator: TreeFactory = StackGANPlusPlusGenerator,
        discriminator: TextDiscriminatorFactory = TextDiscriminator,
        condition_dim: int = 128,
        n_stages: int = 3,
        kl_weight: float = 2.0,
        color_weight: float = 0.0,
        **game: Any,
    ) -> None:
        super().__init__(
            image_shape,
            latent_dim,
            generator,
            discriminator,
            condition_dim,
            n_stages,
            kl_weight,
            **game,
        )
        self.color_weight = color_weight

    def generator_loss(self, batch: GameBatch) -> Terms:
        terms = super().generator_loss(batch)
        if self.color_weight:
            images = list(batch.fake.items())
            for (_, coarse), (side, fine) in pairwise(images):
                terms[f"color_{side}"] = self.color_weight * color_consistency(fine, coarse.detach())
        return terms
