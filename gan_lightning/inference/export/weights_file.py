"""The weights that samples need, with what they are of, in one safetensors file."""

from __future__ import annotations

from pathlib import Path

from gan_lightning.games.base import AdversarialModule
from gan_lightning.inference.export.exported import Exported
from gan_lightning.inference.pretrained import save_pretrained


def write_weights(game: AdversarialModule, path: Path, domain: str | None = None) -> Exported:
    """Write the weights; see :func:`~gan_lightning.inference.pretrained.save_pretrained`.

    Raises:
        ValueError: A domain is chosen.
    """
    if domain is not None:
        raise ValueError(f"A file of weights is of all domains: leave out the domain {domain!r}.")
    return Exported(save_pretrained(game, path))
