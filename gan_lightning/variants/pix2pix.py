"""pix2pix: image-to-image translation learned from pairs, with a discriminator of patches."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_lightning.arguments.recipes import resolve
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.image import DiscriminatorFactory, ImageShape
from gan_lightning.games.portable import Applied, Portable, with_statistics_of_images
from gan_lightning.games.translation import AttributeEdits, PairedTranslationGame, published_mode
from gan_lightning.losses import Terms, minimax_discriminator, non_saturating_generator
from gan_lightning.networks import PatchDiscriminator, UNet

TranslatorFactory = Callable[[ImageShape, ImageShape], nn.Module]


class Pix2Pix(PairedTranslationGame):
    """Isola, Zhu, Zhou, Efros, *Image-to-Image Translation with Conditional Adversarial Networks*, CVPR 2017,
    arXiv 1611.07004, equation 4.

    ``L_D = 1/2 (E -log D(x, y) + E -log(1 - D(x, G(x))))`` and
    ``L_G = E -log D(x, G(x)) + 100 E |y - G(x)|``, means over patches and pixels. There is no latent vector: the
    only randomness is the generator's dropout.

    As published, images are translated one by one with dropout and the batch's statistics on, as in training.

    Args:
        image_shape: Channels, height, width of the images made. The command line takes it from the data.
        condition_shape: Channels, height, width of the images given. The command line takes it from the data.
        generator: Makes the generator from the shapes of the images given and made.
        discriminator: Makes the discriminator from the shape of a condition and an image joined in one.
        l1_weight: Weight of the absolute difference.
        published_test_mode: Translate with dropout and the batch's statistics, as published; otherwise without
            dropout and with the statistics remembered from training.
    """

    def __init__(
        self,
        image_shape: ImageShape = (3, 256, 256),
        condition_shape: ImageShape = (3, 256, 256),
        generator: TranslatorFactory = UNet,
        discriminator: DiscriminatorFactory = PatchDiscriminator,
        l1_weight: float = 100.0,
        published_test_mode: bool = True,
        **game: Any,
    ) -> None:
        if condition_shape is None:
            raise ValueError(
                "condition_shape is not known: Pix2Pix learns from pairs of images, such as those of "
                "PairedImageDataModule."
            )
        # D is given both images, so that it also sees whether they belong together.
        joined = (image_shape[0] + condition_shape[0], *image_shape[1:])
        super().__init__(
            generator=resolve(generator)(condition_shape, image_shape),
            discriminator=resolve(discriminator)(joined),
            **game,
        )
        self.joined_channels = (condition_shape[0], image_shape[0])
        self.l1_weight = l1_weight
        self.published_test_mode = published_test_mode

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        # N x (C_given + C_made) x H x W
        real = self.discriminator(torch.cat([batch.condition, batch.real], dim=1))
        fake = self.discriminator(torch.cat([batch.condition, batch.fake], dim=1))
        # Section 3.3 halves D's loss to slow D down. Adam all but cancels that; the logged values are the paper's.
        return {name: term / 2 for name, term in minimax_discriminator(real, fake).items()}

    def generator_loss(self, batch: GameBatch) -> Terms:
        fake = self.discriminator(torch.cat([batch.condition, batch.fake], dim=1))
        # L1 and not L2, which blurs more (section 3.1): GAN and L1 divide detail and layout among them.
        return {**non_saturating_generator(fake), "l1": self.l1_weight * F.l1_loss(batch.fake, batch.real)}

    def translate_batch(self, images: Tensor, direction: str | None, attributes: AttributeEdits) -> Tensor:
        if not self.published_test_mode:
            return self.averaged_generator(images)
        with published_mode(self.averaged_generator):
            # One by one: in a batch of 1 BatchNorm takes the statistics of the image itself, as in training there.
            return torch.cat([self.averaged_generator(image) for image in images.split(1)])

    def portable(self, domain: str | None = None) -> Portable:
        """With the statistics of each image, as published, but without dropout, so that images are repeatable."""
        made = super().portable(domain)
        if not self.published_test_mode:
            return made
        network = with_statistics_of_images(self.averaged_generator)
        return replace(made, network=Applied(lambda image: network(image), network), facts={"dropout": "off"})

    def validation_metrics(self, batch: GameBatch) -> Terms:
        return {"l1": F.l1_loss(self.translate(batch.condition), batch.real)}

    column_captions = ("given", "made", "true")

    def picture_columns(self, batch: GameBatch) -> list[Tensor]:
        """Given, made, true."""
        return [batch.condition, self.translate(batch.condition), batch.real]
