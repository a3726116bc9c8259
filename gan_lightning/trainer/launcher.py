"""Report the errors of processes that a strategy forks to the process that waits for them."""

from __future__ import annotations

import os
import pickle
import signal
from multiprocessing.context import assert_spawning
from typing import Any

import torch.multiprocessing
from lightning.pytorch import Trainer
from torch.multiprocessing.spawn import ProcessException

from gan_lightning.trainer.internals import MultiProcessingLauncher, change_class, end_as_interrupted, start_method


class ReportingLauncher(MultiProcessingLauncher):
    """Lightning's launcher for ``ddp_fork`` and ``ddp_notebook``, which re-raises errors of its processes.

    An error ends a process as it ends a run in a single one: ``on_exception`` is called, loggers are closed. The
    waiting process raises the same error; Lightning's has only the text of a traceback, and waits forever after a
    process that exited with 0. A signal that only the waiting process receives is passed on.

    Lightning has no public place for this; :func:`report_failures` installs it.
    """

    _raised: Any = None

    def launch(self, function: Any, *args: Any, trainer: Trainer | None = None, **kwargs: Any) -> Any:
        # A SimpleQueue writes at once: no thread of its own holds an error that is lost when the process exits.
        self._raised = torch.multiprocessing.get_context(start_method(self)).SimpleQueue()
        try:
            return super().launch(function, *args, trainer=trainer, **kwargs)
        except ProcessException as failure:
            reported = self._report()
            if reported is None:
                raise
            raise reported from failure
        except KeyboardInterrupt:
            self.kill(signal.SIGTERM)  # A process that has received the stop itself keeps to it.
            for process in self.procs:
                process.join()
            reported = self._report()
            if reported is None:
                raise
            raise reported from None

    def _report(self) -> BaseException | None:
        """Error of the first process that failed."""
        return None if self._raised.empty() else pickle.loads(self._raised.get())

    def _wrapping_function(self, process_idx: int, trainer: Any, *args: Any, **kwargs: Any) -> None:
        # GNU OpenMP's threads do not survive a fork: once this process's parent has used several, a parallel loop of
        # several here waits for them forever. Lightning would ask for as many as there are cores for each process.
        os.environ["OMP_NUM_THREADS"] = "1"
        torch.set_num_threads(1)
        try:
            super()._wrapping_function(process_idx, trainer, *args, **kwargs)
        except BaseException as error:
            # As in a run of one process: callbacks and loggers hear of the error.
            if trainer is not None:
                end_as_interrupted(trainer, error)
            try:
                self._raised.put(pickle.dumps(error))
            except Exception:  # Some cannot be sent: the text of its traceback is.
                raise error from None
            if isinstance(error, KeyboardInterrupt):  # torch leaves with 0 here.
                raise SystemExit(128 + signal.SIGINT) from None
            # Exit code 0 would leave the waiting process waiting.
            if isinstance(error, SystemExit) and not error.code:
                raise SystemExit(1) from None
            raise

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        try:
            assert_spawning(self)
        except RuntimeError:  # A queue goes to a process that is being started, and nowhere else.
            state["_raised"] = None
        return state


def report_failures(trainer: Trainer) -> None:
    """Let a trainer whose strategy forks processes raise their errors.

    Raises:
        ValueError: It spawns them: the recipes of networks and optimisers, as the command line makes them, cannot be
            sent to a new process.
    """
    launcher = trainer.strategy.launcher
    if type(launcher) is MultiProcessingLauncher:
        if start_method(launcher) != "fork":
            raise ValueError("trainer.strategy spawns processes, which works in Python only: choose ddp or ddp_fork.")
        change_class(launcher, ReportingLauncher)
