"""A player's loss together with what the game's regularisers add to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from gan_lightning.games.batch import GameBatch
from gan_lightning.losses.terms import Terms
from gan_lightning.regularizers.regularizer import Regularizer, judgement_of, judgements

if TYPE_CHECKING:
    from gan_lightning.games.base import AdversarialModule


def regularized(game: AdversarialModule, player: str, loss: Callable[[GameBatch], Terms], batch: GameBatch) -> Terms:
    """Terms of a player's loss and of the regularisers; of the loss alone where the game has none.

    Raises:
        ValueError: A regulariser adds a term of a name that is taken, or the discriminator is none that it can use.
    """
    if not game.regularizers:
        return loss(batch)
    regularizers = cast(list[Regularizer], [*game.regularizers])
    if player == "generator":
        part = batch
        for each in regularizers:
            part = each.generator_batch(game, part)
        terms = loss(part)
        added = [each.generator_terms(game, batch) for each in regularizers]
    else:
        with judgements(game.discriminator) as calls:
            terms = loss(batch)
        if terms == {}:  # no update
            return terms
        # The outputs of the loss itself: they are not computed again.
        real = judgement_of(batch.real, calls, "the real images", game)
        fake = judgement_of(batch.fake, calls, "the fakes", game)
        added = [each.discriminator_terms(game, batch, real, fake) for each in regularizers]
    for more in added:
        if taken := terms.keys() & more.keys():
            raise ValueError(f"regularizers: two terms of the {player}'s loss are called {min(taken)}: leave one out.")
        terms = {**terms, **more}
    return terms
