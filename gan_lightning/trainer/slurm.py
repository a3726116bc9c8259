"""Stop a Slurm job at its time limit between two steps, and requeue it."""

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
    """A Slurm job that is stopped and requeued when its time limit is near.

    Lightning saves within the signal handler: in the middle of a step, and on each rank in another one. It leaves a
    signal alone that has a handler already, as this class installs.

    Args:
        environment: Gives the signal that Slurm sends, ``requeue_signal``.

    Attributes:
        is_requested: Whether this rank has received the signal.
        will_requeue: Whether the run stops after this step, on all ranks, to be requeued.
    """

    def __init__(self, environment: SLURMEnvironment) -> None:
        self.will_requeue = False
        self.is_requested = False
        if threading.current_thread() is threading.main_thread():
            assert environment.requeue_signal is not None
            signal.signal(environment.requeue_signal, self._record_request)

    @classmethod
    def of(cls, trainer: Trainer) -> SlurmJob | None:
        """The job of a trainer; None outside of Slurm, or with ``auto_requeue=False``."""
        environment = cluster_environment(trainer)
        is_ours = isinstance(environment, SLURMEnvironment) and environment.auto_requeue
        return cls(environment) if is_ours else None

    def _record_request(self, number: int, frame: FrameType | None) -> None:
        # Nothing else: a handler may run between any two instructions of a step.
        self.is_requested = True

    def stop_if_requested(self, trainer: Trainer) -> None:
        """Stop the run if any rank has received the signal. Collective: all ranks call it after the same step."""
        # Slurm signals the ranks one after the other, maybe in different steps: they stop after the same one.
        if trainer.strategy.reduce_boolean_decision(self.is_requested, all=False):
            self.will_requeue = True
            stop_after_step(trainer)

    def requeue(self) -> None:
        """Requeue the job with ``scontrol``. Only one rank calls it, after the checkpoint is saved."""
        job = os.environ["SLURM_JOB_ID"]
        # A task of an array goes back alone, and not the array.
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
