"""The class that games are built on: Lightning's module, or torch's in a process that trains nothing."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, NoReturn

import torch
from torch import nn

from gan_lightning.trainer.without_lightning import is_left_out


class SamplingModule(nn.Module):
    """What a game uses of Lightning's module where it is loaded and makes images, with the same results.

    Attributes:
        hparams: The constructor's arguments, by name.
    """

    def __init__(self) -> None:
        super().__init__()
        self.hparams: dict[str, Any] = {}

    def save_hyperparameters(self, arguments: dict[str, Any]) -> None:
        self.hparams = dict(arguments)

    @property
    def device(self) -> torch.device:
        """Device of the weights; the CPU where there are none."""
        first = next(chain(self.parameters(), self.buffers()), None)
        return torch.device("cpu") if first is None else first.device

    @property
    def trainer(self) -> NoReturn:
        raise RuntimeError(f"{type(self).__name__} has no trainer: this process trains nothing.")


if TYPE_CHECKING or not is_left_out():
    from lightning.pytorch import LightningModule as Module
else:
    Module = SamplingModule

__all__ = ["Module", "SamplingModule"]
