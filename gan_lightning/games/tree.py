"""Games of texts whose generator makes an image of every size, each with a discriminator of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import torch.nn.functional as F
from torch import Tensor, nn

from gan_lightning.arguments.recipes import resolve
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.image import ImageShape
from gan_lightning.games.text import TextDiscriminatorFactory, TextGame
from gan_lightning.losses import Terms, condition_kl, joint_discrimination, joint_generation
from gan_lightning.losses.reported import judge_named
from gan_lightning.networks.stackgan_pp import stage_shapes
from gan_lightning.networks.text import Text

TreeFactory = Callable[[ImageShape, int, int, int, int], nn.Module]


class TreeGame(TextGame):
    """A game of a tree of stages, as StackGAN++ and AttnGAN are: their losses are sums over the images' sizes.

    Each discriminator has two heads, one for images and one for images with their texts. Real images are averaged down
    to each size. A latent is the vector z and the noise of the generator's conditioning augmentation, in one, so that a
    sample depends on its number alone.

    Args:
        image_shape: Channels, height, width of the largest image. The command line takes it from the data.
        latent_dim: Length of z.
        generator: Makes the generator from the image shape, the lengths of z, of text features and of the condition,
            and the number of stages. Its ``images`` returns images by their height, and its ``lengths`` are those of z
            and of the noise.
        discriminator: Makes a discriminator from the shape of its images and the length of what it is given of texts;
            see :class:`~gan_lightning.networks.TextDiscriminator`.
        condition_dim: Length of the augmented condition.
        n_stages: Number of images; each has twice the sides of the one before.
        kl_weight: Weight of the condition's divergence from the normal distribution, a mean over its numbers.
        **game: Arguments of :class:`~gan_lightning.games.text.TextGame`.

    Raises:
        ValueError: The sides do not fit the stages.
    """

    generator: Any
    judges_conditions: bool = False
    """Whether discriminators are given the means of augmented conditions; False: sentence features."""
    sums_losses: bool = False
    """Whether the losses of both heads are summed; see :func:`~gan_lightning.losses.joint_discrimination`."""

    def __init__(
        self,
        image_shape: ImageShape,
        latent_dim: int,
        generator: TreeFactory,
        discriminator: TextDiscriminatorFactory,
        condition_dim: int,
        n_stages: int,
        kl_weight: float,
        **game: Any,
    ) -> None:
        def discriminators(shape: ImageShape, embed_dim: int) -> nn.ModuleDict:
            length = condition_dim if self.judges_conditions else embed_dim
            shapes = stage_shapes(shape, n_stages)
            return nn.ModuleDict({str(each[1]): resolve(discriminator)(each, length) for each in shapes})

        super().__init__(
            image_shape,
            latent_dim,
            lambda *sizes: resolve(generator)(*sizes, condition_dim, n_stages),
            discriminators,
            **game,
        )
        self.latent_dim = sum(self.generator.lengths)
        self.kl_weight = kl_weight

    def draw_latents(self, batch: GameBatch) -> GameBatch:
        """Draw the latents, and average the real images down to the size of each fake."""
        batch = super().draw_latents(batch)
        largest = self.image_shape[1]
        sides = [int(side) for side in cast(nn.ModuleDict, self.discriminator)]
        return replace(batch, real={side: F.avg_pool2d(batch.real, largest // side) for side in sides})

    def generate_fakes(self, batch: GameBatch) -> dict[int, Tensor]:
        images: dict[int, Tensor] = self.generator.images(batch.latent, *self.generator_inputs(batch.condition.text))
        return images

    def judged_condition(self, text: Text) -> Tensor:
        """What the discriminators are given of texts: N x condition_dim, or N x E.

        The mean of a condition has a gradient to its augmentation in the generator's update.
        """
        return self.generator.conditioning.moments(text.sentence)[0] if self.judges_conditions else text.sentence

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        right, wrong = map(self.judged_condition, (batch.condition.text, batch.condition.wrong))
        terms: Terms = {}
        for side, discriminator in cast(nn.ModuleDict, self.discriminator).items():
            image, pair, wrong_pair = discriminator(batch.real[int(side)], right, wrong)
            fake = discriminator(batch.fake[int(side)], right)
            with judge_named(side):
                of_size = joint_discrimination((image, pair), wrong_pair, fake, self.sums_losses)
            # The sizes share no weights, so one sum serves them all.
            terms |= {f"{name}_{side}": term for name, term in of_size.items()}
        return terms

    def generator_loss(self, batch: GameBatch) -> Terms:
        text = batch.condition.text
        right = self.judged_condition(text)
        terms: Terms = {}
        for side, discriminator in cast(nn.ModuleDict, self.discriminator).items():
            of_size = joint_generation(discriminator(batch.fake[int(side)], right))
            terms |= {f"{name}_{side}": term for name, term in of_size.items()}
        return terms | {"kl": self.kl_weight * condition_kl(*self.generator.conditioning.moments(text.sentence))}
