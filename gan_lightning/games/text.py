"""Games of images and their texts: the generator makes an image of a text."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from datamodules.components.first_process import rank_zero_warn
from datamodules.components.tokens import PADDING, TextTokenizer
from gan_lightning.arguments.recipes import resolve
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.freezing import evaluating
from gan_lightning.games.image import ImageGame, ImageShape
from gan_lightning.games.portable import Applied, Input, Portable, integers
from gan_lightning.games.randomness import fold, indexed_uniform
from gan_lightning.networks.layers.frozen import Kept
from gan_lightning.networks.text import BagOfWords, Text
from gan_lightning.trainer.batch_checks import check_tokens
from gan_lightning.trainer.loader_batches import captions_in

TextEncoderFactory = Callable[[int], nn.Module]
TextGeneratorFactory = Callable[[ImageShape, int, int], nn.Module]
TextDiscriminatorFactory = Callable[[ImageShape, int], nn.Module]

_TEXT_STREAM = 3


@dataclass(frozen=True)
class Captions:
    """Captions of a batch of N images.

    Attributes:
        tokens: N x T, 0 is padding.
        wrong_tokens: The same of mismatched captions, none of which is the image's own; None: there are none.
        labels: Classes of the images, N; None: there are none.
        text: ``tokens``, encoded; None in games whose player is the encoder.
        wrong: ``wrong_tokens``, encoded; None likewise.
    """

    tokens: Tensor
    wrong_tokens: Tensor | None = None
    labels: Tensor | None = None
    text: Any = None
    wrong: Any = None

    @property
    def alike(self) -> Tensor:
        """Whether a caption also fits another's image, N x N: it is the same, or the class is, where there are any."""
        same = (self.tokens[:, None] == self.tokens[None]).all(2)
        return same if self.labels is None else same | (self.labels[:, None] == self.labels[None])


class ReadsCaptions:
    """Mixin of games whose batches have captions; ``tokenizer`` maps texts to tokens."""

    tokenizer: TextTokenizer

    def read_captions(self, raw: Any, images: Tensor, checks: Callable[[Tensor], bool]) -> Captions:
        """Captions of a batch as the loader yields it.

        Args:
            raw: See :func:`~gan_lightning.trainer.loader_batches.captions_in`.
            images: The N images that they are of.
            checks: Whether the range of tokens is to be checked.

        Raises:
            ValueError: There are none, not one for each image, or tokens that the tokenizer does not have.
        """
        found, wrong, labels = captions_in(raw, type(self).__name__)
        tokens = found if isinstance(found, Tensor) else self.tokenizer.encode(found)
        if wrong is None:
            wrong = mismatched(tokens)
            if len(tokens) > 1 and checks(tokens) and torch.equal(wrong, tokens):
                rank_zero_warn(
                    f"All {len(tokens)} texts of a batch are the same, so that none is wrong for any of its images, "
                    f"and {type(self).__name__} learns nothing of texts from it: shuffle the data, or give the batches "
                    "wrong_texts."
                )
        elif not isinstance(wrong, Tensor):
            wrong = self.tokenizer.encode(wrong)
        for what, some in (("text", tokens), ("wrong text", wrong)):
            if len(some) != len(images):
                raise ValueError(
                    f"{type(self).__name__} needs a {what} for every image, and there are {len(some)} {what}s for "
                    f"{len(images)} images."
                )
            if checks(some):
                check_tokens(some, self.tokenizer.n_tokens)
        unknown = self.tokenizer.unknown_token
        read, wrong_read = (some_word(each.long().to(images.device), unknown) for each in (tokens, wrong))
        return Captions(read, wrong_read, labels)


class TextGame(ReadsCaptions, ImageGame):
    """A game whose generator makes an image of a text.

    The text encoder is no player: it is trained beforehand, by an :class:`~gan_lightning.games.embedding.EmbeddingGame`
    whose checkpoint ``--init_from '{text_encoder: last.ckpt}'`` names, or needs no training. It is in the checkpoints
    of this game, as the tokenizer is, so that samples need no other file.

    Args:
        image_shape: Channels, height, width of an image. The command line takes it from the data.
        latent_dim: Length of the latent vector.
        generator: Makes the generator from the image shape, the latent length and the length of text features; it is
            called with latents and :meth:`generator_inputs`.
        discriminator: Makes the discriminator from the image shape and the length of text features.
        text_encoder: Makes the text encoder from the number of tokens; see :mod:`gan_lightning.networks.text`.
        tokenizer: JSON text of a tokenizer. The command line takes it from the data.
        texts: Texts of samples whose text is not given, each as frequent. The command line takes them from the data,
            from captions that are held out. None: an empty text.
        **game: Arguments of :class:`~gan_lightning.games.base.AdversarialModule`.

    Raises:
        ValueError: There is no tokenizer, or the encoder does not say how long its features are.
    """

    def __init__(
        self,
        image_shape: ImageShape,
        latent_dim: int,
        generator: TextGeneratorFactory,
        discriminator: TextDiscriminatorFactory,
        text_encoder: TextEncoderFactory = BagOfWords,
        tokenizer: str | None = None,
        texts: Sequence[str] | None = None,
        **game: Any,
    ) -> None:
        made = tokenizer_of(tokenizer, type(self).__name__)
        encoder = resolve(text_encoder)(made.n_tokens)
        embed_dim = length_of_features(encoder)
        super().__init__(
            image_shape,
            latent_dim,
            generator=lambda shape, length: resolve(generator)(shape, length, embed_dim),
            discriminator=lambda shape: resolve(discriminator)(shape, embed_dim),
            **game,
        )
        self.tokenizer = made
        self.texts = [*texts] if texts else [""]
        self.embed_dim = embed_dim
        self.text_encoder = Kept(encoder)

    # The game.

    def prepare_batch(self, raw: Any) -> GameBatch:
        batch = super().prepare_batch(raw)
        captions = self.read_captions(raw, batch.examples, self.labels_are_checked)
        # Once for both players; without a gradient, since the encoder does not move.
        with torch.no_grad():
            text, wrong = self.text_encoder(captions.tokens), self.text_encoder(captions.wrong_tokens)
        return replace(batch, condition=replace(captions, text=text, wrong=wrong))

    def generator_inputs(self, text: Text) -> tuple[Tensor, ...]:
        """What the generator takes of texts beside the latents: their sentence features, N x E."""
        return (text.sentence,)

    def generate_fakes(self, batch: GameBatch) -> Any:
        return self.generator(batch.latent, *self.generator_inputs(batch.condition.text))

    @property
    def smallest_batch(self) -> int:
        """Smallest batch size: of one image there is no other's text."""
        return max(2, super().smallest_batch)

    def on_train_start(self) -> None:
        super().on_train_start()
        encoder = self.text_encoder.network
        if getattr(encoder, "needs_training", True) and "text_encoder" not in self.initialised_from:
            rank_zero_warn(
                f"{type(encoder).__name__} is not trained: {type(self).__name__} does not move it, and its features "
                "say little. Train one by JointEmbedding or DAMSM, and give --init_from '{text_encoder: last.ckpt}' "
                "the checkpoint."
            )

    # Texts.

    def encode_texts(self, texts: Sequence[str]) -> Text:
        """Encode N texts, on the model's device.

        Raises:
            ValueError: There are none.
        """
        self.check_texts(texts)
        with torch.no_grad():
            return self.text_encoder(self.tokenizer.encode(texts).to(self.device))

    def check_texts(self, texts: Sequence[str]) -> None:
        """Refuse texts that cannot be encoded.

        Raises:
            ValueError: There are none, or one is no text.
        """
        if isinstance(texts, str) or not len(texts) or not all(isinstance(text, str) for text in texts):
            raise ValueError(f"texts is {str(texts)[:60]!r}: it must be a list of texts, one at least.")

    def interpolate_texts(self, start: Text, end: Text, way: float) -> Text:
        """Interpolate features of texts, as GAN-INT does; words do not mix, and are those of the nearer text."""
        words, _, mask = start if way < 0.5 else end
        return Text(words, torch.lerp(start.sentence, end.sentence, way), mask)

    # Samples.

    def indexed_texts(self, start: int, stop: int, seed: int) -> list[str]:
        """Texts ``start`` to ``stop - 1`` of the sequence given by ``seed``, drawn from the game's ``texts``."""
        places = indexed_uniform(start, stop, 1, fold(seed, _TEXT_STREAM))[:, 0].double() * len(self.texts)
        return [self.texts[int(place)] for place in places]

    def sample(
        self,
        n: int,
        seed: int = 0,
        start: int = 0,
        batch_size: int = 256,
        texts: Sequence[str] | None = None,
        *,
        truncation: float | None = None,
    ) -> Tensor:
        """Samples ``start`` to ``start + n - 1`` of the sequence given by ``seed``.

        Sample ``i`` depends on the seed and ``i`` alone, its text included.

        Args:
            n: Number of samples.
            seed: Seed of the sequence.
            start: Number of the first.
            batch_size: Samples per forward pass.
            texts: Sample ``i`` is of ``texts[i % len(texts)]``. None: drawn from the game's ``texts``.
            truncation: See :meth:`truncated_latents`.

        Returns:
            n x C x H x W on the model's device, in [-1, 1].

        Raises:
            ValueError: There are no texts.
        """
        stop = start + n
        if texts is None:
            chosen = self.indexed_texts(start, stop, seed)
        else:
            self.check_texts(texts)
            chosen = [texts[number % len(texts)] for number in range(start, stop)]
        latents = self.latents_of_samples(start, stop, seed, truncation)
        return self(latents, self.tokenizer.encode(chosen), batch_size)

    def forward(self, latent: Tensor, tokens: Tensor | None = None, batch_size: int = 256) -> Tensor:
        """Images (N x C x H x W, in [-1, 1]) of latent vectors (N x latent_dim) and tokens (N x T); None: no words."""
        if tokens is None:
            tokens = self.tokenizer.encode([""] * len(latent))
        images = [torch.empty(0, *self.image_shape, device=self.device)]
        # Encoded a batch at a time: features of words take more room than the words.
        for some, few in zip(latent.split(batch_size), tokens.split(batch_size), strict=True):
            with evaluating(self.text_encoder):
                text = self.text_encoder(some_word(few.to(self.device), self.tokenizer.unknown_token))
            images.append(self.render(some, *self.generator_inputs(text)))
        return torch.cat(images)

    def portable(self, domain: str | None = None) -> Portable:
        """The networks from latents and tokens to images; see :meth:`ImageGame.portable`."""
        made, network, encoder = super().portable(domain), self.image_generator, self.text_encoder

        def image(latent: Tensor, tokens: Tensor) -> Tensor:
            text = encoder(some_word(tokens, self.tokenizer.unknown_token))
            images: Tensor = network(latent, *self.generator_inputs(text))
            return images

        about = "words or characters by the tokenizer's numbers, 0 behind the last"
        tokens = Input(("batch", self.tokenizer.max_tokens), about, integers(self.tokenizer.n_tokens))
        return replace(
            made,
            network=Applied(image, network, encoder),
            inputs={**made.inputs, "tokens": tokens},
            facts={**made.facts, "tokenizer": self.tokenizer.json, "texts": self.texts},
        )

    def sample_table(self, n: int, seed: int = 0) -> tuple[Tensor, int | None]:
        """One row per text, of about as many texts as samples of each."""
        rows = self._rows(n)
        columns = n // len(rows)
        return self.sample(len(rows) * columns, seed, texts=[text for text in rows for _ in range(columns)]), columns

    def table_captions(self, n: int) -> tuple[list[str], list[str]]:
        return [], self._rows(n)

    def _rows(self, n: int) -> list[str]:
        """Texts of a table's rows, spread evenly over all."""
        known = [*dict.fromkeys(self.texts)]
        number = min(max(math.isqrt(n), 1), len(known))
        return [known[row * len(known) // number] for row in range(number)]

    def interpolate_between(
        self,
        a: int,
        b: int,
        ways: Sequence[float],
        seed: int = 0,
        texts: Sequence[str] | None = None,
        *,
        truncation: float | None = None,
    ) -> Tensor:
        """Interpolate between samples ``a`` and ``b``, in their latents and in the features of their texts.

        Args:
            a: Number of the first sample.
            b: Number of the last sample, perhaps the same.
            ways: N positions between them: 0 is sample ``a``, 1 is sample ``b``.
            seed: Seed of the samples.
            texts: One text for all images, or those of the two ends. None: those of the two samples.
            truncation: Of the two samples; see :meth:`truncated_latents`.

        Returns:
            N x C x H x W on the model's device, in [-1, 1].

        Raises:
            ValueError: There are no texts.
        """
        start, end = (self.latents_of_samples(i, i + 1, seed, truncation) for i in (a, b))
        given = [self.indexed_texts(i, i + 1, seed)[0] for i in (a, b)] if texts is None else texts
        words, sentence, mask = self.encode_texts([given[0], given[-1]])
        first, last = (Text(words[i : i + 1], sentence[i : i + 1], mask[i : i + 1]) for i in range(2))
        mixed = [self.interpolate_texts(first, last, way) for way in ways]
        inputs = zip(*(self.generator_inputs(text) for text in mixed), strict=True)
        return self.render(self.latent_path(start, end, ways), *(torch.cat(parts) for parts in inputs))

    def row_condition(self, row: int) -> dict[str, Any]:
        """Row ``i`` has text ``i`` modulo the number of texts."""
        return {"texts": [self.texts[row % len(self.texts)]]}


def tokenizer_of(tokenizer: str | None, game: str) -> TextTokenizer:
    """Make the tokenizer of a game.

    Raises:
        ValueError: There is none.
    """
    if tokenizer is None:
        raise ValueError(
            f"tokenizer is None: {game} learns from images with texts, so it needs data that has them, such as "
            "CaptionedImageDataModule."
        )
    return TextTokenizer(tokenizer)


def length_of_features(encoder: nn.Module) -> int:
    """The ``embed_dim`` of a text encoder.

    Raises:
        ValueError: It has none.
    """
    length = getattr(encoder, "embed_dim", None)
    if not isinstance(length, int):
        raise ValueError(
            f"text_encoder made {type(encoder).__name__}, which does not say how long its features are: give it an "
            "attribute embed_dim."
        )
    return length


def some_word(tokens: Tensor, unknown: int) -> Tensor:
    """The same tokens, N x T; a text of padding alone is one unknown word: attention to no word at all is NaN."""
    first = tokens[:, :1]
    return torch.cat([torch.where((tokens == PADDING).all(1, keepdim=True), unknown, first), tokens[:, 1:]], dim=1)


def mismatched(tokens: Tensor) -> Tensor:
    """A caption of another image for each of a batch, N x T: the next one that differs from the image's own.

    Where all captions of the batch are the same, it is that.
    """
    n = len(tokens)
    if n < 2:
        return tokens
    # Row i: i + 1, i + 2, ... around the batch, N x (N - 1).
    place = torch.arange(n, device=tokens.device)
    others = (place[:, None] + place[None, 1:]) % n
    differs = (tokens[others] != tokens[:, None]).any(2)
    # argmax gives the first of several.
    return tokens[others.gather(1, differs.long().argmax(1, keepdim=True))[:, 0]]
