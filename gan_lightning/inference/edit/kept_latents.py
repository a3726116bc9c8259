"""Latents in files: NumPy's ``.npz``, plain arrays only, read within limits and without running anything."""

from __future__ import annotations

import io
import math
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib import format as npy
from torch import Tensor

from gan_lightning.visualization.image_sets import write_atomically

SUFFIX = ".npz"
_MOST_BYTES = 1 << 30
_NOISE, _ERROR = "noise_", "error_"
_MEMBERS = re.compile(r"(latents|labels|text|space|noise_\d\d|error_[a-z]+)\.npy")


@dataclass(frozen=True)
class KeptLatents:
    """Latents of N images, as a file has them.

    Attributes:
        space: z, w or w+.
        latents: N x ..., as in :class:`~gan_lightning.inference.edit.inversion.Inversion`.
        noise: Maps of noise, N x 1 x H x W each.
        labels: Classes of the images, N; None: there are none.
        text: The text of the images; None: there is none.
        errors: Mean squared differences from the images that they are of, N each, by what was compared.
    """

    space: str
    latents: Tensor
    noise: list[Tensor] = field(default_factory=list)
    labels: Tensor | None = None
    text: str | None = None
    errors: dict[str, Tensor] = field(default_factory=dict)

    def split(self) -> list[KeptLatents]:
        """The same of each image."""
        return [
            KeptLatents(
                self.space,
                self.latents[row : row + 1],
                [each[row : row + 1] for each in self.noise],
                None if self.labels is None else self.labels[row : row + 1],
                self.text,
                {name: each[row : row + 1] for name, each in self.errors.items()},
            )
            for row in range(len(self.latents))
        ]


def write_latents(path: Path, kept: KeptLatents) -> None:
    """Write latents into a file, which appears when it is complete; the same latents are the same bytes."""
    arrays: dict[str, Any] = {"space": np.array(kept.space), "latents": kept.latents.float().cpu().numpy()}
    arrays |= {f"{_NOISE}{place:02d}": each.float().cpu().numpy() for place, each in enumerate(kept.noise)}
    arrays |= {f"{_ERROR}{name}": each.float().cpu().numpy() for name, each in kept.errors.items()}
    if kept.labels is not None:
        arrays["labels"] = kept.labels.cpu().numpy()
    if kept.text is not None:
        arrays["text"] = np.array(kept.text)
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    write_atomically(path, content.getvalue())


def read_latents(path: str | Path) -> KeptLatents:
    """Read latents from a file that :func:`write_latents` wrote.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is another file, or a damaged one.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}: give one that `gan-lightning encode` wrote.")
    try:
        arrays = _arrays(path)
        space, latents = str(arrays["space"]), _numbers(arrays["latents"])
        n = len(latents)
        noise = [_numbers(arrays[name], 4) for name in sorted(arrays) if name.startswith(_NOISE)]
        errors = {name.removeprefix(_ERROR): _numbers(arrays[name], 1) for name in arrays if name.startswith(_ERROR)}
        labels = torch.from_numpy(arrays["labels"]).long() if "labels" in arrays else None
        text = str(arrays["text"]) if "text" in arrays else None
        if any(len(each) != n for each in (*noise, *errors.values(), *([] if labels is None else [labels]))):
            raise ValueError("its arrays are of different numbers of images")
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, NotImplementedError) as error:
        why = f"it has no {error}" if isinstance(error, KeyError) else str(error).partition("\n")[0]
        raise ValueError(f"{path} has no latents that `gan-lightning encode` wrote: {why}.") from error
    return KeptLatents(space, latents, noise, labels, text, errors)


def _numbers(array: Any, dimensions: int | None = None) -> Tensor:
    if array.dtype != np.float32 or array.ndim < 1 or (dimensions is not None and array.ndim != dimensions):
        raise ValueError(f"an array in it is {array.ndim}-dimensional, of {array.dtype}")
    if not np.isfinite(array).all():
        raise ValueError("a number in it is not finite")
    return torch.from_numpy(array)


def _arrays(path: Path) -> dict[str, Any]:
    """The arrays by name; none is made before its size is known to be that of its bytes."""
    arrays = {}
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > _MOST_BYTES:
            raise ValueError(f"more than {_MOST_BYTES >> 30} GiB")
        for member in members:
            if not _MEMBERS.fullmatch(member.filename):
                raise ValueError(f"it has a member {member.filename!r}")
            with archive.open(member) as stream:
                content = io.BytesIO(stream.read(member.file_size + 1))
            version = npy.read_magic(content)
            header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, _, kind = header(content)
            if kind.kind not in "fiU" or math.prod(shape) * kind.itemsize != len(content.getvalue()) - content.tell():
                raise ValueError(f"{member.filename} is damaged")
            content.seek(0)
            arrays[member.filename.removesuffix(".npy")] = np.load(content, allow_pickle=False)
    return arrays
