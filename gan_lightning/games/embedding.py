"""Games of two encoders, of texts and of images, that bring matching pairs together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from gan_lightning.arguments.recipes import resolve
from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.freezing import evaluating
from gan_lightning.games.image import ImageShape
from gan_lightning.games.text import ReadsCaptions, TextEncoderFactory, length_of_features, tokenizer_of
from gan_lightning.losses.terms import Terms
from gan_lightning.networks.text import Text

ImageEncoderFactory = Callable[[ImageShape, int], nn.Module]


class EmbeddingGame(ReadsCaptions, AdversarialModule):
    """A game of two encoders that minimise one loss of matching pairs, in turns.

    The text encoder is the player ``generator``, the image encoder the player ``discriminator``. Both minimise
    :meth:`matching_loss`, each with the other held still: block coordinate descent on a joint loss, and no adversaries.
    A :class:`~gan_lightning.games.text.TextGame` takes the text encoder from a checkpoint.

    Args:
        image_shape: Channels, height, width of an image. The command line takes it from the data.
        text_encoder: Makes the text encoder from the number of tokens; see :mod:`gan_lightning.networks.text`.
        image_encoder: Makes the image encoder from the image shape and the length of text features.
        tokenizer: JSON text of a tokenizer. The command line takes it from the data.
        ema_decay: Decay of the moving average of the text encoder's weights. None: no average, as in the papers.
        **game: Arguments of :class:`~gan_lightning.games.base.AdversarialModule`.

    Raises:
        ValueError: There is no tokenizer, or the encoder does not say how long its features are.
    """

    training_parts = ("augmentation", "regularizers")

    def __init__(
        self,
        image_shape: ImageShape,
        text_encoder: TextEncoderFactory,
        image_encoder: ImageEncoderFactory,
        tokenizer: str | None = None,
        ema_decay: float | None = None,
        **game: Any,
    ) -> None:
        made = tokenizer_of(tokenizer, type(self).__name__)
        encoder = resolve(text_encoder)(made.n_tokens)
        channels, height, width = image_shape
        embed_dim = length_of_features(encoder)
        of_images = resolve(image_encoder)((channels, height, width), embed_dim)
        super().__init__(generator=encoder, discriminator=of_images, ema_decay=ema_decay, **game)
        self.image_shape = (channels, height, width)
        self.embed_dim = embed_dim
        self.tokenizer = made

    @property
    def smallest_batch(self) -> int:
        """Smallest batch size: of one pair there is nothing to match."""
        return max(2, super().smallest_batch)

    def matching_loss(self, regions: Tensor, images: Tensor, text: Text, batch: GameBatch) -> Terms:
        """Loss of both encoders, by terms.

        Args:
            regions: Features of the images' regions, N x E x h x w.
            images: Features of the images, N x E.
            text: Features of their texts.
            batch: The batch; its condition is a :class:`~gan_lightning.games.text.Captions`.
        """
        raise NotImplementedError(f"{type(self).__name__} must say what its encoders minimise: matching_loss.")

    def prepare_batch(self, raw: Any) -> GameBatch:
        batch = super().prepare_batch(raw)
        captions = self.read_captions(raw, batch.examples, self.labels_are_checked)
        return replace(batch, condition=captions)

    def generate_fakes(self, batch: GameBatch) -> dict[str, Tensor]:
        """Encode the texts: the fields of a :class:`~gan_lightning.networks.text.Text`."""
        text = self.generator(batch.condition.tokens)
        return {"words": text.words, "sentence": text.sentence, "mask": text.mask}

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        return self._loss(batch)

    def generator_loss(self, batch: GameBatch) -> Terms:
        return self._loss(batch)

    def _loss(self, batch: GameBatch) -> Terms:
        regions, images = self.discriminator(batch.real)
        return self.matching_loss(regions, images, Text(**batch.fake), batch)

    # Inference.

    def encode_texts(self, texts: Sequence[str], batch_size: int = 256) -> Text:
        """Encode N texts by the averaged text encoder, on the model's device."""
        return self.encode_tokens(self.tokenizer.encode(texts), batch_size)

    def encode_tokens(self, tokens: Tensor, batch_size: int = 256) -> Text:
        """The same of N rows of tokens, N x T."""
        parts = []
        with evaluating(self.averaged_generator):
            for some in tokens.split(batch_size):
                parts.append(self.averaged_generator(some.to(self.device)))
        return Text(*(torch.cat(part) for part in zip(*parts, strict=True)))

    def encode_images(self, images: Tensor, batch_size: int = 256) -> Tensor:
        """Encode images, N x C x H x W, uint8 or in [-1, 1], to N x E on the model's device."""
        parts = [torch.empty(0, self.embed_dim, device=self.device)]
        with evaluating(self.discriminator):
            for some in images.split(batch_size):
                parts.append(self.discriminator(self.scaled(some.to(self.device)))[1])
        return torch.cat(parts)
