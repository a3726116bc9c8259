"""Processes that train in turns, each paused between two steps while another one runs."""

import contextlib
import os
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from torch.optim.optimizer import Optimizer, register_optimizer_step_post_hook

Program = Callable[["Turns", Path], None]
"""Trains until its process ends, calling ``Turns.step_ends`` after each step; it may write into the folder."""


@dataclass(frozen=True)
class Round:
    """What a contestant's turn cost.

    Attributes:
        cpu: Seconds of CPU of a step, of all threads.
        wall: Seconds of a step.
        memory: Largest resident set so far, in MiB.
        updates: For every number of weights that an optimiser moves: how often it moved them in a step.
    """

    cpu: float
    wall: float
    memory: float
    updates: dict[int, float]


@dataclass
class Turns:
    """The side of the process that trains: waits for its turn and reports it.

    Args:
        connection: To the process that says whose turn it is.
        left: Steps of the first turn, which warms up.
    """

    connection: Connection
    left: int
    updates: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.steps = self.left
        self.start = process_time(), perf_counter()
        register_optimizer_step_post_hook(self._count)

    def _count(self, optimizer: Optimizer, *_: Any) -> None:
        self.updates[sum(p.numel() for group in optimizer.param_groups for p in group["params"])] += 1

    def step_ends(self) -> None:
        """Count a step; after the last one of a turn, report it and wait for the next turn, or exit."""
        self.left -= 1
        if self.left:
            return
        cpu, wall = (now - start for now, start in zip((process_time(), perf_counter()), self.start, strict=True))
        updates = {weights: n / self.steps for weights, n in sorted(self.updates.items())}
        self.connection.send(Round(cpu / self.steps, wall / self.steps, peak_memory(), updates))
        self.steps = self.left = self.connection.recv()
        if not self.steps:
            raise SystemExit(0)
        self.updates.clear()
        self.start = process_time(), perf_counter()


def peak_memory() -> float:
    """Largest resident set of this process so far, in MiB.

    ``getrusage`` would count what the process that started this one had.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def _run(program: Program, connection: Connection, warm_up: int, folder: Path) -> None:
    """The process of a contestant; what it prints goes into a file."""
    said = os.open(folder / "output.txt", os.O_WRONLY | os.O_CREAT)
    for stream in (1, 2):
        os.dup2(said, stream)
    try:
        program(Turns(connection, warm_up), folder)
    except (Exception, SystemExit):
        traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    connection.close()


class Contestant:
    """The side of the process that says whose turn it is.

    Args:
        name: What it is called in errors.
        program: Trains; a function of a module, or a partial of one.
        warm_up: Steps before the first turn.
        folder: An empty folder of its own.

    Raises:
        RuntimeError: The program ended before its turns did.
    """

    def __init__(self, name: str, program: Program, warm_up: int, folder: Path) -> None:
        self.name, self.folder = name, folder
        self.connection, theirs = get_context("spawn").Pipe()
        arguments = (program, theirs, warm_up, folder)
        self.process = get_context("spawn").Process(target=_run, args=arguments, daemon=True)
        self.process.start()
        theirs.close()
        self._report()

    def turn(self, steps: int) -> Round:
        """Train so many steps."""
        self.connection.send(steps)
        return self._report()

    def _report(self) -> Round:
        try:
            return self.connection.recv()
        except (EOFError, ConnectionResetError):
            said = (self.folder / "output.txt").read_text(errors="replace")[-3000:]
            raise RuntimeError(f"{self.name} ended before its turns did. Its last words:\n{said}") from None

    def end(self) -> None:
        """End the process, which waits for its turn, and does not take long to tidy up."""
        with contextlib.suppress(OSError):
            self.connection.send(0)
            self.process.join(timeout=30)
        self.process.kill()
        self.process.join()


@contextlib.contextmanager
def contestants(programs: dict[str, Program], warm_up: int, folder: Path) -> Iterator[dict[str, Contestant]]:
    """Start the programs one after the other, so that each warms up alone, and end them all."""
    started: dict[str, Contestant] = {}
    try:
        for number, (name, program) in enumerate(programs.items()):
            own = folder / str(number)
            own.mkdir()
            started[name] = Contestant(name, program, warm_up, own)
        yield started
    finally:
        for contestant in started.values():
            contestant.end()
