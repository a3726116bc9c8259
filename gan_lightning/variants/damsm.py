"""DAMSM: the encoders of texts and images that AttnGAN begins with."""

from typing import Any

from torch import Tensor

from gan_lightning.games.batch import GameBatch
from gan_lightning.games.embedding import EmbeddingGame, ImageEncoderFactory
from gan_lightning.games.image import ImageShape
from gan_lightning.games.text import TextEncoderFactory
from gan_lightning.losses import Terms, image_text_matching
from gan_lightning.networks import LSTMTextEncoder, RegionEncoder
from gan_lightning.networks.text import Text
from gan_lightning.optimizers import DAMSMAdam


class DAMSM(EmbeddingGame, generator_optimizer=DAMSMAdam, discriminator_optimizer=DAMSMAdam, gradient_clip_norm=0.25):
    """Xu et al., *AttnGAN: Fine-Grained Text to Image Generation with Attentional Generative Adversarial Networks*,
    CVPR 2018, arXiv 1711.10485, section 3.2: deep attentional multimodal similarity model.

    With the score R(Q, D) of an image and a text, ``L_1 = -sum_i log P(D_i | Q_i)``, ``P(D_i | Q_i) = softmax_i gamma_3
    R(Q_i, D_j)`` over the texts of the batch; ``L_2`` is the same over its images. R is by words, each of which looks
    at the regions that it concerns, or by cosine of image and sentence: four losses in all. Both encoders minimise
    their sum, in turns. Texts of one class, and equal ones, are no candidates for each other's images.

    The sums are means over the batch, and a score has no power ``1 / gamma_2``, as in the authors' code, to which the
    gammas are tuned. Theirs has ``InceptionRegionEncoder``; the small encoder here is for small images.

    Args:
        image_shape: Channels, height, width of an image. The command line takes it from the data.
        text_encoder: Makes the text encoder from the number of tokens.
        image_encoder: Makes the image encoder from the image shape and the length of text features.
        gamma_1: How much a word's attention keeps to few regions.
        gamma_2: How much the words that match best count.
        gamma_3: Factor of the scores in the softmax.
    """

    def __init__(
        self,
        image_shape: ImageShape = (3, 64, 64),
        text_encoder: TextEncoderFactory = LSTMTextEncoder,
        image_encoder: ImageEncoderFactory = RegionEncoder,
        gamma_1: float = 4.0,
        gamma_2: float = 5.0,
        gamma_3: float = 10.0,
        **game: Any,
    ) -> None:
        super().__init__(image_shape=image_shape, text_encoder=text_encoder, image_encoder=image_encoder, **game)
        self.gammas = gamma_1, gamma_2, gamma_3

    def matching_loss(self, regions: Tensor, images: Tensor, text: Text, batch: GameBatch) -> Terms:
        alike = batch.condition.alike
        return image_text_matching(regions, images, text.words, text.sentence, text.mask, alike, *self.gammas)
