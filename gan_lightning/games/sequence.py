"""Games of sequences of tokens, such as texts: a generator that makes them token by token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from datamodules.components.tokens import PADDING, TextTokenizer
from gan_lightning.arguments.recipes import resolve
from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.drawing import drawn_sequences, until_end
from gan_lightning.games.freezing import evaluating
from gan_lightning.games.predicting import PredictsSamples
from gan_lightning.games.randomness import indexed_uniform
from gan_lightning.losses.terms import Terms
from gan_lightning.networks.seqgan import LSTMGenerator, TextCNN
from gan_lightning.trainer.batch_checks import check_tokens
from gan_lightning.trainer.loader_batches import tokens_in
from gan_lightning.visualization.texts import TextMedium

SequenceNetworkFactory = Callable[[int, int], nn.Module]


class SequenceGame(PredictsSamples, AdversarialModule):
    """A game whose generator makes sequences of tokens, one token after the other.

    In a batch ``real`` and ``fake`` are tokens, N x T, int64. The vocabulary and T come from a tokenizer; token 0 is
    then padding, and ends a text. Without one, all tokens are alike, and sequences have no end before T.

    Before the game the generator may learn by maximum likelihood, for ``pretrain_steps`` steps; in the last
    ``discriminator_pretrain_steps`` of these the discriminator learns too, from what the generator makes meanwhile. The
    papers hold the generator still in that time. Then a variant's losses take over, and the state of the
    generator's optimiser is reset.

    Args:
        tokenizer: JSON text of a tokenizer. The command line takes it from the data.
        n_tokens: Size of the vocabulary, V. The command line takes it from the data. None: the tokenizer's.
        max_tokens: Length of the sequences, T. The command line takes it from the data. None: the tokenizer's.
        generator: Makes the generator from V and T; see :class:`~gan_lightning.networks.LSTMGenerator`.
        discriminator: Makes the discriminator from V and T; it takes tokens, N x T, or one-hot vectors, N x T x V.
        pretrain_steps: Steps of maximum likelihood before the game.
        discriminator_pretrain_steps: See above.
        adversarial_learning_rate: Learning rate of the generator in the game, in place of its optimiser's. None: the
            same.
        ema_decay: Decay of the moving average of the generator's weights. None: no average, as in the papers.
        **game: Arguments of :class:`~gan_lightning.games.base.AdversarialModule`.

    Raises:
        ValueError: Vocabulary or length are not known, or not those of the tokenizer; or a number of steps is.
    """

    generator: Any

    def __init__(
        self,
        tokenizer: str | None = None,
        n_tokens: int | None = None,
        max_tokens: int | None = None,
        generator: SequenceNetworkFactory = LSTMGenerator,
        discriminator: SequenceNetworkFactory = TextCNN,
        pretrain_steps: int = 0,
        discriminator_pretrain_steps: int = 0,
        adversarial_learning_rate: float | None = None,
        ema_decay: float | None = None,
        **game: Any,
    ) -> None:
        made = None if tokenizer is None else TextTokenizer(tokenizer)
        name = type(self).__name__
        vocabulary = _agreed(name, "n_tokens", n_tokens, None if made is None else made.n_tokens)
        length = _agreed(name, "max_tokens", max_tokens, None if made is None else made.max_tokens)
        if discriminator_pretrain_steps > pretrain_steps:
            raise ValueError(
                f"discriminator_pretrain_steps is {discriminator_pretrain_steps}: these are the last of the "
                f"pretrain_steps, which are {pretrain_steps}."
            )
        if adversarial_learning_rate is not None and game.get("generator_scheduler") is not None:
            raise ValueError(
                "adversarial_learning_rate and generator_scheduler both set the generator's learning rate: give one."
            )
        super().__init__(
            generator=resolve(generator)(vocabulary, length),
            discriminator=resolve(discriminator)(vocabulary, length),
            ema_decay=ema_decay,
            **game,
        )
        if self.augmentation is not None:
            raise ValueError(
                f"augmentation is {type(self.augmentation).__name__}, which transforms images: {type(self).__name__} "
                "makes sequences, so leave it out."
            )
        self.tokenizer = made
        self.n_tokens = vocabulary
        self.max_tokens = length
        self.end = None if made is None else PADDING
        self.pretrain_steps = pretrain_steps
        self.discriminator_pretrain_steps = discriminator_pretrain_steps
        self.adversarial_learning_rate = adversarial_learning_rate

    # What a variant defines.

    def adversarial_discriminator_loss(self, batch: GameBatch) -> Terms:
        """Loss of the discriminator by terms, whenever it learns. ``batch.fake`` is detached."""
        raise NotImplementedError(
            f"{type(self).__name__} must say what its discriminator minimises: adversarial_discriminator_loss."
        )

    def adversarial_generator_loss(self, batch: GameBatch) -> Terms:
        """Loss of the generator by terms, after the steps of maximum likelihood. The discriminator is frozen."""
        raise NotImplementedError(
            f"{type(self).__name__} must say what its generator minimises: adversarial_generator_loss."
        )

    # The game.

    @property
    def pretrains(self) -> bool:
        """Whether the generator learns by maximum likelihood in this step."""
        return self.game_step < self.pretrain_steps

    @property
    def discriminator_learns(self) -> bool:
        """Whether the discriminator learns in this step."""
        return self.game_step >= self.pretrain_steps - self.discriminator_pretrain_steps

    def training_step(self, batches: list[Any], batch_idx: int) -> dict[str, Tensor]:
        if not self.pretrains:
            optimizer = self.optimizer_of("generator").optimizer
            if self.game_step == self.pretrain_steps > 0:
                # The scale of the gradients is another one: moments of the likelihood's would mislead for long.
                optimizer.state.clear()
            if self.adversarial_learning_rate is not None:
                for group in optimizer.param_groups:
                    group["lr"] = self.adversarial_learning_rate
        return super().training_step(batches, batch_idx)

    def prepare_batch(self, raw: Any) -> GameBatch:
        """Turn a batch of the loader into a ``GameBatch``.

        Args:
            raw: Tokens, N x T; or texts, a list of N; see
                :func:`~gan_lightning.trainer.loader_batches.tokens_in`.

        Raises:
            ValueError: It is neither, T is another, or a token is not in the vocabulary.
        """
        found = tokens_in(raw, type(self).__name__)
        if not isinstance(found, Tensor):
            if self.tokenizer is None:
                raise ValueError(f"{type(self).__name__} has no tokenizer, and the loader yields texts: give tokens.")
            found = self.tokenizer.encode(found).to(self.device)
        if found.shape[1] != self.max_tokens:
            raise ValueError(
                f"The data has sequences of {found.shape[1]} tokens, but the model was made for {self.max_tokens}: "
                "change max_tokens of one of them."
            )
        if self.labels_are_checked(found):
            check_tokens(found, self.n_tokens)
        return GameBatch(found.long())

    def draw_latents(self, batch: GameBatch) -> GameBatch:
        """Add uniform random numbers, N x T: each decides a token."""
        latent = torch.empty(len(batch.real), self.max_tokens, device=self.device, dtype=torch.float32).uniform_()
        return replace(batch, latent=latent)

    def generate_fakes(self, batch: GameBatch) -> Any:
        """Draw sequences; None in steps that do not need any."""
        if not self.discriminator_learns:
            return None
        with torch.no_grad():
            return drawn_sequences(self.generator, batch.latent, self.end)

    def discriminator_loss(self, batch: GameBatch) -> Terms:
        return self.adversarial_discriminator_loss(batch) if self.discriminator_learns else {}

    def generator_loss(self, batch: GameBatch) -> Terms:
        if not self.pretrains:
            return self.adversarial_generator_loss(batch)
        real = self.token_numbers(batch.real)
        counted = self.counted(real)
        return {"likelihood": (self.surprise(self.generator, real) * counted).sum() / counted.sum()}

    def token_numbers(self, tokens: Tensor) -> Tensor:
        """Numbers of tokens, N x T, of these or of their one-hot vectors, N x T x V."""
        return tokens if tokens.ndim == 2 else tokens.argmax(2)

    def counted(self, tokens: Tensor) -> Tensor:
        """Which tokens, N x T, are those of a text and its end, not of what fills it up."""
        return until_end(tokens, self.end)

    def surprise(self, generator: nn.Module, tokens: Tensor) -> Tensor:
        """``-log p`` of each token given those before it, N x T, in nats."""
        logits = generator(tokens)
        return F.cross_entropy(logits.flatten(0, 1).float(), tokens.flatten(), reduction="none").view_as(tokens)

    # Inference.

    @property
    def medium(self) -> TextMedium:
        """What samples are as files."""
        return TextMedium(self.texts_of)

    def sample(self, n: int, seed: int = 0, start: int = 0, batch_size: int = 256) -> Tensor:
        """Samples ``start`` to ``start + n - 1`` of the sequence given by ``seed``.

        Sample ``i`` depends on the seed and ``i`` alone, up to rounding that depends on the batch size.

        Args:
            n: Number of samples.
            seed: Seed of the sequence.
            start: Number of the first.
            batch_size: Samples at a time.

        Returns:
            Tokens, n x T, int64, on the model's device.
        """
        chances = indexed_uniform(start, start + n, self.max_tokens, seed)
        return self(chances, batch_size)

    def forward(self, chances: Tensor, batch_size: int = 256) -> Tensor:
        """Sequences of tokens, N x T, of uniform random numbers in [0, 1), N x T: each number decides a token."""
        parts = [torch.empty(0, self.max_tokens, dtype=torch.int64, device=self.device)]
        with evaluating(self.averaged_generator):
            for some in chances.split(batch_size):
                parts.append(drawn_sequences(self.averaged_generator, some.to(self.device), self.end))
        return torch.cat(parts)

    def texts_of(self, tokens: Tensor) -> list[str]:
        """Texts of N rows of tokens; without a tokenizer their numbers."""
        if self.tokenizer is None:
            return [" ".join(map(str, row)) for row in tokens.tolist()]
        return self.tokenizer.decode(tokens)

    def negative_log_likelihood(self, tokens: Tensor, batch_size: int = 256) -> float:
        """Mean of ``-log p`` over the tokens of N sequences (N x T), ends included, in nats."""
        total, count = 0.0, 0
        with evaluating(self.averaged_generator):
            for some in tokens.long().split(batch_size):
                some = some.to(self.device)
                counted = self.counted(some)
                total += float((self.surprise(self.averaged_generator, some) * counted).double().sum())
                count += int(counted.sum())
        return total / max(count, 1)


def _agreed(game: str, name: str, given: int | None, of_tokenizer: int | None) -> int:
    """A size that is given, or the tokenizer's.

    Raises:
        ValueError: There is none, or the two differ.
    """
    if given is None and of_tokenizer is None:
        raise ValueError(
            f"{name} and tokenizer are None: {game} learns from sequences of tokens, so it needs data that knows their "
            "vocabulary and length, such as TextLinesDataModule."
        )
    if given is not None and of_tokenizer is not None and given != of_tokenizer:
        raise ValueError(f"{name} is {given}, and the tokenizer's is {of_tokenizer}: leave it out.")
    return of_tokenizer if given is None else given  # type: ignore[return-value]
