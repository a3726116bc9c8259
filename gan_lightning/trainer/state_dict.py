"""State dicts with the names of uncompiled networks, and with the game's step counter."""

from __future__ import annotations

from typing import Any

from torch import nn

from gan_lightning.trainer.internals import WRAPPED, metadata_of


def is_wrapped(part: nn.Module) -> bool:
    """Whether a module is the wrapper that ``torch.compile(network)`` returns."""
    return any(name == WRAPPED for name, _ in part.named_children())


def uncompiled_name(name: str) -> str:
    """Name of a weight without ``torch.compile``'s prefix."""
    return name.replace(f"{WRAPPED}.", "").removesuffix(f".{WRAPPED}")


def keep_uncompiled_names(game: nn.Module) -> None:
    """Save and load a game's state dict under uncompiled names, whether its networks are compiled or not.

    Its counts, ``game_step`` and ``images_seen``, stand in what the state dict says of itself, so that names stay as
    they are.
    """
    game.register_state_dict_post_hook(_rename_saved)
    game.register_load_state_dict_pre_hook(_rename_loaded)


def keep_own_state(game: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Hook before a state dict is loaded: a game may be augmented or regularised otherwise than the one that was saved.

    What it has and the state dict lacks stays as it is, and what only the state dict has is left out.
    """
    for part in ("augmentation", "regularizers"):
        start, module = f"{prefix}{part}.", getattr(game, part)
        own = {} if module is None else module.state_dict(prefix=start)
        for name in [name for name in state if name.startswith(start) and name not in own]:
            del state[name]
        state.update({name: value for name, value in own.items() if name not in state})


def _rename_saved(game: nn.Module, state: dict[str, Any], prefix: str, about: dict[str, Any]) -> None:
    # Not in a buffer, which would be one more key of the state dict.
    about |= {"game_step": game.game_step, "images_seen": game.images_seen}
    metadata = metadata_of(state)
    # The metadata too: torch looks up the version of a BatchNorm layer there, by its name.
    for record in (state, metadata):
        if any(WRAPPED in name for name in record):
            renamed = {uncompiled_name(name): value for name, value in record.items()}
            record.clear()
            record.update(renamed)


def _rename_loaded(game: nn.Module, state: dict[str, Any], prefix: str, about: dict[str, Any], *_: Any) -> None:
    game.game_step = about.get("game_step", game.game_step)
    game.images_seen = about.get("images_seen", game.images_seen)
    # A prefix ends in a dot, which the names do not begin with.
    numbers = [*game.named_parameters(prefix[:-1], remove_duplicate=False)]
    buffers = [*game.named_buffers(prefix[:-1], remove_duplicate=False)]
    here = {uncompiled_name(name): name for name, _ in (*numbers, *buffers) if WRAPPED in name}
    # Loaded under the name that a weight has here, whatever it was saved under.
    for name in [name for name in state if WRAPPED in name or name in here]:
        value = state.pop(name)
        state[here.get(uncompiled_name(name), uncompiled_name(name))] = value
