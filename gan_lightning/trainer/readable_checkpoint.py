"""Leave out of a checkpoint what ``torch.load(weights_only=True)`` would refuse."""

from __future__ import annotations

import io
from collections import OrderedDict
from pathlib import PurePath
from typing import Any

from torch import Tensor, load, save

from datamodules.components.first_process import rank_zero_warn

_ENTRIES = {
    # Entries that code outside of this package may add, and how a warning names them.
    "hyper_parameters": "the model's hyper-parameter",
    "datamodule_hyper_parameters": "the data module's hyper-parameter",
    "callbacks": "the state of the callback",
}
_NEEDED = {"state_dict", "optimizer_states", "lr_schedulers", "loops", "gan_lightning"}


def without_unreadable(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """Drop the entries that ``torch.load(weights_only=True)`` would refuse, and with them the whole file.

    Data modules, callbacks and models of the user's own may save anything. A path becomes a string; anything else
    that cannot be read is left out, with a warning that names it. Tensors are not checked.

    Raises:
        ValueError: The state of the training itself cannot be read back: it holds an object of a loader of the
            user's, for example.
    """
    # Paths are common in data modules, and a text says the same.
    checkpoint = _paths_as_text(checkpoint)
    # Nearly always true, and one question instead of one for each entry.
    if _is_readable(checkpoint):
        return checkpoint
    for key, value in [*checkpoint.items()]:
        # One name at a time: the others of the entry are saved.
        if key in _ENTRIES and isinstance(value, dict):
            for name in [name for name, entry in value.items() if not _is_readable({name: entry})]:
                _warn(f"{_ENTRIES[key]} {name}", value.pop(name))
        elif not _is_readable({key: value}):
            if key in _NEEDED:
                raise ValueError(
                    f"{key} of the checkpoint holds {_unreadable_kind(value)}, which cannot be read back: a "
                    "state_dict() of a loader, an optimiser or a module must hold tensors, numbers, texts, "
                    "lists and dicts only."
                )
            _warn(f"the state {key}", checkpoint.pop(key))
    return checkpoint


def _paths_as_text(value: Any) -> Any:
    """Convert the paths in nested dicts, lists and tuples to strings, in a copy."""
    if isinstance(value, PurePath):
        return str(value)
    if type(value) is dict:
        return {key: _paths_as_text(item) for key, item in value.items()}
    return type(value)(map(_paths_as_text, value)) if type(value) in (list, tuple) else value


def _is_readable(value: Any) -> bool:
    buffer = io.BytesIO()
    try:
        # Tried and not looked up: each version of torch allows other classes. Tensors are fine, and would take long.
        save(_without_tensors(value), buffer)
        buffer.seek(0)
        load(buffer, weights_only=True)
    except Exception:  # Objects fail in any way when they are pickled.
        return False
    return True


def _without_tensors(value: Any) -> Any:
    if isinstance(value, Tensor):
        return None
    if type(value) in (dict, OrderedDict):
        return {key: _without_tensors(item) for key, item in value.items()}
    return type(value)(map(_without_tensors, value)) if type(value) in (list, tuple) else value


def _unreadable_kind(value: Any) -> str:
    """Name of the class of the first object in a state that cannot be read."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    kind = f"a {type(value).__module__}.{type(value).__name__}"
    return next((_unreadable_kind(item) for item in items if not _is_readable(item)), kind)


def _warn(who: str, value: Any) -> None:
    rank_zero_warn(
        f"Checkpoints are saved without {who}, which holds {_unreadable_kind(value)}: with it, no command could read "
        "them. Save tensors, numbers, texts, lists and dicts only."
    )
