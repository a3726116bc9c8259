"""Texts as files and in logs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gan_lightning.visualization.image_sets import write_atomically
from gan_lightning.visualization.media import Medium


class TextMedium(Medium):
    """Texts of a line: files in UTF-8, without pictures.

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

    def log(self, logger: Any, name: str, examples: Sequence[Tensor], step: int) -> None:
        texts = self.decode(torch.stack([*examples]))
        if hasattr(logger, "log_text"):  # Weights & Biases
            logger.log_text(name, columns=["text"], data=[[text] for text in texts], step=step)
        elif add_text := getattr(getattr(logger, "experiment", None), "add_text", None):  # TensorBoard
            # Each a block of code, for Markdown would read signs in it.
            add_text(name, "\n\n".join(f"    {text}" for text in texts), step)
