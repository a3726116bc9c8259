"""Atomic checkpoints: a crash leaves either the old file or the new one."""

from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.strategies import Strategy

from datamodules.components.atomic_write import replacing
from gan_lightning.trainer.disk import error_of_disk
from gan_lightning.trainer.readable_checkpoint import without_unreadable


class SaveError(OSError):
    """A checkpoint could not be written; the previous one is intact. The message is for the user."""


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes beside the target, syncs to the disk, then replaces the target in one step.

    Lightning's own save writes into the system's temporary folder and moves the file: between file systems that is
    a copy, which a kill can cut short. Remote paths (``s3://...``) are left to Lightning.

    Raises:
        SaveError: The disk is full, cannot be written to, or is gone.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        if "://" in str(path) or storage_options is not None:
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        target = Path(path)
        try:
            # Before a file is opened: what could not be read back must not replace what can.
            checkpoint = without_unreadable(checkpoint)
        except ValueError as error:
            raise SaveError(f"{target} could not be saved: {error}") from error
        try:
            # The folder may have been deleted since the run began.
            target.parent.mkdir(parents=True, exist_ok=True)
            with replacing(target) as file:
                torch.save(checkpoint, file)
        except Exception as error:
            disk = error_of_disk(error)
            if disk is None:
                raise
            raise SaveError(
                f"{target} could not be saved ({disk.strerror or disk}): what was saved before stands; see to the "
                "disk, and continue with --ckpt_path last."
            ) from error


def use_atomic_saves(strategy: Strategy) -> None:
    """Replace Lightning's default checkpoint IO; any other choice stays."""
    # Not isinstance: a subclass is somebody's choice.
    if type(strategy.checkpoint_io) is TorchCheckpointIO:
        strategy.checkpoint_io = AtomicCheckpointIO()
