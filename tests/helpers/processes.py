"""Real processes that a test waits for, on a machine that may be busy with others."""

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, Trainer

PATIENCE = 900.0
"""Seconds after which a process counts as hung. No test passes by being fast: at a load of 20 a start takes minutes."""


def wait_until(holds: Callable[[], object], process: "subprocess.Popen[Any] | None" = None) -> None:
    """Wait until a condition holds, or fail: after `PATIENCE`, or when the process that it waits for has ended."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "this has not come about"
        assert process is None or process.poll() is None or holds(), f"ended with {process and process.returncode}"
        time.sleep(0.01)


class Gate(Callback):
    """Hold a run before a step, so that it cannot end before it is killed, however slowly the test's process runs.

    Args:
        file: Holds the number of the step that may not begin yet; see :func:`open_gate`.
    """

    def __init__(self, file: str) -> None:
        self.file = Path(file)

    def on_train_batch_start(self, trainer: Trainer, *_: Any) -> None:
        if trainer.is_global_zero:  # the others wait for its gradients
            while trainer.global_step >= int(self.file.read_text()):
                time.sleep(0.005)


def open_gate(file: Path, step: int) -> None:
    """Let a run that a :class:`Gate` holds go on until this many steps are done."""
    beside = file.with_suffix(".new")
    beside.write_text(str(step))
    os.replace(beside, file)
