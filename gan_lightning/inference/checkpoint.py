"""Loading of a model from a checkpoint, without data and without a trainer."""

from __future__ import annotations

import pickle
import re
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import torch

from gan_lightning import __version__
from gan_lightning.arguments.recipes import find_name
from gan_lightning.games.base import AdversarialModule
from gan_lightning.inference import zoo
from gan_lightning.inference.checkpoint_error import CheckpointError as CheckpointError
from gan_lightning.inference.pretrained import completed, is_pretrained, read_pretrained


def read_checkpoint(path: str | Path, map_location: Any = "cpu") -> dict[str, Any]:
    """Read a checkpoint of an :class:`AdversarialModule` without running any code in it.

    Raises:
        CheckpointError: The file is missing, truncated, damaged or of another kind.
    """
    path = local_path(path)
    if is_pretrained(path):
        raise CheckpointError(
            f"{path} is a pretrained model, which holds weights alone and no state of training: begin a run with it by "
            "--init_from."
        )
    if path.is_dir():
        raise CheckpointError(f"{path} is a folder: give the checkpoint file in it, such as last.ckpt.")
    if not path.is_file():
        raise CheckpointError(f"There is no checkpoint {path}.")
    broken = f"{path} is no complete checkpoint: it was cut short, or it is another kind of file."
    if not zipfile.is_zipfile(path):  # A zip file's directory is at its end: a truncated file has none.
        raise CheckpointError(broken)
    try:
        with zipfile.ZipFile(path) as parts:  # torch.load does not verify the checksums.
            damaged = parts.testzip()
    except Exception as error:  # A damaged directory raises any of many errors.
        raise CheckpointError(broken) from error
    if damaged is not None:
        raise CheckpointError(f"{path} is damaged: the checksum of {damaged} in it is wrong.")
    try:
        # weights_only: a pickle may run any code when it is loaded, and checkpoints are passed around.
        checkpoint = torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} is no checkpoint of GAN Lightning: it holds more than numbers and names, and such a file could "
            "run code of its author, so it is not read."
        ) from error
    except Exception as error:  # A damaged file raises any of many errors.
        raise CheckpointError(broken) from error
    # Other Lightning programs write checkpoints too; only ours say which class is to be made.
    if not isinstance(checkpoint, dict) or "variant" not in (checkpoint.get("gan_lightning") or {}):
        raise CheckpointError(
            f"{path} was not written by GAN Lightning: it does not say which model its weights belong to."
        )
    return checkpoint


def local_path(path: str | Path) -> Path:
    """Path of a checkpoint that may be given as ``file://...``, or as ``zoo:NAME``.

    Raises:
        CheckpointError: It is empty, a URL of another machine, or no model of the zoo.
    """
    if str(path) == "":
        raise CheckpointError("The path of the checkpoint is empty.")
    if str(path).startswith(zoo.PREFIX):
        return zoo.find(str(path).removeprefix(zoo.PREFIX))
    # A URL: scheme:/path.
    address = re.fullmatch(r"([A-Za-z][A-Za-z0-9+.-]+):/+(.*)", str(path))  # Path has replaced // by /.
    # What exists is a path, whatever it looks like.
    if address is None or Path(path).exists():
        return Path(path)
    if address[1].lower() != "file":
        raise CheckpointError(f"{path} is an address: download the checkpoint first, and give the path of the file.")
    return Path("/" + unquote(address[2]).removeprefix("localhost/"))


def read_model(path: str | Path, map_location: Any = "cpu") -> dict[str, Any]:
    """Read the checkpoint of a run, or a pretrained model, whose ``state_dict`` may lack what training alone needs.

    Raises:
        CheckpointError: It is neither, missing or damaged.
    """
    path = local_path(path)
    return (read_pretrained if is_pretrained(path) else read_checkpoint)(path, map_location)


def load(path: str | Path, map_location: Any = "cpu") -> AdversarialModule:
    """Load a model with the hyper-parameters of its training, in evaluation mode.

    Args:
        path: Checkpoint file of a run; folder or ``.safetensors`` file of
            :func:`~gan_lightning.inference.pretrained.save_pretrained`; or ``zoo:NAME``, a model of this package.
            The last three hold the weights that samples need, unless they were saved with everything: what training
            needs beside them, such as a discriminator, has its random first weights.
        map_location: Device of the model.

    Raises:
        CheckpointError: The file is missing, damaged or of another program, or does not fit this version.
    """
    checkpoint = read_model(path, map_location)
    variant = _find(checkpoint["gan_lightning"]["variant"], path)
    # Checked before it is called: a file must not choose any function that can be imported.
    if not (isinstance(variant, type) and issubclass(variant, AdversarialModule)):
        raise CheckpointError(f"{path} says that its model is {variant!r}, which is no AdversarialModule.")
    try:
        # The order of Lightning's load_from_checkpoint: arguments, own state, weights.
        model = variant(**checkpoint.get("hyper_parameters", {}))
        model.on_load_checkpoint(checkpoint)
        weights = checkpoint["state_dict"]
        model.load_state_dict(completed(model, weights) if is_pretrained(local_path(path)) else weights)
    except (KeyError, TypeError, RuntimeError, ValueError) as error:
        raise CheckpointError(
            f"{path} does not fit the {variant.__name__} of this version of the code"
            f"{other_version(checkpoint)}: {_first_line(error)}"
        ) from error
    # Evaluation mode: samples must not depend on their batch, nor move running statistics.
    return model.to(map_location).eval()


from_pretrained = load
"""The name that libraries of pretrained models have for it."""


def other_version(checkpoint: dict[str, Any]) -> str:
    """Note for an error message that another version wrote the checkpoint; empty if this one did."""
    written = checkpoint["gan_lightning"].get("version", __version__)
    if written == __version__:
        return ""
    return f" (GAN Lightning {written} wrote it, and this is {__version__}: install that version, or train anew)"


def _find(name: Any, path: str | Path) -> Any:
    try:
        return find_name(name)
    except (ImportError, AttributeError) as error:
        raise CheckpointError(f"{path} needs {name}, which cannot be imported here: {error}.") from error
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2])
