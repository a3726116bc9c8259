"""Cache of tensors on disk, safe against crashes, concurrent writers and changed data."""

import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from datamodules.components.atomic_write import replacing
from gan_lightning.trainer.disk import error_of_disk

FORMAT = 2  # raise it when what is stored changes its meaning

Tensors = dict[str, Tensor]
Key = Mapping[str, str | int]


def default_folder() -> Path:
    """``gan_lightning`` in the user's folder for caches."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gan_lightning"


class TensorCache:
    """A folder of named tensors, each entry with the key of what it was computed from.

    Args:
        folder: Where; made on the first write.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = default_folder() if folder is None else Path(folder).expanduser()

    def load(self, name: str, key: Key) -> Tensors | None:
        """The tensors stored under a name; None, with a warning, if the file is damaged or its key is another."""
        path = self._path(name)
        try:
            if not path.is_file():
                return None
            # weights_only: a folder for caches may be shared, and a pickle could run code.
            entry = torch.load(path, map_location="cpu", weights_only=True)
            stored, tensors = entry["key"], entry["tensors"]
        except Exception as error:  # a damaged file breaks torch's reader in any of many ways
            warnings.warn(f"{path} is damaged ({type(error).__name__}): computing it again.", stacklevel=2)
            return None
        # The name finds the entry, the key says whether it is still valid.
        expected = {"format": FORMAT, **key}
        if stored != expected:
            changed = [part for part in sorted({*stored, *expected}) if stored.get(part) != expected.get(part)]
            warnings.warn(
                f"{path} is stale, it was made from other {' and '.join(changed)}: computing it again.", stacklevel=2
            )
            return None
        return tensors

    def store(self, name: str, key: Key, tensors: Tensors) -> None:
        """Put tensors under a name. Readers see the old file or the new one; a full disk costs only a warning."""
        path = self._path(name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Several runs may compute the same statistics at once; the last one stands.
            with replacing(path, concurrent=True) as file:
                torch.save({"key": {"format": FORMAT, **key}, "tensors": tensors}, file)
        except Exception as error:
            disk = error_of_disk(error)
            if disk is None:
                raise
            warnings.warn(f"{path} could not be written, so it will be computed again: {disk}", stacklevel=2)

    def _path(self, name: str) -> Path:
        return self.folder / f"{re.sub(r'[^A-Za-z0-9._/-]+', '_', name)}.pt"
