"""Pairs of encoders, of images and of texts, by which samples are compared with their texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gan_lightning.arguments.recipes import import_name
from gan_lightning.inference.checkpoint import load
from gan_lightning.inference.zoo import PREFIX


def encoder_pair(name: str | None, game: Any) -> Any:
    """The encoders of a checkpoint, an object of a class given by its import path, or a game's own.

    Args:
        name: Checkpoint of a game of encoders, or an import path. None: those of the game.
        game: The game whose samples are measured.

    Raises:
        ValueError: Nothing is named, or it has no ``encode_images`` and ``encode_texts``.
    """
    if name is None:
        if not _is_pair(game):
            raise ValueError(
                f"{type(game).__name__} has no encoder of images to compare its samples with their texts by: set "
                "encoders to a checkpoint of JointEmbedding or DAMSM, or to the import path of a class with "
                "encode_images and encode_texts."
            )
        return game
    # An import path has no separator and no suffix of a checkpoint.
    is_file = Path(name).exists() or name.endswith(".ckpt") or "/" in name or name.startswith(PREFIX)
    pair = load(name) if is_file else import_name(name)()
    if not _is_pair(pair):
        raise ValueError(f"encoders is {name}, a {type(pair).__name__}, which has no encode_images and encode_texts.")
    return pair


def _is_pair(each: Any) -> bool:
    return hasattr(each, "encode_images") and hasattr(each, "encode_texts")
