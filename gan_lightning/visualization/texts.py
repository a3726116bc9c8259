"""Texts as files and in logs."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from gan_lightning.visualization.image_sets import write_atomically
from gan_lightning.visualization.media import Medium

_COLUMNS, _MOST_LINES = 40, 6
_SIZE, _LINE, _MARGIN, _WIDTH = 14, 18, 3, 340
"""Pixels: height of letters and of lines, margin, width of a page."""


class TextMedium(Medium):
    """Texts of a line: files in UTF-8; pictures are pages of 40 characters a line.

    An example is a row of tokens, T.

    Args:
        decode: Makes N texts of N x T tokens.
    """

    name = "texts"
    suffix = ".txt"

    def __init__(self, decode: Callable[[Tensor], list[str]]) -> None:
        self.decode = decode

    def save(self, path: Path, example: Tensor) -> None:
        (text,) = self.decode(example[None])
        write_atomically(path, f"{text}\n".encode())

    def picture(self, example: Tensor) -> Tensor:
        (text,) = self.decode(example[None])
        return page(text)

    def log(self, logger: Any, name: str, examples: Sequence[Tensor], step: int) -> None:
        texts = self.decode(torch.stack([*examples]))
        if hasattr(logger, "log_text"):  # Weights & Biases
            logger.log_text(name, columns=["text"], data=[[text] for text in texts], step=step)
        elif add_text := getattr(getattr(logger, "experiment", None), "add_text", None):  # TensorBoard
            # Each a block of code, for Markdown would read signs in it.
            add_text(name, "\n\n".join(f"    {text}" for text in texts), step)


def page(text: str) -> Tensor:
    """Print a text, black on white, in lines of 40 characters; of a longer one than six lines the beginning.

    Returns:
        uint8, 1 x (18 a line + 6) x 340.
    """
    lines = textwrap.wrap(text, _COLUMNS)[:_MOST_LINES] or [""]
    canvas = Image.new("L", (_WIDTH, _LINE * len(lines) + 2 * _MARGIN), 255)
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(_SIZE)
    for number, line in enumerate(lines):
        pen.text((_MARGIN, _MARGIN + _LINE * number), line, 0, font)
    return torch.from_numpy(np.array(canvas))[None]
