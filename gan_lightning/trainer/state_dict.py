"""What a game's state dict says: weights by their plain names, and beside them the game's own count."""

from __future__ import annotations

from typing import Any

from torch import nn

from gan_lightning.trainer.internals import WRAPPED, metadata_of


def is_wrapped(part: nn.Module) -> bool:
    """Whether a module is what ``torch.compile(network)`` has put around a network."""
    return any(name == WRAPPED for name, _ in part.named_children())


def plain(name: str) -> str:
    """The name that a weight has where no network is compiled."""
    return name.replace(f"{WRAPPED}.", "").removesuffix(f".{WRAPPED}")


def keep_plain(game: nn.Module) -> None:
    """Let a game's state dict have the names of one that is not compiled, and take such names.

    Its counts, ``game_step`` and ``images_seen``, stand in what the state dict says of itself, so that names stay as
    they are.
    """
    game.register_state_dict_post_hook(_given)
    game.register_load_state_dict_pre_hook(_taken)


def _given(game: nn.Module, state: dict[str, Any], prefix: str, about: dict[str, Any]) -> None:
    about |= {"game_step": game.game_step, "images_seen": game.images_seen}
    metadata = metadata_of(state)
    for record in (state, metadata):
        if any(WRAPPED in name for name in record):
            renamed = {plain(name): value for name, value in record.items()}
            record.clear()
            record.update(renamed)


def _taken(game: nn.Module, state: dict[str, Any], prefix: str, about: dict[str, Any], *_: Any) -> None:
    game.game_step = about.get("game_step", game.game_step)
    game.images_seen = about.get("images_seen", game.images_seen)
    numbers = [*game.named_parameters(prefix[:-1], remove_duplicate=False)]
    buffers = [*game.named_buffers(prefix[:-1], remove_duplicate=False)]
    here = {plain(name): name for name, _ in (*numbers, *buffers) if WRAPPED in name}
    for name in [name for name in state if WRAPPED in name or name in here]:
        value = state.pop(name)
        state[here.get(plain(name), plain(name))] = value
