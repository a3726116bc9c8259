"""Long work beside the page: one after another, with progress, and an end when the user asks for it."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from gan_lightning.inference.edit.progress import Watch


class Cancelled(Exception):
    """The user has ended the work."""


class Job:
    """Some work, and how far it is.

    Args:
        title: What it does, for the user.
        work: Called with what it reports its steps to; returns nothing.
    """

    def __init__(self, title: str, work: Callable[[Watch], None]) -> None:
        self.title = title
        self.state = "waiting"
        self.done, self.total = 0, 0
        self.error = ""
        self._work = work
        self._ended = threading.Event()

    def cancel(self) -> None:
        self._ended.set()

    def run(self) -> None:
        try:
            self._watch(0, 0)
            self.state = "running"
            self._work(self._watch)
            self.state = "done"
        except Cancelled:
            self.state = "cancelled"
        except ValueError as error:
            self.error, self.state = str(error), "failed"
        except Exception as error:
            traceback.print_exc()
            self.error, self.state = f"{type(error).__name__}: see the terminal.", "failed"

    @property
    def is_over(self) -> bool:
        return self.state in ("done", "cancelled", "failed")

    def told(self) -> dict[str, Any]:
        """As JSON."""
        names = ("title", "state", "done", "total", "error")
        return {name: getattr(self, name) for name in names}

    def _watch(self, done: int, total: int) -> None:
        if self._ended.is_set():
            raise Cancelled
        self.done, self.total = done, total


class Jobs:
    """Runs jobs of all users, one at a time: two would take the processor from each other and from the sliders."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "studio-job")
        self._jobs: list[Job] = []

    def start(self, job: Job) -> None:
        self._jobs = [each for each in self._jobs if not each.is_over] + [job]
        self._pool.submit(job.run)

    def end(self) -> None:
        """Cancel all of them."""
        for job in self._jobs:
            job.cancel()
        self._pool.shutdown(wait=True, cancel_futures=True)
