"""What samples are that are no images: the file of one, a picture of it, and what loggers are sent."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from gan_lightning.visualization.images import grid


class Medium(ABC):
    """Files, pictures and logs of samples of one kind, such as sounds or texts.

    A game whose samples are no images has one as its attribute ``medium``. An example is an element of what the game's
    ``sample`` returns.
    """

    name: ClassVar[str]
    """What samples are, in the plural, such as ``sounds``: in messages, and the folder of samples of a run."""
    suffix: ClassVar[str]
    """Of the file of a sample, such as ``.wav``."""

    @abstractmethod
    def save(self, path: Path, example: Any) -> None:
        """Write the file of an example atomically.

        Raises:
            ModuleNotFoundError: A package that it takes is not installed.
            OSError: It cannot be written.
        """

    def picture(self, example: Any) -> Tensor | None:
        """Make a picture of an example, uint8, C x H x W with 1 or 3 channels. None: there is none."""
        return None

    @abstractmethod
    def log(self, logger: Any, name: str, examples: Sequence[Any], step: int) -> None:
        """Send examples to a logger that takes such: to Weights & Biases, to TensorBoard; others are left alone.

        Args:
            logger: Lightning's.
            name: Of the examples in the log.
            examples: A few.
            step: Of the run.
        """


def picture_table(medium: Medium, examples: Sequence[Any], columns: int | None = None) -> Tensor | None:
    """Arrange the pictures of examples in a grid, each at the upper left of its cell, uint8, C x H x W.

    Args:
        medium: What the examples are.
        examples: At least one.
        columns: Pictures in a row; None: as many as rows.

    Returns:
        None where an example has no picture.
    """
    pictures = [picture for example in examples if (picture := medium.picture(example)) is not None]
    if len(pictures) < len(examples) or not pictures:
        return None
    height, width = (max(picture.shape[side] for picture in pictures) for side in (1, 2))
    cells = [F.pad(each, (0, width - each.shape[2], 0, height - each.shape[1]), value=255) for each in pictures]
    return grid(torch.stack(cells), columns)
