"""From which step on a fit keeps freed memory."""

from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch import Callback, Trainer

from gan_lightning.callbacks import kept_memory
from gan_lightning.cli import main
from tests.helpers.command_line import TINY

_begun: list[int] = []


class Begins(Callback):
    """Notes the steps that begin."""

    def on_train_batch_start(self, trainer: Trainer, *_: Any) -> None:
        _begun.append(trainer.global_step)


def test_freed_memory_is_kept_from_the_second_step_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept_after: list[int] = []
    monkeypatch.setattr(kept_memory, "keep_freed_memory", lambda: kept_after.append(len(_begun)))
    _begun.clear()
    more = ["--trainer.max_steps", "3", "--trainer.limit_val_batches", "0", "--trainer.default_root_dir", str(tmp_path)]
    assert main(["fit", *TINY, *more, f"--trainer.callbacks+={__name__}.Begins"]) == 0
    assert (len(_begun), kept_after) == (3, [1])
