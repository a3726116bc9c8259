"""What goes into a checkpoint can be read out of it again."""

from __future__ import annotations

import io
from collections import OrderedDict
from pathlib import PurePath
from typing import Any

from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, load, save

_ENTRIES = {
    # What other people put into a checkpoint, entry by entry, and what an entry is called.
    "hyper_parameters": "the model's hyper-parameter",
    "datamodule_hyper_parameters": "the data module's hyper-parameter",
    "callbacks": "the state of the callback",
}
_NEEDED = {"state_dict", "optimizer_states", "lr_schedulers", "loops", "gan_lightning"}


def readable(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint without what ``torch.load(weights_only=True)`` would refuse, and with it the whole file.

    Whatever a data module, a callback or a model of the user's own saves is in there too. A path becomes its text;
    anything else that cannot be read is left out, with a warning that names it. Weights are not looked at.

    Raises:
        ValueError: The state of the training itself cannot be read back: it holds an object of a loader of the
            user's, for example.
    """
    checkpoint = _with_texts(checkpoint)
    if _reads(checkpoint):
        return checkpoint
    for key, value in [*checkpoint.items()]:
        if key in _ENTRIES and isinstance(value, dict):
            for name in [name for name, entry in value.items() if not _reads({name: entry})]:
                _tell(f"{_ENTRIES[key]} {name}", value.pop(name))
        elif not _reads({key: value}):
            if key in _NEEDED:
                raise ValueError(
                    f"{key} of the checkpoint holds {_culprit(value)}, which cannot be read back: a state_dict() of a "
                    "loader, an optimiser or a module must hold tensors, numbers, texts, lists and dicts only."
                )
            _tell(f"the state {key}", checkpoint.pop(key))
    return checkpoint


def _with_texts(value: Any) -> Any:
    """The same, with the paths in dicts, lists and tuples as text; new dicts, so that nobody's own are changed."""
    if isinstance(value, PurePath):
        return str(value)
    if type(value) is dict:
        return {key: _with_texts(item) for key, item in value.items()}
    return type(value)(map(_with_texts, value)) if type(value) in (list, tuple) else value


def _reads(value: Any) -> bool:
    buffer = io.BytesIO()
    try:
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


def _culprit(value: Any) -> str:
    """The kind of the object in a state that cannot be read."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    kind = f"a {type(value).__module__}.{type(value).__name__}"
    return next((_culprit(item) for item in items if not _reads(item)), kind)


def _tell(who: str, value: Any) -> None:
    rank_zero_warn(
        f"Checkpoints are saved without {who}, which holds {_culprit(value)}: with it, no command could read them. "
        "Save tensors, numbers, texts, lists and dicts only."
    )
