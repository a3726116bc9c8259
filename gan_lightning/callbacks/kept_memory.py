"""When a fit on a CPU begins to keep freed memory."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from gan_lightning.trainer.speed import keep_freed_memory


class KeptMemory(Callback):
    """Keep freed memory for the next step, on a CPU, from the end of the first step on.

    The first step makes what stays, such as the moments of Adam, between what it frees again. Kept, the gaps would add
    to the largest memory that the process ever has.
    """

    def __init__(self) -> None:
        self._kept = False

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        if not self._kept and pl_module.device.type == "cpu":
            keep_freed_memory()
        self._kept = True
