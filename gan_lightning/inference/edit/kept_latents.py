"""Latents in files: NumPy's ``.npz``, plain arrays only, read within limits and without running anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from gan_lightning.inference.edit.plain_arrays import (
    MOST_BYTES,
    finite_numbers,
    read_content,
    whole_numbers,
    write_arrays,
)

_NOISE, _ERROR = "noise_", "error_"
_MEMBERS = r"latents|labels|text|space|noise_\d\d|error_[a-z]+"


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
    write_arrays(path, arrays)


def read_latents(path: str | Path, most_bytes: int = MOST_BYTES) -> KeptLatents:
    """Read latents from a file that :func:`write_latents` wrote.

    Args:
        path: The file.
        most_bytes: Of all its arrays, unpacked.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is another file, or a damaged one.
    """
    return read_content(path, "latents", "encode", _MEMBERS, _kept, most_bytes)


def _kept(arrays: dict[str, Any]) -> KeptLatents:
    space, latents = str(arrays["space"]), finite_numbers(arrays["latents"])
    n = len(latents)
    if n == 0:
        raise ValueError("it is of no image")
    noise = [finite_numbers(arrays[name], 4) for name in sorted(arrays) if name.startswith(_NOISE)]
    errors = {name.removeprefix(_ERROR): finite_numbers(arrays[name], 1) for name in arrays if name.startswith(_ERROR)}
    labels = whole_numbers(arrays["labels"]) if "labels" in arrays else None
    text = str(arrays["text"]) if "text" in arrays else None
    if any(len(each) != n for each in (*noise, *errors.values(), *([] if labels is None else [labels]))):
        raise ValueError("its arrays are of different numbers of images")
    return KeptLatents(space, latents, noise, labels, text, errors)
