"""Pretrained models: the weights that samples need as safetensors, and what they belong to as JSON.

A folder holds ``model.safetensors`` and ``config.json``; a single ``.safetensors`` file has the same JSON in its
header, under ``config``. Both are data alone: nothing in them is run.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from datamodules.components.atomic_write import replacing
from gan_lightning import __version__
from gan_lightning.arguments.recipes import public_name
from gan_lightning.games.base import AdversarialModule
from gan_lightning.inference.checkpoint_error import CheckpointError

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
SUFFIX = ".safetensors"

_LARGEST_CONFIG = 2**24
"""Bytes of the JSON: 16 MiB. The longest part of it is a vocabulary."""
_AVERAGE, _GENERATOR = "ema.module.", "generator."


def save_pretrained(
    game: AdversarialModule,
    path: str | Path,
    *,
    half: bool = False,
    everything: bool = False,
    card: Mapping[str, Any] | None = None,
) -> Path:
    """Write what is needed to make images with a game, for :func:`~gan_lightning.inference.from_pretrained`.

    Args:
        game: The game.
        path: A folder, which is made; or a file ``NAME.safetensors``. What is there is replaced.
        half: Matrices and kernels as float16, half of the bytes; reading makes them float32 again. Vectors, such as
            biases and BatchNorm's statistics, stay as they are, and so does what float16 cannot hold.
        everything: All weights, of the discriminator and of the generator beside its average, and not only those that
            samples need.
        card: What else is to be known of the model, by name: plain values, such as its data and their licence.

    Returns:
        The path.

    Raises:
        OSError: It cannot be written; nothing is left of it.
    """
    path = Path(path)
    weights = game.state_dict() if everything else weights_for_samples(game)
    tensors = {name: _stored(weight, half) for name, weight in weights.items()}
    config = json.dumps(config_of(game) | ({"card": dict(card)} if card else {}), indent=1, ensure_ascii=False)
    if path.suffix == SUFFIX:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(to_bytes(tensors, {"format": "pt", "config": config}))
        return path
    path.mkdir(parents=True, exist_ok=True)
    with replacing(path / WEIGHTS) as file:
        file.write(to_bytes(tensors, {"format": "pt"}))
    with replacing(path / CONFIG) as file:
        file.write(f"{config}\n".encode())
    return path


def weights_for_samples(game: AdversarialModule) -> dict[str, Tensor]:
    """State dict of a game without what training alone needs, its generator being the averaged one."""
    state = {name: weight for name, weight in game.state_dict().items() if not _is_under(name, game.training_parts)}
    average = {name: weight for name, weight in state.items() if name.startswith(_AVERAGE)}
    averaged = {_GENERATOR + name.removeprefix(_AVERAGE): weight for name, weight in average.items()}
    return {name: averaged.get(name, weight) for name, weight in state.items() if name not in average}


def config_of(game: AdversarialModule) -> dict[str, Any]:
    """What a game is, as plain values: its class by name, its arguments, its paper, the step of its weights."""
    state: dict[str, Any] = {"variant": public_name(type(game)), "version": __version__}
    state |= {"game_step": game.game_step, "images_seen": game.images_seen}
    return {"gan_lightning": state, "citation": citation(type(game)), "hyper_parameters": dict(game.hparams)}


def citation(variant: type) -> str:
    """The paper of a game: the first paragraph of its class's docstring."""
    return " ".join(inspect.cleandoc(variant.__doc__ or "").partition("\n\n")[0].split())


def is_pretrained(path: Path) -> bool:
    """Whether a path is of a pretrained model, and of no checkpoint of a run."""
    return (path / CONFIG).is_file() if path.is_dir() else path.suffix == SUFFIX


def read_pretrained(path: Path, map_location: Any = "cpu") -> dict[str, Any]:
    """Read a pretrained model: a dictionary as that of a checkpoint, whose ``state_dict`` lacks what training needs.

    Raises:
        CheckpointError: It is missing, damaged, too large or of another program.
    """
    file = path / WEIGHTS if path.is_dir() else path
    if not file.is_file():
        raise CheckpointError(f"There is no file {file}.")
    try:
        with safe_open(file, framework="pt", device=str(map_location)) as tensors:
            text = _config_text(path / CONFIG) if path.is_dir() else (tensors.metadata() or {}).get("config")
            config = _checked(path, text)
            config["state_dict"] = {name: tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{file} is no whole safetensors file: {error}.") from error
    return config


def completed(game: AdversarialModule, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a pretrained model for a game's ``load_state_dict``.

    The average of the generator is the generator that was saved, and what training alone needs is the game's own.
    """
    own = game.state_dict()
    average = {name: weights.get(_GENERATOR + name.removeprefix(_AVERAGE)) for name in own if name.startswith(_AVERAGE)}
    training = {name: weight for name, weight in own.items() if _is_under(name, game.training_parts)}
    return {**training, **{name: weight for name, weight in average.items() if weight is not None}, **weights}


def _stored(weight: Tensor, half: bool) -> Tensor:
    # A copy: parts that several networks share are one tensor, which the format refuses to hold twice.
    weight = weight.detach().cpu().contiguous().clone()
    if not half or weight.ndim < 2 or not weight.is_floating_point():
        return weight
    halved = weight.to(torch.float16)
    return halved if torch.isfinite(halved).all() else weight


def _config_text(file: Path) -> str:
    if file.stat().st_size > _LARGEST_CONFIG:
        raise CheckpointError(f"{file} has more than {_LARGEST_CONFIG >> 20} MiB: it is no description of a model.")
    return file.read_text("utf-8", errors="replace")


def _checked(path: Path, text: str | None) -> dict[str, Any]:
    """The description of a model in a text of JSON."""
    try:
        config = json.loads(text or "")
        state, arguments = config["gan_lightning"], config["hyper_parameters"]
        if not (isinstance(state["variant"], str) and isinstance(arguments, dict)):
            raise TypeError
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path} was not written by GAN Lightning: it does not say which model its weights belong to."
        ) from error
    return dict(config)


def _is_under(name: str, parts: tuple[str, ...]) -> bool:
    return name.startswith(tuple(f"{part}." for part in parts))
