"""Worker processes that survive SIGINT and SIGTERM until the reading process ends them."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from torch.utils.data import DataLoader

_STOPS = {signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2}


class ShieldedStart:
    """``worker_init_fn`` that lets only the reading process stop a worker.

    Terminals, ``timeout`` and schedulers signal a whole process group, or every process of a job. A worker that dies of
    it leaves the training process without its next batch, and torch raises an error there in the middle of a step. A
    worker that ignores SIGTERM would never end: by SIGTERM, the reading process ends workers that are left over. So
    it is obeyed when it comes from that process, as by torch's own rule, and from nobody else.

    Args:
        init: The ``worker_init_fn`` of the user; None: there is none.
    """

    def __init__(self, init: Callable[[int], Any] | None = None) -> None:
        self.init = init

    def __call__(self, worker: int) -> None:
        reader = multiprocessing.parent_process()
        if reader is not None and hasattr(signal, "sigwaitinfo"):
            signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)  # for all threads to come, too
            threading.Thread(target=_exit_on_signal_of, args=(reader.pid,), daemon=True).start()
        else:  # macOS does not say who sends a signal: leave the group.
            os.setpgid(0, 0)
        if self.init is not None:
            self.init(worker)


def _exit_on_signal_of(reader: int) -> None:
    while True:
        sent = signal.sigwaitinfo(_STOPS)
        if sent.si_signo == signal.SIGTERM and sent.si_pid == reader:
            os._exit(0)


def shield_workers(loader: object) -> None:
    """Shield the workers of a loader, if it has any; see ``ShieldedStart``. Call it before they are started."""
    if isinstance(loader, DataLoader) and loader.num_workers > 0:
        init = loader.worker_init_fn
        # A second fit finds its loader shielded already.
        if not isinstance(init, ShieldedStart):
            loader.worker_init_fn = ShieldedStart(init)


def shielded_iterator(loader: Iterable[Any]) -> Iterator[Any]:
    """Iterator of a loader whose workers are shielded from signals from their start."""
    if not hasattr(signal, "pthread_sigmask"):
        return iter(loader)
    # Children inherit the mask: no moment without protection.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)  # What is started now inherits it.
    try:
        return iter(loader)
    finally:
        # The reading process itself must go on hearing its signals.
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
