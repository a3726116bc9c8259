"""Terms that any game may add to its players' losses: ``regularizers`` of a game, chosen in a config."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from torch import Tensor, nn

from gan_lightning.arguments.recordable import Recordable
from gan_lightning.losses.terms import Terms
from gan_lightning.trainer.internals import calls_watched


class Game(Protocol):
    """What a regulariser may use of a game, an ``AdversarialModule``; its batches are ``GameBatch``es."""

    discriminator: nn.Module
    game_step: int
    images_seen: int

    @property
    def current_epoch(self) -> int: ...
    @property
    def smallest_batch(self) -> int: ...
    def generate_fakes(self, batch: Any) -> Any: ...
    def generator_loss(self, batch: Any) -> Terms: ...


@dataclass(frozen=True)
class Judgement:
    """One call of the discriminator within a loss.

    Attributes:
        discriminator: The network.
        images: Its first input, N x C x H x W.
        condition: Its other inputs, such as labels, by position.
        named: Its other inputs by name.
        output: What it returned.
    """

    discriminator: Callable[..., Any]
    images: Any
    condition: tuple[Any, ...]
    named: dict[str, Any]
    output: Any

    @property
    def logits(self) -> Tensor:
        """Its logits, N x ...: the output, or the first of several (AC-GAN, InfoGAN)."""
        return _first(self.output)

    def of(self, images: Tensor) -> Tensor:
        """Logits of the discriminator on other images of the same condition, N x ...: one more pass."""
        return _first(self.discriminator(images, *self.condition, **self.named))


class Regularizer(Recordable, nn.Module):
    """Base of regularisers, each a term of one player's loss or of both; every method is optional.

    A subclass keeps each constructor argument under its own name, so that a checkpoint can name it, and what it
    accumulates in buffers, equal on all ranks: they are float32 and are in the checkpoint, so that a run resumes
    exactly.
    """

    keeps_float32: ClassVar[bool] = True

    def discriminator_terms(self, game: Game, batch: Any, real: Judgement, fake: Judgement) -> Terms:
        """Terms added to the discriminator's loss, at each of its updates, weighted.

        Args:
            game: The game.
            batch: The batch, its fakes detached.
            real: How the discriminator judged ``batch.real`` in its loss.
            fake: How it judged ``batch.fake``.
        """
        return {}

    def generator_terms(self, game: Game, batch: Any) -> Terms:
        """Terms added to the generator's loss, at each of its updates, weighted. The discriminator is frozen."""
        return {}

    def generator_batch(self, game: Game, batch: Any) -> Any:
        """The part of the batch that the generator's loss is computed of; terms and penalties are of all of it."""
        return batch


def checked_regularizers(regularizers: Sequence[Regularizer], game: str, discriminator: nn.Module) -> nn.ModuleList:
    """Regularisers of a game, as one module.

    Raises:
        ValueError: The game has several discriminators.
    """
    if regularizers and isinstance(discriminator, nn.ModuleDict | nn.ModuleList):
        raise ValueError(
            f"regularizers is {list(regularizers)}: they are for games of one discriminator, and {game} has "
            f"{len(discriminator)}."
        )
    return nn.ModuleList(regularizers)


@contextmanager
def judgements(discriminator: nn.Module) -> Iterator[list[Judgement]]:
    """Record the discriminator's calls within, in their order."""
    calls: list[Judgement] = []

    def note(args: tuple[Any, ...], named: dict[str, Any], output: Any) -> None:
        images, *condition = args or (None,)
        calls.append(Judgement(discriminator, images, tuple(condition), named, output))

    with calls_watched(discriminator, note):
        yield calls


def judgement_of(images: Any, calls: Sequence[Judgement], what: str, game: object) -> Judgement:
    """The call in which the discriminator judged these images, and gave one logit or one map of logits to each.

    Args:
        images: Those of the batch; found by identity, so that nothing is read off the device.
        calls: Recorded by :func:`judgements`.
        what: The images in words, for messages.
        game: The game, for messages.

    Raises:
        ValueError: There is no such call, or it returned something else: reconstructions, scores of classes.
    """
    call = next((call for call in calls if call.images is images), None)
    if call is None:
        raise ValueError(
            f"regularizers need a discriminator that is called on {what} as they are, with whatever else it takes "
            f"after them, and {type(game).__name__}'s is not: leave them out."
        )
    logits = _first(call.output)
    # N, N x 1 or N x 1 x h x w. An auto-encoder's reconstruction has the shape of the images.
    is_logit = isinstance(logits, Tensor) and logits.shape[:1] == images.shape[:1] and logits.shape != images.shape
    if not is_logit or (logits.ndim > 1 and logits.shape[1] != 1):
        shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(
            f"regularizers need a discriminator that gives a logit, or a map of them, to each image, N, N x 1 or "
            f"N x 1 x h x w, and {type(game).__name__}'s gives {shape}: leave them out."
        )
    return call


def _first(output: Any) -> Any:
    return output[0] if isinstance(output, tuple) else output
