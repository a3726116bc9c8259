"""Slurm jobs whose time is over: they stop between two steps, and queue again."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from types import FrameType

from lightning.fabric.plugins.environments import SLURMEnvironment
from lightning.pytorch import Trainer

from gan_lightning.trainer.internals import cluster_environment, stop_after_step


class SlurmJob:
    """Whether Slurm has told this process that the job's time is nearly over, until all processes did the same step.

    Lightning saves in the handler of the signal: in the middle of a step, and each process in a step of its own. It
    leaves a signal alone that has a handler already.

    Args:
        environment: Its ``requeue_signal`` is what Slurm sends.

    Attributes:
        is_told: Whether this process has been told.
        goes_on: Whether the processes have agreed to stop and to be continued.
    """

    def __init__(self, environment: SLURMEnvironment) -> None:
        self.goes_on = False
        self.is_told = False
        if threading.current_thread() is threading.main_thread():
            assert environment.requeue_signal is not None
            signal.signal(environment.requeue_signal, self._remember)

    @classmethod
    def of(cls, trainer: Trainer) -> SlurmJob | None:
        """The job that a trainer runs in. None: it is in none, or its job is not to be requeued."""
        environment = cluster_environment(trainer)
        is_ours = isinstance(environment, SLURMEnvironment) and environment.auto_requeue
        return cls(environment) if is_ours else None

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self.is_told = True

    def heed(self, trainer: Trainer) -> None:
        """Stop the run if any process has been told to. All of them must ask, after the same step."""
        if trainer.strategy.reduce_boolean_decision(self.is_told, all=False):
            self.goes_on = True
            stop_after_step(trainer)

    def requeue(self) -> None:
        """Put the job back into Slurm's queue; one process does it, when the state has been saved."""
        job = os.environ["SLURM_JOB_ID"]
        if "SLURM_ARRAY_JOB_ID" in os.environ:
            job = f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"
        try:
            asked = subprocess.run(["scontrol", "requeue", job], capture_output=True, text=True)
            refusal = asked.stderr.strip() or f"exit code {asked.returncode}" if asked.returncode else None
        except OSError as error:
            refusal = str(error)
        if refusal is None:
            print(f"Job {job} is saved and back in Slurm's queue.")
        else:
            print(f"Job {job} is saved, but scontrol did not requeue it ({refusal}): submit it again.")
