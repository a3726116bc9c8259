"""Joint embedding of texts and images, which trains the text encoder of GAN-CLS."""

from typing import Any

from torch import Tensor

from gan_lightning.games.batch import GameBatch
from gan_lightning.games.embedding import EmbeddingGame, ImageEncoderFactory
from gan_lightning.games.image import ImageShape
from gan_lightning.games.text import TextEncoderFactory
from gan_lightning.losses import Terms, joint_embedding
from gan_lightning.networks import ConvImageEncoder, LSTMTextEncoder
from gan_lightning.networks.text import Text


class JointEmbedding(EmbeddingGame):
    """Reed, Akata, Schiele, Lee, *Learning Deep Representations of Fine-grained Visual Descriptions*, CVPR 2016,
    arXiv 1605.05395, equations 4 to 7: symmetric structured joint embedding.

    With features v of images and t of their texts, ``L = 1 / N^2 sum_{i != j} [max(0, 1 + v_i . t_j - v_i . t_i) +
    max(0, 1 + v_j . t_i - v_i . t_i)]``: a text is to fit its image better than any other of the batch, and an image
    its text. Pairs of one class, or with one text, are left out. Both encoders minimise L, in turns.

    The paper's text encoder is ``CharCNNRNN``, on texts as characters, and its image features are those of a network
    trained on ImageNet; here both encoders are small and trained together.

    Args:
        image_shape: Channels, height, width of an image. The command line takes it from the data.
        text_encoder: Makes the text encoder from the number of tokens.
        image_encoder: Makes the image encoder from the image shape and the length of text features.
        margin: By how much a pair is to fit better.
    """

    def __init__(
        self,
        image_shape: ImageShape = (3, 64, 64),
        text_encoder: TextEncoderFactory = LSTMTextEncoder,
        image_encoder: ImageEncoderFactory = ConvImageEncoder,
        margin: float = 1.0,
        **game: Any,
    ) -> None:
        super().__init__(image_shape=image_shape, text_encoder=text_encoder, image_encoder=image_encoder, **game)
        self.margin = margin

    def matching_loss(self, regions: Tensor, images: Tensor, text: Text, batch: GameBatch) -> Terms:
        return joint_embedding(images, text.sentence, batch.condition.alike, self.margin)
