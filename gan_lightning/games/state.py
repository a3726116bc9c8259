"""State of a game in a checkpoint beside weights and optimisers: seed, step, buffers of each rank."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gan_lightning import __version__
from gan_lightning.arguments.recipes import find_name, public_name
from gan_lightning.trainer.collectives import buffers_of_ranks, synchronised_buffers
from gan_lightning.trainer.internals import trainer_of
from gan_lightning.trainer.state_dict import uncompiled_name

if TYPE_CHECKING:
    from gan_lightning.games.base import AdversarialModule


def save_state(game: AdversarialModule, checkpoint: dict[str, Any]) -> None:
    """Add a game's own state to a checkpoint, under ``gan_lightning``. Collective: every rank must call it.

    Args:
        game: The game.
        checkpoint: As Lightning is about to write it; changed in place.
    """
    # The class by the name that its package exports, which outlives a move of its file.
    state: dict[str, Any] = {"variant": public_name(type(game)), "version": __version__}
    state |= {"seed": game.seed, "game_step": game.game_step, "images_seen": game.images_seen}
    if game.initialised_from:
        state["initialised_from"] = game.initialised_from
    if any(apart := buffers_of_ranks(game)):
        # The state dict holds synchronised buffers, for sampling. To resume bit for bit, each rank needs its own, such
        # as the statistics of its BatchNorm.
        with synchronised_buffers(game):
            shared = {uncompiled_name(name): buffer.clone() for name, buffer in game.named_buffers()}
        checkpoint["state_dict"].update({name: shared[name] for name in apart[0]})
        state["buffers"] = apart
    checkpoint["gan_lightning"] = state


def load_state(game: AdversarialModule, checkpoint: Mapping[str, Any]) -> None:
    """Restore a game's own state from a checkpoint, and warn of hyper-parameters that differ from it.

    Args:
        game: The game, changed in place.
        checkpoint: Of any version.

    Raises:
        ValueError: A run is resumed with an optimiser or scheduler of another class, which cannot load the state of the
            first, or with other layers frozen.
    """
    state = checkpoint.get("gan_lightning", {})
    seed = state.get("seed")
    game.seed = game.seed if seed is None else seed  # A tuner restores a state without a seed.
    game.updates_loaded = checkpoint.get("global_step", 0)
    game.initialised_from = state.get("initialised_from", {})
    game.buffers_of_ranks = state.get("buffers", [])
    # Checkpoints before 0.2 have the trainer's count alone.
    game.game_step = state.get("game_step", checkpoint.get("global_step", 0))
    game.images_seen = state.get("images_seen", 0)  # Checkpoints before 0.3 have no count.
    # Compare today's arguments with those of the checkpoint.
    # Renamed first, or every moved class would be reported as a change.
    before = _with_current_names(checkpoint.get("hyper_parameters", {}))
    today = _with_current_names(game.hparams)  # These may be the checkpoint's own, with the names of its day.
    for name in ("freeze_generator", "freeze_discriminator"):
        was, now = before.get(name, 0), today.get(name, 0)
        if _is_trained(game) and was != now:  # Optimisers know their weights by number.
            raise ValueError(
                f"{name} was {was} and is now {now}: a run goes on with the layers that it began with; to train "
                "others, begin one by --init_from."
            )
    for name in sorted(name for name in today if name in before and before[name] != today[name]):
        # Lightning loads the states of optimisers and schedulers after this, settings included: the checkpoint's win.
        kept = name.endswith(("_optimizer", "_scheduler"))
        continues = _is_trained(game)
        was, now = (_kind(recipes[name]) if kept else "" for recipes in (before, today))
        if continues and was != now:
            raise ValueError(f"{name} was {was} and is now {now}: a run goes on with the kind that it began with.")
        rule = "the checkpoint's settings stay" if kept else "from here on the new value holds"
        warnings.warn(f"{name} was {before[name]} and is now {today[name]}: {rule}.", stacklevel=2)


def _is_trained(game: AdversarialModule) -> bool:
    """Whether the game is loaded by ``Trainer.fit``, and not for sampling."""
    trainer = trainer_of(game)
    return trainer is not None and trainer.state.fn == "fit"


def _with_current_names(value: Any) -> Any:
    """Replace old import paths of classes in hyper-parameters by today's."""
    if isinstance(value, Mapping):
        renamed = {name: _with_current_names(part) for name, part in value.items()}
        with suppress(ImportError, AttributeError, ValueError):  # A class that is gone keeps its name.
            renamed |= {"class_path": public_name(find_name(renamed["class_path"]))} if "class_path" in renamed else {}
        return renamed
    return [_with_current_names(part) for part in value] if isinstance(value, list) else value


def _kind(recipe: Any) -> str:
    """Class name of an optimiser or scheduler in recorded hyper-parameters."""
    return str(recipe["class_path"]).rpartition(".")[2] if recipe else "none"
