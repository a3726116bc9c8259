"""Pretrained weights: download, and reading without running code in the file."""

from collections.abc import Mapping
from pathlib import Path
from zipfile import is_zipfile

import torch
from torch import Tensor

_BROKEN = (
    "{} is no file of weights: it was cut short, is of another kind or holds more than names and tensors, and such a "
    "file could run code of its author, so it is not read."
)


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Read the tensors that ``torch.save`` has written, by name; no code that the file may carry is run.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It holds something else.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file; it should hold a network's weights.")
    try:
        # On the CPU: the file may come from a machine with another device.
        # Mapped into memory where it can be: most of a start is spent on copies of weights.
        weights = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zipfile(path))
    except Exception as error:  # A file of another kind breaks torch's reader in any of many ways.
        raise ValueError(_BROKEN.format(path)) from error
    if not isinstance(weights, Mapping) or not all(isinstance(weight, Tensor) for weight in weights.values()):
        raise ValueError(_BROKEN.format(path))
    return dict(weights)


def downloaded(url: str, name: str | None = None) -> Path:
    """The file of an address in torch's cache, fetched unless it is there; its hash is compared with its name's.

    Args:
        url: Of the file.
        name: Of the file in the cache. None: as in the address.

    Raises:
        ConnectionError: It is not there and cannot be fetched.
    """
    name = name or url.rpartition("/")[2]
    path = Path(torch.hub.get_dir()) / "checkpoints" / name
    if not path.is_file():
        # torch's names carry the first digits of the SHA-256: vgg19-dcbb9e9d.pth.
        digest = torch.hub.HASH_REGEX.search(name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(path), digest and digest[1], progress=False)
        except (OSError, RuntimeError) as error:  # What urllib raises; the hash is another.
            raise ConnectionError(f"{url} could not be downloaded ({error})") from error
    return path
