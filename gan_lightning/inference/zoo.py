"""The pretrained models in this package, by name: ``zoo:conditional_gan_mnist``."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gan_lightning.inference.checkpoint_error import CheckpointError
from gan_lightning.inference.pretrained import CONFIG, WEIGHTS

PREFIX = "zoo:"
HOME = Path(__file__).parent.parent / "zoo"


@dataclass(frozen=True)
class ZooModel:
    """A model of the zoo.

    Attributes:
        name: Its name, without the prefix.
        variant: Its class.
        step: Updates of the generator that it was trained for.
        size: Bytes on disk.
        about: What it makes.
        command: The command that trained it.
        data: What it has learned from.
        licence: The data's licence.
        scores: Measured of this model as it is stored, by the metric's name.
        measured_by: The command that measured them.
    """

    name: str
    variant: str
    step: int
    size: int
    about: str = ""
    command: str = ""
    data: str = ""
    licence: str = ""
    scores: dict[str, float] = field(default_factory=dict)
    measured_by: str = ""


def find(name: str) -> Path:
    """The folder of a model.

    Raises:
        CheckpointError: There is none of that name.
    """
    known = names()
    if name in known:  # and so no path that leads elsewhere
        return HOME / name
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {PREFIX}{close[0]}?" if close else "`gan-lightning zoo` lists them."
    raise CheckpointError(f"There is no model {name!r} in the zoo: {hint}")


def names() -> list[str]:
    """Names of the models, in order."""
    return sorted(folder.parent.name for folder in HOME.glob(f"*/{CONFIG}"))


def models() -> list[ZooModel]:
    """All models, in the order of their names."""
    return [_read(HOME / name) for name in names()]


def _read(folder: Path) -> ZooModel:
    config: dict[str, Any] = json.loads((folder / CONFIG).read_text("utf-8"))
    state, card = config["gan_lightning"], config.get("card", {})
    size = sum((folder / part).stat().st_size for part in (WEIGHTS, CONFIG))
    return ZooModel(folder.name, state["variant"].rpartition(".")[2], state["game_step"], size, **card)
