"""GAN-CLS: images of texts, by a discriminator that also refuses real images with the wrong text."""

from typing import Any

import torch

from gan_lightning.games.batch import GameBatch
from gan_lightning.games.image import ImageShape
from gan_lightning.games.text import TextDiscriminatorFactory, TextGame, TextGeneratorFactory
from gan_lightning.losses import Terms, matching_aware_discriminator, non_saturating_generator
from gan_lightning.networks import GANCLSDiscriminator, GANCLSGenerator


class GANCLS(TextGame):
    """Reed, Akata, Yan, Logeswaran, Schiele, Lee, *Generative Adversarial Text to Image Synthesis*, ICML 2016,
    arXiv 1605.05396, algorithm 1 and equation 5: GAN-INT-CLS.

    With text features t of an image x and t' of another one's text,
    ``L_D = -log D(x, t) - 1/2 [log(1 - D(x, t')) + log(1 - D(G(z, t), t))]`` and ``L_G = -log D(G(z, t), t)``. The
    generator also makes images of midpoints ``(t_1 + t_2) / 2`` of texts of the batch, half as many, which no image
    goes with (GAN-INT): its loss is the mean over both, as in the authors' code, and the discriminator does not learn
    from them.

    The texts are encoded by a network that is trained beforehand; the paper's is trained by ``JointEmbedding``. Without
    one, a text is a fixed random vector for each of its words (``BagOfWords``), to which the linear layers of both
    networks give a meaning: that works in one run, and knows no likeness of words that the images do not show.

    Args:
        image_shape: Channels, height, width of an image. The command line takes it from the data.
        latent_dim: Length of the latent vector.
        generator: Makes the generator from the image shape and the lengths of latents and text features.
        discriminator: Makes the discriminator from the image shape and the length of text features.
        wrong_weight: Weight of real images with wrong texts; fakes have the rest to 1. 0: a GAN of images and texts
            that never sees a wrong one.
        interpolation_weight: Weight of midpoints in the generator's loss; 0: GAN-CLS without GAN-INT.
    """

    def __init__(
        self,
        image_shape: ImageShape = (3, 64, 64),
        latent_dim: int = 100,
        generator: TextGeneratorFactory = GANCLSGenerator,
        discriminator: TextDiscriminatorFactory = GANCLSDiscriminator,
        wrong_weight: float = 0.5,
        interpolation_weight: float = 1.0,
        **game: Any,
    ) -> None:
        if wrong_weight >= 1:
            raise ValueError(f"wrong_weight is {wrong_weight}: it must be less than 1, for fakes have the rest.")
        super().__init__(image_shape, latent_dim, generator=generator, discriminator=discriminator, **game)
        self.wrong_weight = wrong_weight
        self.interpolation_weight = interpolation_weight

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        right, wrong = batch.condition.text.sentence, batch.condition.wrong.sentence
        # Apart, not joined to one batch: BatchNorm would see by its statistics which are which.
        return matching_aware_discriminator(
            self.discriminator(batch.real, right),
            self.discriminator(batch.real, wrong),
            self.discriminator(batch.fake, right),
            self.wrong_weight,
        )

    def generator_loss(self, batch: GameBatch) -> Terms:
        texts = batch.condition.text.sentence
        loss = non_saturating_generator(self.discriminator(batch.fake, texts))
        n, half = len(texts), len(texts) // 2
        if self.interpolation_weight == 0 or half < 2:  # BatchNorm of one vector has no variance.
            return loss
        midpoints = (texts[:half] + texts[half : 2 * half]) / 2
        made = self.generator(torch.randn_like(batch.latent[:half]), midpoints)
        between = non_saturating_generator(self.discriminator(made, midpoints))["adversarial"]
        # The mean over n and half images.
        return {
            "adversarial": loss["adversarial"] * n / (n + half),
            "interpolated": self.interpolation_weight * between * half / (n + half),
        }
