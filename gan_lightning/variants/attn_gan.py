"""AttnGAN: a tree of generators, in which each place of an image looks at the words that concern it."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from datamodules.components.first_process import rank_zero_warn
from gan_lightning.arguments.recipes import resolve
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.embedding import ImageEncoderFactory
from gan_lightning.games.freezing import evaluating
from gan_lightning.games.image import ImageShape
from gan_lightning.games.text import TextDiscriminatorFactory, TextEncoderFactory
from gan_lightning.games.tree import TreeFactory, TreeGame
from gan_lightning.losses import Terms, image_text_matching
from gan_lightning.networks import AttnGANGenerator, LSTMTextEncoder, RegionEncoder, TextDiscriminator
from gan_lightning.networks.layers.frozen import Kept
from gan_lightning.networks.text import Text


class AttnGAN(TreeGame):
    """Xu et al., *AttnGAN: Fine-Grained Text to Image Generation with Attentional Generative Adversarial Networks*,
    CVPR 2018, arXiv 1711.10485, equations 3 to 6.

    With the sentence features e, over the sizes of images: ``L_D = -1/2 [log D(x) + log D(x, e)] - 1/3 [log(1 - D(G)) +
    log(1 - D(G, e)) + log(1 - D(x, e'))]`` and ``L_G = -log D(G) - log D(G, e)``; e' is of a wrong text, as in the
    authors' code. The generator also minimises the divergence of its condition from the normal distribution, and
    ``matching_weight * L_DAMSM`` of its largest images.

    Both encoders are those of a :class:`~gan_lightning.variants.DAMSM`, which is trained before:
    ``--init_from '{text_encoder: last.ckpt, image_encoder: last.ckpt}'``. They are not trained here, and checkpoints
    hold them.

    The authors' code masks words of other images than the text's own, in the generator; the mask here is the text's.

    Args:
        image_shape: Channels, height, width of the largest image. The command line takes it from the data.
        latent_dim: Length of z; the noise of the condition comes beside it.
        generator: Makes the generator; see :class:`~gan_lightning.games.tree.TreeGame`.
        discriminator: Makes each discriminator from the shape of its images and the length of text features.
        text_encoder: Makes the text encoder from the number of tokens.
        image_encoder: Makes the image encoder from the image shape and the length of text features.
        condition_dim: Length of the condition.
        n_stages: Number of images; each has twice the sides of the one before.
        kl_weight: Weight of the condition's divergence, a mean over its numbers.
        matching_weight: Weight of L_DAMSM, lambda: 5 for birds, 50 for COCO.
        gamma_1: Of L_DAMSM; see :class:`~gan_lightning.variants.DAMSM`.
        gamma_2: The same.
        gamma_3: The same.
    """

    def __init__(
        self,
        image_shape: ImageShape = (3, 64, 64),
        latent_dim: int = 100,
        generator: TreeFactory = AttnGANGenerator,
        discriminator: TextDiscriminatorFactory = TextDiscriminator,
        text_encoder: TextEncoderFactory = LSTMTextEncoder,
        image_encoder: ImageEncoderFactory = RegionEncoder,
        condition_dim: int = 100,
        n_stages: int = 3,
        kl_weight: float = 1.0,
        matching_weight: float = 5.0,
        gamma_1: float = 4.0,
        gamma_2: float = 5.0,
        gamma_3: float = 10.0,
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
            text_encoder=text_encoder,
            **game,
        )
        self.image_encoder = Kept(resolve(image_encoder)(self.image_shape, self.embed_dim))
        self.n_stages = n_stages
        self.matching_weight = matching_weight
        self.gammas = gamma_1, gamma_2, gamma_3

    def on_train_start(self) -> None:
        super().on_train_start()
        if self.matching_weight and "image_encoder" not in self.initialised_from:
            rank_zero_warn(
                "The image encoder is not trained, and what it says of fakes means nothing: train a DAMSM and give "
                "--init_from '{text_encoder: last.ckpt, image_encoder: last.ckpt}' its checkpoint, or set "
                "matching_weight to 0."
            )

    def generator_inputs(self, text: Text) -> tuple[Tensor, ...]:
        """What the generator takes of texts: features of the sentence and of the words, and where there are words."""
        return text.sentence, text.words, text.mask

    def generator_loss(self, batch: GameBatch) -> Terms:
        text, alike = batch.condition.text, batch.condition.alike
        terms = super().generator_loss(batch)
        if not self.matching_weight:
            return terms
        regions, images = self.image_encoder(batch.fake[self.image_shape[1]])
        of_pairs = image_text_matching(regions, images, text.words, text.sentence, text.mask, alike, *self.gammas)
        return terms | {f"matching_{name}": self.matching_weight * term for name, term in of_pairs.items()}

    def encode_images(self, images: Tensor) -> Tensor:
        """Features of images (N x C x H x W in [-1, 1]) in the space of the sentences, N x E."""
        features: Tensor = self.image_encoder(images)[1]
        return features

    def attention(self, texts: Sequence[str], seed: int = 0) -> tuple[Tensor, Tensor]:
        """Samples of N texts, and where the words of each are, as the last stage attends to them.

        Returns:
            N x C x H x W in [-1, 1], and N x T x h x w, at each place 1 in sum over the T words of the longest.

        Raises:
            ValueError: There is one stage, the first, which has no attention.
        """
        if self.n_stages == 1:
            raise ValueError("Attention is in the stages after the first, and this AttnGAN has one stage.")
        text = self.encode_texts(texts)
        latents = self.indexed_latents(0, len(texts), seed).to(self.device)
        network: Any = self.averaged_generator
        with evaluating(network):
            images, attention = network.images_and_attention(latents, *self.generator_inputs(text))
        longest = int(text.mask.sum(1).max())  # Padding is at the end.
        return images[self.image_shape[1]], attention[self.image_shape[1]][:, :longest]

    def attention_table(self, rows: int, seed: int = 0) -> tuple[Tensor, int]:
        """A picture of :meth:`attention`: in each row a sample, and for each word the sample where it looks at it.

        Returns:
            The images row by row, in [-1, 1], and the number of columns.
        """
        images, attention = self.attention(self._shown_texts(rows), seed)
        looks = F.interpolate(attention, size=images.shape[2:], mode="bilinear")[:, :, None]
        # As bright as the sample where the word counts most; padding counts nowhere.
        looks = looks / looks.amax(dim=(3, 4), keepdim=True).clamp(min=1e-6)
        shown = (images[:, None] + 1) * looks - 1  # N x T x C x H x W
        return torch.cat([images[:, None], shown], dim=1).flatten(0, 1), 1 + attention.shape[1]

    def attention_captions(self, rows: int, columns: int) -> tuple[list[str], list[str]]:
        """Captions of the columns and of the rows of :meth:`attention_table`."""
        return ["", *(f"word {number}" for number in range(1, columns))], self._shown_texts(rows)

    def _shown_texts(self, rows: int) -> list[str]:
        return [self.texts[row % len(self.texts)] for row in range(rows)]
