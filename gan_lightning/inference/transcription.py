"""Programs of screenshots by a loaded model, such as pix2code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from datamodules.components.decoding import central_part
from datamodules.components.files import reason
from datamodules.components.raster import resized_all
from gan_lightning.inference.translation import ImageError


def transcribe(model: Any, file: str | Path) -> str:
    """Write the program of a screenshot of any size, which is cropped and resized as those of the training.

    Args:
        model: A game with ``transcribe``, such as :class:`~gan_lightning.variants.Pix2Code`.
        file: In one of ``datamodules.components.decoding.FORMATS``.

    Returns:
        The text of the program; the language need not allow it.

    Raises:
        ImageError: The file cannot be read.
        ValueError: The model writes no programs.
    """
    if not hasattr(model, "transcribe"):
        raise ValueError(f"{type(model).__name__} writes no programs of screenshots, as Pix2Code does.")
    channels, height, width = model.image_shape
    try:
        pixels = resized_all([central_part(file, (height, width), channels)], (height, width))
    except Exception as error:  # PIL raises SyntaxError, struct.error, ... besides OSError
        why = error.strerror if isinstance(error, OSError) and error.strerror else reason(error)
        raise ImageError(f"{file} cannot be read: {why}.") from error
    text: str = model.transcribe(model.scaled(torch.from_numpy(pixels)))[0]
    return text
