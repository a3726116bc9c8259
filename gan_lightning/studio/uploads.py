"""Pictures and latents that a user gives: held in memory, bounded in size, read by the readers of their kinds."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from datamodules.components.decoding import FORMATS, central_part, check, read
from datamodules.components.files import reason
from datamodules.components.raster import resized
from gan_lightning.inference.edit import KeptLatents, read_latents

MOST_BYTES = 32 << 20
MOST_PIXELS = 5000 * 5000
"""Of a picture: less than the decoder allows, for several users share the memory."""
_LONGEST_NAME = 80
_PREVIEW = 1024


class Upload(io.BytesIO):
    """A file in memory; its text is its name, as of a path, so that messages name it."""

    def __init__(self, content: bytes, name: str) -> None:
        super().__init__(content)
        self.file_name = plain_name(name)

    def __str__(self) -> str:
        return self.file_name


def plain_name(name: str) -> str:
    """The last part of a name that a browser gives, without what a terminal or a shell could take for more."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(each if each.isalnum() or each in "._- " else "_" for each in last)[-_LONGEST_NAME:] or "picture"


class Photograph:
    """A picture that was given, checked when it is made.

    Args:
        content: The file's bytes.
        name: The file's name.

    Raises:
        ValueError: It is no picture, a damaged one, or too large.
    """

    def __init__(self, content: bytes, name: str) -> None:
        self.content, self.name = content, plain_name(name)
        try:
            self.width, self.height = check(self.opened())
        except Exception as error:  # PIL raises many kinds.
            raise ValueError(f"{self.name} cannot be read: {reason(error)}. Give {FORMATS}.") from error
        if self.width * self.height > MOST_PIXELS:
            raise ValueError(
                f"{self.name} has {self.width} x {self.height} pixels, and {MOST_PIXELS // 10**6} million are the most "
                "here: make it smaller."
            )

    def opened(self) -> Upload:
        return Upload(self.content, self.name)

    def preview(self) -> Image.Image:
        """The picture upright, RGB, at most 1024 pixels high and wide."""
        image = read(self.opened(), 3)
        image.thumbnail((_PREVIEW, _PREVIEW))
        return image

    def fitted(self, image_shape: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
        """Its middle at its own size, and at a model's, uint8, C x H x W each: as ``edit --resize`` reads it."""
        channels, height, width = image_shape
        part = central_part(self.opened(), (height, width), channels).pixels
        small = resized(part[None], (height, width))[0]
        return torch.from_numpy(np.array(part.transpose(2, 0, 1), order="C")), torch.from_numpy(small)


def latents_in(content: bytes) -> KeptLatents:
    """The latents in a file's bytes, of the first image.

    Raises:
        ValueError: There are none.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "latents.npz"
        file.write_bytes(content)
        try:
            # Ours are not compressed: what unpacks to more than may be sent is no file of latents.
            return read_latents(file, MOST_BYTES).split()[0]
        except ValueError as error:
            raise ValueError(str(error).replace(str(file), "The file")) from error
