"""Reading of weights from files that other programs wrote: the state dicts in a file, wherever they lie in it."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gan_lightning.inference.checkpoint import CheckpointError, local_path
from gan_lightning.inference.published import unpickling
from gan_lightning.inference.published.unpickling import Skipped

Weights = Mapping[str, Tensor]
"""Tensors by their names: a state dict."""

LARGEST = 2**34
"""Bytes that a file, what is packed in it, and the weights of a network may have: 16 GiB."""

_DEPTH = 2
"""How many dictionaries may lie around a state dict."""
_WRAPPERS = ("module.", "_orig_mod.")
"""What DataParallel and torch.compile put before all names."""


def state_dicts(path: str | Path) -> dict[str, Weights]:
    """Find the state dicts in a file, without running any code that it may carry.

    A state dict is the file itself or lies one or two dictionaries down, as ``{"G_ema": ...}`` or ``{"state_dict":
    {"netG.main.0.weight": ...}}``; a network that was pickled whole is read as its state dict. What else is in the
    file, such as options and optimisers, is passed over. Prefixes of ``DataParallel`` and ``torch.compile`` are taken
    off.

    Args:
        path: Written by ``torch.save`` of any version, or by ``pickle`` alone.

    Returns:
        State dicts by their place in the file, such as ``G_ema`` or ``state_dict.netG``, averages of weights first;
        a dictionary's parts by first names, for files that hold several networks in one. {}: the file is missing,
        broken, of another kind, or a checkpoint of this package.

    Raises:
        CheckpointError: It is too large, or no path.
    """
    path = local_path(path)
    if not path.is_file():
        return {}
    try:
        size = max(path.stat().st_size, _unpacked_size(path))
        if size > LARGEST:
            raise CheckpointError(
                f"{path} holds {size / 2**30:.0f} GiB: files of weights are read up to {LARGEST >> 30}."
            )
        found = dict(_parts(_content(path)))
    except CheckpointError:
        raise
    except Exception:  # A damaged file, or one of another kind, raises any of many errors.
        return {}
    # Samples are made by the average where there is one; sorted() keeps the order of the others.
    return {place: found[place] for place in sorted(found, key=lambda place: "ema" not in place.lower())}


def _unpacked_size(path: Path) -> int:
    if not zipfile.is_zipfile(path):
        return 0
    with zipfile.ZipFile(path) as parts:
        return sum(part.file_size for part in parts.infolist())


def _content(path: Path) -> Any:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as parts:
            # torch.load does not compare checksums. A file with constants is a TorchScript program.
            if parts.testzip() is not None or any(name.endswith("/constants.pkl") for name in parts.namelist()):
                raise ValueError
        return unpickling.load_tensors(path)
    if tarfile.is_tarfile(path):  # The oldest format: torch would unpack it into a folder.
        raise ValueError
    with path.open("rb") as file:
        content = unpickling.load(file)
    # Until torch 1.6 a file began with a number; pickles of other programs are their content.
    return unpickling.load_tensors(path) if content == torch.serialization.MAGIC_NUMBER else content


def _parts(content: Any) -> Iterator[tuple[str, Weights]]:
    """State dicts with their places, and parts of them by first names."""
    seen: set[int] = set()  # A pickle may hold the same dictionary any number of times.
    waiting = [("", content, 0)]
    while waiting:
        place, value, depth = waiting.pop(0)
        # A checkpoint of this package has a reader of its own.
        if not isinstance(value, Mapping) or id(value) in seen or "gan_lightning" in value:
            continue
        seen.add(id(value))
        value = (_weights_of(value) or value) if isinstance(value, Skipped) else value
        names = {str(name): part for name, part in value.items()}
        if names and all(isinstance(part, Tensor) for part in names.values()):
            weights = _checked(names)
            yield place, weights
            for first in {name.partition(".")[0]: None for name in weights}:
                part = {
                    name.removeprefix(f"{first}."): weights[name] for name in weights if name.startswith(f"{first}.")
                }
                yield f"{place}.{first}".removeprefix("."), part
        elif depth < _DEPTH:
            waiting += [(f"{place}.{name}".removeprefix("."), part, depth + 1) for name, part in names.items()]


def _checked(weights: Weights) -> Weights:
    """Take wrappers' prefixes off the names, and refuse what would fill the memory."""
    # A tensor may be a view that repeats one number any number of times.
    if sum(weight.numel() * weight.element_size() for weight in weights.values()) > LARGEST:
        raise ValueError
    for prefix in _WRAPPERS:
        if all(name.startswith(prefix) for name in weights):
            weights = {name.removeprefix(prefix): weight for name, weight in weights.items()}
    return {name: weight.detach() for name, weight in weights.items()}


def _weights_of(whole: Skipped) -> dict[str, Tensor]:
    """The state dict of a network that was pickled whole; {} of any other object."""
    weights: dict[str, Tensor] = {}
    seen: set[int] = set()
    waiting: list[tuple[str, Any]] = [("", whole)]
    while waiting:
        prefix, module = waiting.pop(0)
        state = _attributes_of(module)
        if state is None or id(module) in seen:
            continue
        seen.add(id(module))
        passing = state.get("_non_persistent_buffers_set") or ()
        for kind in ("_parameters", "_buffers"):
            named = state.get(kind) or {}
            weights |= {f"{prefix}{n}": w for n, w in named.items() if isinstance(w, Tensor) and n not in passing}
        waiting += [(f"{prefix}{name}.", part) for name, part in (state.get("_modules") or {}).items()]
    return weights


def _attributes_of(module: Any) -> Mapping[str, Any] | None:
    """Attributes of a pickled ``nn.Module``; None of any other object."""
    if not isinstance(module, Skipped):
        return None
    # NVIDIA's programs pickle a network as a call of their own function, with a description that holds the state.
    described = [argument.get("state") for argument in module.arguments if isinstance(argument, Mapping)]
    return next(
        (state for state in (module.state, *described) if isinstance(state, Mapping) and "_modules" in state), None
    )
